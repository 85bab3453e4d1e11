"""Whatever a plug-in does on import becomes a state and a sentence, and stays in its process."""

import sys

import pytest

from neurodsr.modalities.base import Modality
from neurodsr.modalities.health import check_plugin, look_at_plugin
from neurodsr.modalities.plugins import Plugin, list_plugins
from neurodsr.modalities.registry import find_plugin
from neurodsr.modalities.spikes import Spikes

WORKING = """\
from typing import Literal
from neurodsr.modalities.spikes import Spikes
class Widefield(Spikes):
    kind: Literal["widefield"] = "widefield"
"""


@pytest.fixture
def health(install):
    """A function that installs a plug-in of the given code and looks at its health."""

    def look(code, *, timeout=60.0):
        install("lab-widefield", code)
        return check_plugin(find_plugin("widefield"), timeout=timeout)

    return look


def test_one_that_works_is_ok_with_version_time_and_api(health):
    found = health(WORKING)
    assert (found.kind, found.distribution, found.version) == ("widefield", "lab-widefield", "1.2")
    assert (found.state, found.problem, found.traceback) == ("ok", "", ())
    assert found.api_version == Modality.api_version
    assert 0 < found.seconds < 60
    assert not found.broken
    assert "lab_widefield" not in sys.modules


@pytest.mark.parametrize(
    ("code", "state", "problem"),
    [
        ("import no_such_package", "raises", "No module named 'no_such_package'"),
        ("import sys; sys.exit(3)", "exits", "SystemExit: 3"),
        ("import os; os._exit(0)", "exits", "ends the process on import, with exit code 0"),
        ("raise KeyboardInterrupt", "crashes", "crashes on import with signal 2, Interrupt"),
        ("import os; os.abort()", "crashes", "crashes on import with signal 6, Aborted"),
        ("import ctypes; ctypes.string_at(0)", "crashes", "signal 11, Segmentation fault"),
        ("class Widefield: ...", "unfit", "'lab_widefield:Widefield' is not a Modality class"),
        (WORKING.replace('"widefield"', '"ca"'), "unfit", "the kind of Widefield is 'ca'"),
        (f"import atexit, os; atexit.register(os._exit, 3)\n{WORKING}", "exits", "exit code 3"),
    ],
    ids=["raises", "exits", "_exit", "Ctrl-C", "aborts", "segfaults", "no class", "kind", "later"],
)
def test_one_that_cannot_be_used_is_broken(health, code, state, problem):
    found = health(code)
    assert found.broken
    assert found.state == state
    assert problem in found.problem


@pytest.mark.parametrize(
    "code",
    [
        "import threading; threading.Event().wait()",
        f"import threading; threading.Thread(target=threading.Event().wait).start()\n{WORKING}",
    ],
    ids=["while importing", "when the process ends"],
)
def test_one_that_hangs_is_broken(health, code):
    found = health(code, timeout=3.0)
    assert (found.state, found.problem) == ("hangs", "does not import within 3 s")
    assert found.broken


@pytest.mark.parametrize("how", ["print('hello')", "import os; os.write(1, b'hello')"])
def test_one_that_prints_works_and_is_told(health, how):
    found = health(f"{how}\n{WORKING}")
    assert found.state == "prints"
    assert "prints on import: 'hello" in found.problem
    assert not found.broken


def test_what_it_says_on_stderr_is_no_printing(health):
    assert health(f"import sys; print('warning', file=sys.stderr)\n{WORKING}").state == "ok"


def test_the_last_lines_of_its_traceback_are_kept(health):
    lines = health("def fail():\n    raise ValueError('no license')\nfail()").traceback
    assert lines[-1] == "ValueError: no license"
    assert any("lab_widefield.py" in line for line in lines)


def test_health_is_plain_data_for_json(health):
    plain = health("raise ValueError").to_plain()
    assert plain["state"] == "raises"
    assert list(plain)[:3] == ["kind", "distribution", "version"]


def test_the_schema_comes_along_and_is_that_of_the_class():
    health, schema = look_at_plugin(find_plugin("spikes"))
    assert not health.broken
    assert schema == Spikes.model_json_schema()


def test_a_broken_plug_in_has_no_schema(install):
    install("lab-widefield", "raise ValueError")
    assert look_at_plugin(find_plugin("widefield"))[1] == {}


def test_a_plug_in_that_has_gone_since_it_was_listed_is_told():
    (spikes,) = [p for p in list_plugins() if p.kind == "spikes"]
    found = check_plugin(Plugin("gone", "lab", "1", spikes.entry))
    assert found.state == "exits"
    assert "ConfigError: unknown modality kind" in "\n".join(found.traceback)
