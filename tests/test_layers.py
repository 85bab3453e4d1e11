"""Imports only point down, in the order of the layers that docs/architecture.md shows."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def layers():
    """The lines of the layer block, top first, each the set of modules on it."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```text\n(.*?)^```", page, re.M | re.S)
    known = {p.stem for p in (ROOT / "neurodsr").iterdir() if p.suffix in ("", ".py")}
    words = [re.split(r"\s{2,}", line) for line in block.splitlines()]
    return [[w for w in line if w in known] for line in words]


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = (a.name.split(".") for a in node.names)
            yield from (m[1] for m in modules if m[0] == "neurodsr" and len(m) > 1)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("neurodsr"):
            _, _, below = node.module.partition(".")
            yield from [below.split(".")[0]] if below else (a.name for a in node.names)


def modules_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module


def part_of(path):
    return path.relative_to(ROOT / "neurodsr").with_suffix("").parts[0]


def test_every_part_of_the_package_has_one_place_among_the_layers():
    placed = [name for line in layers() for name in line]
    parts = {part_of(p) for p in (ROOT / "neurodsr").rglob("*.py")} - {"__init__", "__main__"}
    assert sorted(placed) == sorted(parts)


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "neurodsr").rglob("*.py")),
    ids=lambda p: str(p.relative_to(ROOT / "neurodsr")),
)
def test_imports_point_down(path):
    rank = {name: i for i, line in enumerate(layers()) for name in line}
    part = part_of(path)
    if part in rank:
        above = {name for name in imports_of(path) if name != part and rank[name] <= rank[part]}
        assert not above, f"{part} may not import {', '.join(sorted(above))}"


@pytest.mark.parametrize(
    ("part", "allowed"),
    [("kernels", {"kernels", "errors"}), ("measures", {"measures", "kernels", "errors"})],
)
def test_kernels_and_measures_know_tensors_and_little_else_of_neurodsr(part, allowed):
    for path in (ROOT / "neurodsr" / part).glob("*.py"):
        assert set(imports_of(path)) <= allowed, path


def test_kernels_and_measures_can_be_lifted_out_with_numbers_alone():
    """They import numerical libraries and no pydantic, pynwb or zarr."""
    numbers = {"neurodsr", "torch", "numpy", "scipy", "jaxtyping", "triton"}
    for part in ("kernels", "measures"):
        for path in (ROOT / "neurodsr" / part).glob("*.py"):
            found = {m.split(".")[0] for m in modules_of(path)} - set(sys.stdlib_module_names)
            assert found <= numbers, path
