"""Modalities that are wrong as configuration or as software fail exactly that check."""

import importlib
import sys
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import ConfigDict, Field, field_validator

from neurodsr.testing.checks import run_checks

sys.path.insert(0, str(Path(__file__).parent))
from kit_good import Good


class OfAnyKind(Good):
    """A signal."""

    kind: str = Field("good", description="A signal.")


class Undescribed(Good):
    """A signal."""

    floor: float = 0.0


class Growing(Good):
    """A signal."""

    floor: float = Field(1.0, description="Smallest value, V.")

    @field_validator("floor")
    @classmethod
    def double(cls, value):
        """Twice what was asked for."""
        return 2 * value


class Thawed(Good):
    """A signal."""

    model_config = ConfigDict(frozen=False)


class Lenient(Good):
    """A signal."""

    model_config = ConfigDict(extra="ignore")


class Outdated(Good):
    """A signal."""

    api_version: ClassVar[str] = "0"


class Silent(Good):
    """A signal."""

    def context(self, bin_width):
        return 0


class Bare(Good):
    pass


BROKEN = [
    (OfAnyKind, "kind_is_a_literal", "found <class 'str'> with default 'good'"),
    (Undescribed, "fields_are_described", "none of floor"),
    (Growing, "fields_survive_json", "floor: 2.0 became 4.0"),
    (Thawed, "object_is_frozen", "weight changed to 2"),
    (Lenient, "unknown_fields_are_refused", "that it was accepted"),
    (Outdated, "api_version_is_ours", "found '0'"),
    (Silent, "everything_is_documented", "none of Silent.context"),
    (Bare, "everything_is_documented", "none of Bare"),
]


MODULE = '''
from kit_good import Good
{line}

class Imported(Good):
    """A signal."""
'''


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("print('welcome')", "it prints 'welcome"),
        ("import sys; sys.stderr.write('beware')", "it prints 'beware'"),
        ("import torch", "it imports torch"),
        ("import random; random.seed(0)", "it changes the state of random numbers"),
        ("import numpy; numpy.random.seed(0)", "it changes the state of random numbers"),
        ("import os, sys; 'pytest' in sys.modules or os._exit(3)", "with exit code 3"),
    ],
)
def test_a_module_that_does_something_on_import_fails_exactly_that_check(
    line, said, tmp_path, monkeypatch
):
    name = f"kit_rude_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MODULE.format(line=line), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    results = run_checks(importlib.import_module(name).Imported)
    (failure,) = [result for result in results if result.failed]
    assert failure.name == "import_has_no_side_effects"
    assert said in failure.message
    assert "fix: import torch inside functions" in failure.message


def test_a_class_of_a_test_is_not_imported_elsewhere():
    results = {result.name: result for result in run_checks(Bare)}
    assert (
        "no module that another process could import"
        in results["import_has_no_side_effects"].skipped
    )
