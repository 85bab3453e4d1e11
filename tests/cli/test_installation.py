"""`schema` and `doctor`."""

import json

import pytest

from neurodsr.ingest.init_text import SCHEMA
from neurodsr.modalities.run_alone import Ran
from neurodsr.pipeline import doctor

PUPIL = """\
from typing import Literal
from neurodsr.modalities.behavior import Behavior
class Pupil(Behavior):
    kind: Literal["pupil"] = "pupil"
"""


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


def kinds_of(text):
    streams = json.loads(text)["properties"]["streams"]
    return {kind["$ref"].rpartition("-")[2] for kind in streams["additionalProperties"]["oneOf"]}


def test_schema_alone_is_that_of_the_built_in_kinds(run, install):
    install("labs", PUPIL, kind="pupil", what="Pupil")
    assert "pupil" not in kinds_of(run("schema").out)


def test_schema_installed_knows_what_a_package_brings(run, install):
    install("labs", PUPIL, kind="pupil", what="Pupil")
    done = run("schema", "--installed")
    assert (done.code, done.err) == (0, "")
    assert {"pupil", "spikes", "behavior"} <= kinds_of(done.out)
    assert "resample" in json.loads(done.out)["$defs"]["stream-pupil"]["properties"]


def test_a_broken_kind_is_left_out_of_schema_installed_and_named(run, install):
    install("labs", PUPIL, kind="pupil", what="Pupil")
    install("broken", "import os; os._exit(0)")
    done = run("schema", "--installed")
    assert done.code == 0
    assert "pupil" in kinds_of(done.out)
    assert "widefield" not in kinds_of(done.out)
    assert "left out: kind widefield of broken: ends the process on import" in done.err
    assert "`neurodsr plugins doctor` says more" in done.err


def test_kinds_that_two_packages_offer_are_named_as_a_configuration_must(run, install, tmp_path):
    for package in ("labs", "rivals"):
        install(package, PUPIL, kind="pupil", what="Pupil")
    assert run("schema", "--installed", "--write", tmp_path / "schemas").code == 0
    for package in ("labs", "rivals"):
        written = tmp_path / "schemas" / "modality" / package / "pupil.json"
        kind = json.loads(written.read_text())["properties"]["kind"]
        assert kind["const"] == kind["default"] == f"{package}:pupil"


def test_a_package_that_offers_a_built_in_kind_too_does_not_change_the_schema(run, install):
    before = run("schema").out
    install("labs", "raise RuntimeError", kind="spikes")
    assert run("schema").out == before


def test_init_writes_its_copy_of_the_schema_without_a_broken_kind(
    run, install, session_file, tmp_path
):
    install("labs", PUPIL, kind="pupil", what="Pupil")
    install("broken", "raise RuntimeError('no license')")
    done = run("init", session_file, "-o", tmp_path / "run.yaml")
    assert done.code == 0, done.err
    assert "left out: kind widefield of broken: RuntimeError: no license" in done.err
    kinds = kinds_of((tmp_path / SCHEMA).read_text())
    assert "pupil" in kinds
    assert "widefield" not in kinds


@pytest.fixture
def quick(monkeypatch):
    """An answer instead of a Python of its own, which would import torch for seconds."""
    monkeypatch.setattr(
        doctor, "run_alone", lambda *_, timeout: Ran(0, "cpu|2|native (avx2)", "", 0.1)
    )


def test_doctor_reports_versions_threads_device_and_plugins(run, quick):
    done = run("doctor", "--json")
    result = json.loads(done.out)
    assert done.code == 0
    assert result["schema"] == "neurodsr/doctor-result/1"
    assert (result["device"], result["threads"], result["problems"]) == ("cpu", "2", [])
    assert {"neurodsr", "torch", "ruamel.yaml"} <= set(result["versions"])
    assert {p["kind"]: p["state"] for p in result["plugins"]}["spikes"] == "ok"
    assert "no problems found" in run("doctor").err


def test_doctor_tells_a_broken_plugin_by_name_and_still_exits_0(run, quick, install):
    install("broken", "import no_such_thing")
    done = run("doctor")
    assert done.code == 0
    assert "plug-in widefield (broken): ModuleNotFoundError: No module named" in done.err
    assert "plug-in widefield" in done.out
