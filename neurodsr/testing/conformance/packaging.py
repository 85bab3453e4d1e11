"""The modality as a piece of software: documented, and harmless to import."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from inspect import isfunction

from neurodsr.modalities.base import Modality
from neurodsr.modalities.run_alone import run_alone
from neurodsr.testing.conformance.case import Case
from neurodsr.testing.conformance.verdict import NotApplicableError, require

TIMEOUT = 60.0
MARK = "-- after the import: "
IMPORT = f"""
import random, sys
import numpy
import neurodsr.modalities.base

def state():
    return random.getstate(), numpy.random.get_state()[1].tolist()

before, loaded = state(), "torch" in sys.modules
__import__(sys.argv[1])
said = ["it changes the state of random numbers"] if state() != before else []
said += ["it imports torch"] if "torch" in sys.modules and not loaded else []
print({MARK!r} + "; ".join(said))
"""
"""What a process of its own runs."""


def check_everything_is_documented(case: Case) -> None:
    """The class and its public methods have docstrings."""
    bare = list(_undocumented(type(case.modality)))
    require(
        not bare,
        expected="a docstring of the class and of each public method",
        found=f"none of {', '.join(bare)}",
        contract="docs/plugins.md: `plugins show` prints the docstring of the class",
        fix="one sentence that a lab member understands",
    )


def check_import_has_no_side_effects(case: Case) -> None:
    """Importing the module prints nothing, imports no torch, and touches no random numbers."""
    module = type(case.modality).__module__
    if not _is_importable(module):
        raise NotApplicableError(f"{module!r} is no module that another process could import")
    ran = run_alone("-W", "ignore", "-c", IMPORT, module, timeout=TIMEOUT)
    printed, mark, said = ran.out.partition(MARK)
    printed += ran.err
    problems = [
        f"it prints {printed[:60]!r}" if printed else "",
        said.strip() if mark else f"it ends the process, with exit code {ran.code}",
    ]
    require(
        not any(problems),
        expected=f"`import {module}` to do nothing but define things",
        found="; ".join(filter(None, problems)),
        contract="plug-ins are imported for help texts, schemas and configurations of others",
        fix="import torch inside functions and under TYPE_CHECKING, and in the module of the "
        "decoder; do everything else in load",
    )


def _undocumented(cls: type[Modality]) -> Iterator[str]:
    if not cls.__dict__.get("__doc__"):
        yield cls.__name__
    for name, member in vars(cls).items():
        function = member.fget if isinstance(member, property) else member
        function = getattr(function, "__func__", function)
        if not name.startswith("_") and isfunction(function) and not function.__doc__:
            yield f"{cls.__name__}.{name}"


def _is_importable(module: str) -> bool:
    """Whether it is found by its name, and is no test."""
    if module == "__main__" or module.rpartition(".")[2].startswith(("test_", "conftest")):
        return False
    if getattr(sys.modules.get(module), "__spec__", None) is None:
        return False
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
