"""Every modality that is wrong in one point fails exactly the check of that point."""

import importlib
import sys
from pathlib import Path

import pytest

from neurodsr.testing.checks import run_checks
from neurodsr.testing.conformance.catalog import CHECKS

sys.path.insert(0, str(Path(__file__).parent))

THEMES = ("configuration", "loading", "decoding", "dependence", "viewing")
BROKEN = [row for t in THEMES for row in importlib.import_module(f"test_checks_{t}").BROKEN]
ELSEWHERE = {"import_has_no_side_effects"}
"""Modules of their own are needed for it: test_checks_configuration.py."""


@pytest.mark.parametrize(("broken", "name", "said"), BROKEN, ids=[name for _, name, _ in BROKEN])
@pytest.mark.usefixtures("unchecked_shapes")
def test_a_broken_modality_fails_exactly_its_check(broken, name, said):
    (failure,) = [result for result in run_checks(broken) if result.failed]
    assert failure.name == name
    assert said in failure.message
    if "raised" not in failure.message:
        assert all(p in failure.message for p in ("expected ", "\n  contract: ", "\n  fix: "))


def test_every_check_has_a_modality_that_fails_it_alone():
    assert {name for _, name, _ in BROKEN} | ELSEWHERE == {check.name for check in CHECKS}
