"""`plugins list`, `show`, `check`, `doctor` and `new`."""

import json

import pytest

from neurodsr.testing.checks import CheckResult

PUPIL = """\
from typing import Literal
from neurodsr.modalities.behavior import Behavior
class Pupil(Behavior):
    '''The diameter of a pupil.

    Its second line.
    '''
    kind: Literal["pupil"] = "pupil"
"""


def test_list_shows_kinds_and_packages(run):
    done = run("plugins", "list", "--json")
    result = json.loads(done.out)
    assert result["schema"] == "neurodsr/plugins-list-result/1"
    kinds = {p["kind"]: p["distribution"] for p in result["plugins"]}
    assert kinds["spikes"] == kinds["behavior"] == "neurodsr"
    assert "spikes" in run("plugins", "list").out


def test_list_says_what_was_left_out(run, install, monkeypatch):
    install("labs", PUPIL, kind="pupil")
    assert "pupil" in run("plugins", "list").out
    monkeypatch.setenv("NEURODSR_DISABLE_PLUGINS", "labs")
    done = run("plugins", "list")
    assert "pupil" not in done.out
    assert "left out by the environment variable NEURODSR_DISABLE_PLUGINS: labs" in done.err


def test_show_explains_every_field(run):
    done = run("plugins", "show", "behavior")
    assert done.code == 0
    assert "Longest gap between samples" in done.out
    assert "required" in done.out
    assert "…" not in done.out


def test_show_says_where_a_kind_comes_from(run, install):
    install("labs", PUPIL, kind="pupil", what="Pupil")
    done = run("plugins", "show", "pupil")
    assert done.out.startswith("The diameter of a pupil.\n\nIts second line.\nfrom labs 1.2, for ")
    result = json.loads(run("plugins", "show", "pupil", "--json").out)
    assert (result["distribution"], result["version"]) == ("labs", "1.2")
    assert result["modality"]["properties"]["kind"]["const"] == "pupil"


def test_show_of_an_unknown_kind_exits_2_and_names_the_known(run):
    done = run("plugins", "show", "spkes")
    assert done.code == 2
    assert "did you mean 'spikes'?" in done.err
    assert "fix: known kinds: behavior, " in done.err


def test_show_of_a_broken_kind_exits_4_with_package_version_and_traceback(run, install):
    install("labs", "x = 1\nraise ValueError('no license')")
    done = run("plugins", "show", "widefield")
    assert (done.code, done.out) == (4, "")
    assert "error: plug-in labs 1.2: kind 'widefield' fails to import" in done.err
    assert 'labs.py", line 2' in done.err
    assert "ValueError: no license" in done.err
    assert "fix: reinstall or uninstall labs" in done.err


def test_what_a_plug_in_prints_stays_out_of_json(run, install):
    install("labs", f"print('hello')\n{PUPIL}", kind="pupil", what="Pupil")
    done = run("plugins", "show", "pupil", "--json")
    assert json.loads(done.out)["distribution"] == "labs"
    assert "hello" in done.err


def test_doctor_exits_0_if_all_can_be_imported(run):
    done = run("plugins", "doctor", "--json")
    result = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert result["schema"] == "neurodsr/plugins-doctor-result/1"
    found = {p["kind"]: p for p in result["plugins"]}
    assert found["spikes"]["state"] == found["behavior"]["state"] == "ok"
    assert found["spikes"]["api_version"] not in ("", "unknown")
    assert found["spikes"]["seconds"] > 0


def test_doctor_names_the_broken_and_exits_4(run, install):
    install("labs", "x = 1\nraise ValueError('no license')")
    install("printer", f"print('hello')\n{PUPIL}", kind="pupil", what="Pupil")
    done = run("plugins", "doctor")
    assert done.code == 4
    assert "ValueError: no license" in done.out
    assert "prints on import: 'hello" in done.out
    assert 'labs.py", line 2' in done.err
    assert "cannot be used: widefield" in done.err
    assert "fix: reinstall or uninstall labs; NEURODSR_DISABLE_PLUGINS=labs leaves them" in done.err


