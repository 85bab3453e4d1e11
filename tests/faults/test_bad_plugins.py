"""Plug-ins that raise, exit, print, hang or crash on import: harmless until somebody uses them."""

import json
import os
import subprocess
import sys

import pytest

from neurodsr.storage.documents import read_json
from neurodsr.testing.sessions import demo_config, demo_session
from neurodsr.testing.write_nwb import write_session

MAIN = "from neurodsr.cli.main import main; main()"
CLASS = """
from typing import Literal
from neurodsr.modalities.behavior import Behavior
class Kind(Behavior):
    kind: Literal["prints"] = "prints"
"""
BAD = {
    "raises": "raise ImportError('no license server')",
    "exits": "import sys; sys.exit('no license server')",
    "ends": "import os; os._exit(0)",
    "prints": f"print('licensed to nobody'){CLASS}",
    "hangs": "import threading; threading.Event().wait()",
    "crashes": "import ctypes; ctypes.string_at(0)",
}
QUICK = {
    "encoder": {"width": 4, "kernel": 5, "n_steps": 20, "window": 30, "batch_size": 4},
    "dynamics": {"latent_dim": 3, "hidden_dim": 8, "n_steps": 20, "window": 20, "batch_size": 4},
    "ensemble": {"n_encoders": 1, "n_members": 1, "n_starts": 2, "n_bins": 1000},
}


@pytest.fixture
def imported(tmp_path):
    """A file that is there once any of the bad plug-ins has begun to be imported."""
    return tmp_path / "imported"


@pytest.fixture
def neurodsr(announce, imported, tmp_path):
    """A function that runs `neurodsr ARGS` where all of the bad plug-ins are installed."""
    path = []
    for name, code in BAD.items():
        traced = f"open({str(imported)!r}, 'a').close()\n{code}"
        path.append(str(announce(f"lab-{name}", traced, kind=name, what="Kind")))

    def run(*args, without=()):
        return subprocess.run(
            [sys.executable, "-c", MAIN, *map(str, args)],
            env=os.environ
            | {
                "PYTHONPATH": os.pathsep.join(path),
                "NEURODSR_DISABLE_PLUGINS": ",".join(f"lab-{name}" for name in without),
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def session_file(tmp_path_factory):
    """A short simulated session."""
    path = tmp_path_factory.mktemp("session") / "demo.nwb"
    write_session(path, demo_session(seed=0, n_bins=3000, n_units=6, n_reference=20_000))
    return path


@pytest.fixture
def config_file(session_file, tmp_path):
    """A function that writes a quick configuration; some kind takes the demo's position."""

    def write(kind="behavior"):
        plain = demo_config(file=str(session_file), seed=0) | QUICK
        for stream in plain["streams"].values():
            if stream["kind"] == "behavior" and stream.get("observation") != "categorical":
                stream["kind"] = kind
        path = tmp_path / "run.yaml"
        path.write_text(json.dumps(plain), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    "args",
    [["--help"], ["--version"], ["plugins", "--help"], ["schema"], ["plugins", "show", "spikes"]],
    ids=" ".join,
)
def test_a_command_that_uses_none_of_them_imports_none_of_them(neurodsr, imported, args):
    done = neurodsr(*args)
    assert (done.returncode, done.stderr) == (0, "")
    assert not imported.exists()


def test_listing_names_all_of_them_and_imports_none(neurodsr, imported):
    done = neurodsr("plugins", "list", "--json")
    assert done.returncode == 0
    assert set(BAD) < {p["kind"] for p in json.loads(done.stdout)["plugins"]}
    assert not imported.exists()


def test_inspecting_a_file_imports_none_of_them(neurodsr, imported, session_file):
    done = neurodsr("inspect", session_file, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["files"]
    assert not imported.exists()


def test_an_ingest_that_uses_none_of_them_imports_none_of_them(
    neurodsr, imported, config_file, tmp_path
):
    done = neurodsr("ingest", config_file(), "-o", tmp_path / "rec")
    assert done.returncode == 0, done.stderr
    assert not imported.exists()


@pytest.mark.slow
def test_a_whole_run_that_uses_none_of_them_imports_none_of_them(
    neurodsr, imported, config_file, tmp_path
):
    done = neurodsr("run", config_file(), "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert not imported.exists()
    versions = read_json(tmp_path / "out" / "run.json")["versions"]
    assert not [name for name in versions if name.startswith("lab-")]


@pytest.mark.parametrize("kind", ["raises", "exits"])
def test_a_run_that_names_a_broken_one_exits_4_with_package_version_and_traceback(
    neurodsr, config_file, tmp_path, kind
):
    done = neurodsr("run", config_file(kind), "-o", tmp_path / "out")
    assert (done.returncode, done.stdout) == (4, "")
    assert f"error: plug-in lab-{kind} 1.2: kind '{kind}' fails to import" in done.stderr
    assert f'lab_{kind}.py", line 2' in done.stderr
    assert "no license server" in done.stderr
    assert f"fix: reinstall or uninstall lab-{kind}" in done.stderr
    assert not (tmp_path / "out").exists()


def test_one_that_prints_is_used_and_stdout_stays_clean(neurodsr, config_file, tmp_path):
    done = neurodsr("run", config_file("prints"), "-o", tmp_path / "out", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "prints" in {s["kind"] for s in json.loads(done.stdout)["streams"].values()}
    assert "licensed to nobody" in done.stderr


def test_doctor_tells_what_each_of_them_does(neurodsr):
    done = neurodsr("plugins", "doctor", "--json", "--timeout", "10")
    assert done.returncode == 4
    states = {p["kind"]: p["state"] for p in json.loads(done.stdout)["plugins"]}
    does = {kind: states[kind] for kind in BAD}
    assert does == {kind: kind for kind in BAD} | {"ends": "exits"}
    assert states["spikes"] == "ok"


def test_the_installed_schema_holds_those_that_work(neurodsr):
    done = neurodsr("schema", "--installed", without=["hangs"])
    assert done.returncode == 0
    known = json.loads(done.stdout)["$defs"]
    assert "stream-prints" in known
    assert not {f"stream-{kind}" for kind in BAD if kind != "prints"} & set(known)
    for kind in ("raises", "exits", "ends", "crashes"):
        assert f"left out: kind {kind} of lab-{kind}: " in done.stderr
