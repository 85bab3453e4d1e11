"""A new plug-in's package: complete, clean, whole or not there, and installable offline."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from neurodsr.errors import ConfigError, OutputError
from neurodsr.modalities.base import Modality
from neurodsr.modalities.plugins import Plugin
from neurodsr.testing import scaffold
from neurodsr.testing.scaffold import MAX_LENGTH, NewPlugin, write_scaffold

ROOT = Path(__file__).parents[2]
LONGEST = "a-" + (MAX_LENGTH - 2) * "b"


def python(*args, **kwargs):
    return subprocess.run(
        [sys.executable, *map(str, args)], capture_output=True, text=True, check=False, **kwargs
    )


@pytest.fixture
def package(tmp_path):
    """The package of the kind log-signal."""
    write_scaffold("log-signal", tmp_path / "package")
    return tmp_path / "package"


@pytest.mark.parametrize(
    ("kind", "module", "name"),
    [
        ("log-signal", "neurodsr_log_signal", "LogSignal"),
        ("pupil", "neurodsr_pupil", "PupilSignal"),
        ("pose-3d", "neurodsr_pose_3d", "Pose3dSignal"),
        ("none", "neurodsr_none", "NoneSignal"),
        ("signal", "neurodsr_signal", "SignalSignal"),
    ],
)
def test_every_name_follows_from_that_of_the_kind(kind, module, name):
    plugin = NewPlugin(kind)
    assert (plugin.module, plugin.class_name) == (module, name)


def test_it_returns_what_it_wrote(tmp_path):
    written = write_scaffold("pupil", tmp_path / "new")
    names = ["pyproject.toml", "README.md", "neurodsr_pupil/__init__.py", "tests/test_pupil.py"]
    assert written == [tmp_path / "new" / name for name in names]
    assert set(written) == {p for p in (tmp_path / "new").rglob("*") if p.is_file()}


def test_the_entry_point_is_the_kind_and_leads_to_the_class(package):
    project = tomllib.loads((package / "pyproject.toml").read_text())
    entries = project["project"]["entry-points"]["neurodsr.modalities"]
    assert entries == {"log-signal": "neurodsr_log_signal:LogSignal"}
    assert project["project"]["name"] == "neurodsr-log-signal"
    assert project["tool"]["setuptools"]["packages"] == ["neurodsr_log_signal"]


def test_its_class_is_a_modality_of_this_version(package, monkeypatch):
    monkeypatch.syspath_prepend(str(package))
    from neurodsr_log_signal import LogSignal

    modality = LogSignal.from_plain({"kind": "log-signal", "path": "pupil"})
    assert isinstance(modality, Modality)
    assert LogSignal.__dict__["api_version"] == Modality.api_version
    assert all(field.description for field in LogSignal.model_fields.values())
    sys.modules.pop("neurodsr_log_signal")


def test_importing_it_does_not_import_torch(package):
    code = "import neurodsr_log_signal, sys; print('torch' in sys.modules)"
    done = python("-c", code, env=os.environ | {"PYTHONPATH": str(package)})
    assert (done.stdout, done.stderr) == ("False\n", "")


@pytest.mark.parametrize("kind", ["a", "pupil", "log-signal", LONGEST])
def test_its_code_is_clean_and_formatted_whatever_the_name(tmp_path, kind):
    write_scaffold(kind, tmp_path / "new")
    for command in (["check"], ["format", "--check"]):
        done = python("-m", "ruff", *command, "--no-cache", tmp_path / "new")
        assert done.returncode == 0, done.stdout
    for path in (tmp_path / "new").rglob("*.py"):
        compile(path.read_text(), path, "exec")


def test_its_readme_shows_a_stream_that_a_configuration_may_hold(package, monkeypatch):
    readme = (package / "README.md").read_text()
    assert "    kind: log-signal\n" in readme
    assert "neurodsr plugins check log-signal" in readme
    assert all(len(line) <= 100 for line in readme.splitlines())


@pytest.mark.parametrize(
    "kind",
    ["Pupil", "log_signal", "3d", "-a", "a-", "a--b", "", "a b", "../a", "é", "neurodsr-a", "a\n",
     LONGEST + "b"],
)  # fmt: skip
def test_a_wrong_name_is_refused_with_the_rule(tmp_path, kind):
    with pytest.raises(ConfigError, match=r"write lower-case letters, digits and single hyphens"):
        write_scaffold(kind, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_kind_that_is_there_already_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"neurodsr \S+ offers the kind 'spikes'[\s\S]*my-spikes"):
        write_scaffold("spikes", tmp_path / "new")


def test_a_kind_of_a_disabled_package_is_there_too(tmp_path, monkeypatch):
    monkeypatch.setattr(
        scaffold, "announced_plugins", lambda: [Plugin("pupil", "lab", "1.2", None)]
    )
    with pytest.raises(ConfigError, match=r"lab 1\.2 offers the kind[\s\S]*choose another name"):
        write_scaffold("pupil", tmp_path / "new")


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda p: p.symlink_to("nowhere")])
def test_whatever_stands_at_the_folder_is_kept(tmp_path, make):
    make(tmp_path / "new")
    with pytest.raises(OutputError, match="choose another folder with -o"):
        write_scaffold("pupil", tmp_path / "new")
    assert [p.name for p in tmp_path.iterdir()] == ["new"]


def test_a_folder_in_no_folder_is_refused(tmp_path):
    with pytest.raises(OutputError, match="make it first: mkdir -p"):
        write_scaffold("pupil", tmp_path / "gone" / "new")


def test_a_disk_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    write_text, written = Path.write_text, []

    def fail_at_the_third(path, *args, **kwargs):
        written.append(path)
        if len(written) == 3:
            raise PermissionError(13, "Permission denied")
        return write_text(path, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", fail_at_the_third)
    with pytest.raises(OutputError, match="choose another output"):
        write_scaffold("pupil", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_the_templates_are_part_of_the_package():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert "testing/templates/*" in setuptools["package-data"]["neurodsr"]
    folder = Path(scaffold.__file__).parent / "templates"
    assert {p.suffix for p in folder.iterdir()} == {".j2"}


@pytest.mark.slow
def test_it_installs_offline_is_found_and_passes_its_own_tests(package, tmp_path):
    target, cli = tmp_path / "installed", "from neurodsr.cli.main import main; main()"
    done = python(
        "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "--quiet",
        "--disable-pip-version-check", "--target", target, package,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    environment = os.environ | {"PYTHONPATH": str(target)}
    found = json.loads(python("-c", cli, "plugins", "list", "--json", env=environment).stdout)
    announced = {"kind": "log-signal", "distribution": "neurodsr-log-signal", "version": "0.1.0"}
    assert announced in found["plugins"]
    shown = python("-c", cli, "plugins", "show", "log-signal", env=environment)
    assert "Values below are raised to this" in shown.stdout
    schema = json.loads(python("-c", cli, "schema", "--installed", env=environment).stdout)
    assert "stream-log-signal" in schema["$defs"]
    checked = python("-c", cli, "plugins", "check", "log-signal", env=environment)
    assert checked.returncode == 0, checked.stdout
    tested = python("-m", "pytest", "-q", "-p", "no:cacheprovider", package, env=environment)
    assert tested.returncode == 0, tested.stdout
