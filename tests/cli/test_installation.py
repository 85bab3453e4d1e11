"""`schema`, `plugins` and `doctor`."""

import json

import pytest

from neurodsr.pipeline import doctor as doctor_module
from neurodsr.pipeline.doctor import check_installation


def test_schema_prints_the_run_schema(run):
    done = run("schema")
    assert done.code == 0
    assert json.loads(done.out)["title"] == "RunConfig"


def test_schema_write_names_every_file_it_wrote(run, tmp_path):
    done = run("schema", "--write", tmp_path)
    assert done.code == 0
    written = {str(p) for p in tmp_path.rglob("*.json")}
    assert set(done.out.split()) == written
    assert str(tmp_path / "modality" / "spikes.json") in written


def test_plugins_list_shows_kinds_and_packages(run):
    done = run("plugins", "list", "--json")
    result = json.loads(done.out)
    assert result["schema"] == "neurodsr/plugins-list-result/1"
    kinds = {p["kind"]: p["distribution"] for p in result["plugins"]}
    assert kinds["spikes"] == kinds["behavior"] == "neurodsr"
    assert "spikes" in run("plugins", "list").out


def test_plugins_show_explains_every_field(run):
    done = run("plugins", "show", "behavior")
    assert done.code == 0
    assert "Longest gap between samples" in done.out
    assert "required" in done.out


def test_plugins_show_of_an_unknown_kind_exits_2_and_names_the_known(run):
    done = run("plugins", "show", "spkes")
    assert done.code == 2
    assert "did you mean 'spikes'?" in done.err
    assert "fix: known kinds: behavior, " in done.err


@pytest.fixture
def quick(monkeypatch):
    """Answers instead of a Python of its own, which would import torch for seconds."""

    def answer(answers):
        monkeypatch.setattr(doctor_module, "_try_python", lambda timeout, *args: answers(args))

    return answer


def test_doctor_reports_versions_threads_device_and_plugins(run, quick):
    quick(lambda args: ("cpu | 2", ""))
    done = run("doctor", "--json")
    result = json.loads(done.out)
    assert done.code == 0
    assert result["schema"] == "neurodsr/doctor-result/1"
    assert result["device"] == "cpu"
    assert result["threads"] == "2"
    assert result["problems"] == []
    assert {"neurodsr", "torch", "ruamel.yaml"} <= set(result["versions"])
    assert "no problems found" in run("doctor").err


def test_doctor_tells_a_broken_plugin_by_name_and_still_exits_0(run, quick):
    broken = ("", "exit 1: ImportError: no such thing")
    quick(lambda args: broken if args[-1] == "neurodsr:spikes" else ("cpu | 2", ""))
    done = run("doctor")
    assert done.code == 0
    assert "plug-in spikes (neurodsr): exit 1: ImportError: no such thing" in done.err


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("print('x')", ""),
        ("raise SystemExit(3)", "exit 3: no message"),
        ("raise ImportError('gone')", "exit 1: ImportError: gone"),
        ("import os; os.kill(os.getpid(), 11)", "killed by signal 11 while importing"),
        ("import threading; threading.Event().wait()", "did not import within 2 s"),
    ],
    ids=["fine", "exits", "raises", "crashes", "hangs"],
)
def test_whatever_a_plugin_does_at_import_becomes_a_sentence(code, problem):
    assert doctor_module._try_python(2.0, "-c", code)[1] == problem


def test_a_dependency_that_is_missing_is_named_with_the_command_to_install_it(quick, monkeypatch):
    quick(lambda args: ("cpu | 2", ""))
    monkeypatch.setattr(
        doctor_module, "requires", lambda name: ["nothing-like-it>=3", 'x; extra == "dev"']
    )
    assert check_installation().problems == (
        "nothing-like-it is not installed: pip install 'nothing-like-it>=3'",
    )
