"""What is installed: the version, the lazy names, the entry points, the pins, the license."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, version
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

import neurodsr

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAMES = {
    "RunConfig", "load_config", "ingest", "open_recording", "save_recording", "train", "evaluate",
    "Surrogate", "load_surrogate", "run", "Recording", "TimeGrid",
}  # fmt: skip
HEAVY = ("torch", "pynwb", "zarr", "matplotlib", "plotly", "pydantic")


def loaded_after(code):
    """Which of the heavy packages a fresh Python has imported after some code."""
    script = f"{code}\nimport sys\nprint(*(m for m in {HEAVY} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_importing_neurodsr_imports_nothing_heavy():
    assert loaded_after("import neurodsr as nd") == set()


def test_configurations_and_recordings_need_neither_torch_nor_pynwb():
    code = "import neurodsr as nd; nd.RunConfig, nd.load_config, nd.ingest, nd.TimeGrid"
    assert loaded_after(f"{code}, nd.open_recording").isdisjoint({"torch", "pynwb"})


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_public_name_is_the_thing_of_that_name(name):
    found = getattr(neurodsr, name)
    assert found.__name__ == name
    assert not isinstance(found, ModuleType)


def test_dir_lists_the_public_names():
    assert set(dir(neurodsr)) == set(neurodsr.__all__) == NAMES | {"__version__"}


def test_a_function_keeps_its_name_when_the_module_of_that_name_is_imported():
    code = (
        "import neurodsr as nd, neurodsr.ingest.ingest, neurodsr.load_config\n"
        "assert callable(nd.ingest) and callable(nd.load_config)\n"
        "from neurodsr.ingest.ingest import ingest\n"
        "assert nd.ingest is ingest"
    )
    loaded_after(code)


def test_an_unknown_name_is_an_attribute_error_that_names_it():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        neurodsr.trian  # noqa: B018


def test_type_checkers_see_the_same_homes_as_python():
    tree = ast.parse((ROOT / "neurodsr" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (n for n in tree.body if isinstance(n, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == neurodsr._HOMES


def test_the_version_is_that_of_pyproject_and_of_the_changelog():
    assert neurodsr.__version__ == version("neurodsr") == PROJECT["version"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", changes, re.M)[1] == PROJECT["version"]


@pytest.mark.parametrize("group", ["neurodsr.modalities", "console_scripts"])
def test_entry_points_are_installed_as_declared(group):
    declared = PROJECT["scripts"] if group == "console_scripts" else PROJECT["entry-points"][group]
    found = {e.name: e.value for e in entry_points(group=group) if e.dist.name == "neurodsr"}
    assert found == declared
    assert all(e.load() for e in entry_points(group=group) if e.dist.name == "neurodsr")


def test_the_package_ships_its_types_and_the_templates_of_the_report():
    assert (ROOT / "neurodsr" / "py.typed").is_file()
    assert (ROOT / "neurodsr" / "report" / "templates" / "report.html.j2").is_file()


def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_pin_is_exact_and_applies_once():
    applying = [canonical(p.name) for p in pins() if p.marker is None or p.marker.evaluate()]
    assert sorted(set(applying)) == sorted(applying)
    assert all(re.fullmatch(r"==[^*,]+", str(p.specifier)) for p in pins())


@pytest.mark.parametrize(
    "needed", [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
)
def test_every_requirement_has_a_pin_that_it_allows(needed):
    requirement = Requirement(needed)
    found = [p for p in pins() if canonical(p.name) == canonical(requirement.name)]
    assert found
    for pin in found:
        (exact,) = pin.specifier
        assert requirement.specifier.contains(exact.version)


def test_the_license_is_the_one_that_is_declared():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert PROJECT["license"] == "BSD-3-Clause"
    assert "Copyright (c) 2026, the neurodsr developers" in text
    assert "Redistribution and use in source and binary forms" in text


def test_every_sub_package_says_what_it_is_in_one_sentence():
    for path in sorted((ROOT / "neurodsr").glob("*/__init__.py")):
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert re.fullmatch(r"[A-Z][^\n]{20,}\.", said), path