def test_doctor_gives_each_plug_in_only_the_time_that_it_is_told(run, install):
    install("labs", "import threading; threading.Event().wait()")
    done = run("plugins", "doctor", "--timeout", "3", "--json")
    assert done.code == 4
    found = {p["kind"]: p for p in json.loads(done.out)["plugins"]}
    assert found["widefield"]["problem"] == "does not import within 3 s"


@pytest.mark.parametrize("timeout", ["0", "-1", "soon"])
def test_doctor_refuses_a_time_that_is_none(run, timeout):
    assert run("plugins", "doctor", "--timeout", timeout).code == 2


def test_new_writes_a_package_and_says_what_comes_next(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("plugins", "new", "log-signal")
    assert done.code == 0
    written = {p for p in (tmp_path / "neurodsr-log-signal").rglob("*") if p.is_file()}
    assert {tmp_path / line for line in done.out.split()} == written
    assert "next: cd neurodsr-log-signal && pip install -e '.[test]' && pytest" in done.err
    assert "neurodsr plugins show log-signal" in done.err


def test_new_writes_where_it_is_told(run, tmp_path):
    assert run("plugins", "new", "log-signal", "-o", tmp_path / "here").code == 0
    assert (tmp_path / "here" / "pyproject.toml").is_file()


def test_new_keeps_a_folder_that_is_there_and_exits_5(run, tmp_path):
    done = run("plugins", "new", "log-signal", "-o", tmp_path)
    assert done.code == 5
    assert "fix: choose another folder with -o, or remove it yourself" in done.err


def test_new_refuses_a_wrong_name_and_exits_2(run, tmp_path):
    done = run("plugins", "new", "Log Signal", "-o", tmp_path / "here")
    assert done.code == 2
    assert "fix: write lower-case letters, digits and single hyphens" in done.err


@pytest.fixture
def checks(monkeypatch):
    """Makes up how the checks went, which take their time."""

    def went(*results):
        monkeypatch.setattr("neurodsr.testing.checks.run_checks", lambda modality: list(results))

    return went


GOOD = CheckResult("values_are_finite", True)
BAD = CheckResult("load_gives_a_stream", False, "found None\n  fix: return a Stream")
SKIPPED = CheckResult("lag_is_honest", False, "no lag", skipped="no lag")


def test_check_exits_0_where_all_checks_hold_or_do_not_apply(run, checks):
    checks(GOOD, SKIPPED)
    done = run("plugins", "check", "spikes")
    assert done.code == 0
    assert done.err == "1 checks hold, 0 fail, 1 skipped\n"
    assert "Checks of spikes" in done.out


def test_check_exits_4_where_one_fails_and_shows_its_fix(run, checks):
    checks(GOOD, BAD, SKIPPED)
    done = run("plugins", "check", "spikes")
    assert done.code == 4
    (line,) = [line for line in done.out.splitlines() if "FAILED" in line]
    assert "fix: return a Stream" in line


def test_check_gives_its_results_as_json(run, checks):
    checks(GOOD, BAD)
    done = run("plugins", "check", "neurodsr:spikes", "--json")
    assert done.code == 4
    result = json.loads(done.out)
    assert result["schema"] == "neurodsr/plugins-check-result/1"
    assert [(c["name"], c["passed"]) for c in result["checks"]] == [
        ("values_are_finite", True),
        ("load_gives_a_stream", False),
    ]


def test_check_of_a_kind_that_is_not_there_exits_2(run):
    assert run("plugins", "check", "spkes").code == 2


@pytest.mark.slow
def test_check_of_a_built_in_kind_makes_all_of_its_checks(run):
    done = run("plugins", "check", "behavior", "--json")
    assert done.code == 0, done.out
    assert len(json.loads(done.out)["checks"]) >= 25
