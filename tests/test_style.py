"""House rules that no linter checks: nothing that can run code from data, nothing too long."""

import ast
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "neurodsr"
SOURCES = sorted(p for part in ("neurodsr", "plugins") for p in (ROOT / part).rglob("*.py"))
MAX_FILE, MAX_FUNCTION = 300, 40

# What reads code out of a file, or runs a text.
FORBIDDEN_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {"torch.load", "yaml.load", "yaml.unsafe_load", "eval", "exec"}

# Where everything is caught, and why: nothing of it may end a run without a word.
CATCHES_EVERYTHING = {
    "neurodsr/modalities/registry.py": "a plug-in fails to import in its own way, and is named",
    "neurodsr/ingest/load_checked.py": "a plug-in fails in its own way, and is named",
    "neurodsr/testing/conformance/run.py": "a check of somebody's modality fails in its own way",
    "neurodsr/report/render.py": "a broken figure must not cost the verdict",
    "neurodsr/cli/main.py": "the shell's last resort: a bug, kept in a log",
    "neurodsr/training/worker.py": "a bug in a training process, told to its parent",
    "neurodsr/sources/nwb.py": "closes the file and raises again",
}

every_source = pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))


def nodes(path, *kinds):
    return [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, kinds)]


def length_without_docstring(function):
    first, last = function.lineno, function.end_lineno
    head = function.body[0]
    has_docstring = ast.get_docstring(function, clean=False) is not None
    return last - first + 1 - (head.end_lineno - head.lineno + 1 if has_docstring else 0)


def test_there_is_something_to_check():
    assert len(SOURCES) > 50


@every_source
def test_nothing_unpickles_and_nothing_runs_a_text(path):
    for node in nodes(path, ast.Import, ast.ImportFrom):
        module = getattr(node, "module", None)
        names = [module] if module else [a.name for a in node.names]
        assert not {n.split(".")[0] for n in names} & FORBIDDEN_IMPORTS, f"line {node.lineno}"
    for call in nodes(path, ast.Call):
        assert ast.unparse(call.func) not in FORBIDDEN_CALLS, f"line {call.lineno}"
        allowed = [k for k in call.keywords if k.arg == "allow_pickle"]
        assert all(ast.unparse(k.value) == "False" for k in allowed), f"line {call.lineno}"


@every_source
def test_files_and_functions_are_short_enough_to_be_read_at_once(path):
    assert len(path.read_text("utf-8").splitlines()) <= MAX_FILE
    for function in nodes(path, ast.FunctionDef, ast.AsyncFunctionDef):
        length = length_without_docstring(function)
        assert length <= MAX_FUNCTION, f"{function.name} has {length} lines"


@every_source
def test_nothing_is_left_to_be_done_without_an_issue_that_says_so(path):
    text = path.read_text("utf-8")
    assert "NotImplementedError" not in text
    for line in text.splitlines():
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            assert re.search(r"(TODO|FIXME|XXX).*\bissue \d+", line), line.strip()


def handlers_of_everything(path):
    broad = {"Exception", "BaseException"}
    for handler in nodes(path, ast.ExceptHandler):
        names = {ast.unparse(n) for n in ast.walk(handler.type or ast.Name("BaseException"))}
        if names & broad:
            yield handler


@every_source
def test_errors_are_caught_by_name(path):
    assert all(h.type is not None for h in nodes(path, ast.ExceptHandler))
    lines = [h.lineno for h in handlers_of_everything(path)]
    allowed = 1 if path.relative_to(ROOT).as_posix() in CATCHES_EVERYTHING else 0
    assert len(lines) == allowed, f"everything is caught in lines {lines}"


# ---- nothing happens on import


@every_source
def test_a_module_only_defines_things(path):
    """Imports, names, classes and functions; a text alone describes the name above it."""
    for node in ast.parse(path.read_text("utf-8")).body:
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        guarded = isinstance(node, ast.If) and ast.unparse(node.test) in {
            "TYPE_CHECKING",
            "__name__ == '__main__'",
        }
        defines = isinstance(
            node,
            ast.Import
            | ast.ImportFrom
            | ast.Assign
            | ast.AnnAssign
            | ast.FunctionDef
            | ast.ClassDef,
        )
        assert text or guarded or defines, f"line {node.lineno}"


IMPORT_ALL = """
import os, random, signal, sys, warnings
import matplotlib, numpy, torch

def state():
    return (
        dict(os.environ), os.getcwd(), random.getstate(), warnings.filters[:],
        [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)],
        numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist(),
        torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(),
        dict(matplotlib.rcParams),
        sorted(files for *_, files in os.walk(os.environ["HOME"])), os.listdir(),
    )

# What others do on import is not ours.
import click, plotly, pynwb, rich.progress, rich.table, scipy.ndimage, scipy.special, zarr
before = state()
for module in sys.argv[1:]:
    __import__(module)
changed = [i for i, (a, b) in enumerate(zip(before, state())) if a != b]
assert not changed, changed
"""


def test_importing_everything_prints_writes_and_changes_nothing(tmp_path):
    paths = [p.relative_to(ROOT).with_suffix("") for p in SOURCES if p.is_relative_to(PACKAGE)]
    modules = [".".join(p.parts).removesuffix(".__init__") for p in paths]
    if find_spec("triton") is None:  # it exists for Linux alone
        modules.remove("neurodsr.kernels.triton_kernels")
    cwd, home, elsewhere = (tmp_path / name for name in ("cwd", "home", "matplotlib"))
    for folder in (cwd, home, elsewhere):
        folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORT_ALL, *modules],
        cwd=cwd,
        # Matplotlib keeps a list of fonts wherever it is told to.
        env=os.environ | {"HOME": str(home), "MPLCONFIGDIR": str(elsewhere)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
