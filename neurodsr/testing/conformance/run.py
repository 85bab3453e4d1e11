"""Makes the checks of one modality: each once, after those it needs, whatever a plug-in raises."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from neurodsr.errors import NeurodsrError
from neurodsr.testing.conformance.case import Case
from neurodsr.testing.conformance.catalog import CHECKS, Check
from neurodsr.testing.conformance.verdict import ContractError, NotApplicableError


@dataclass(frozen=True)
class CheckResult:
    """How one check went.

    Parameters
    ----------
    name
        Name of the check, such as "masked_values_are_zero".
    passed
        Whether it was made and holds.
    message
        What is wrong, where the contract says so and how to mend it; or why it was skipped.
    skipped
        Why it was not made, or that its failure was expected; "" otherwise.
    """

    name: str
    passed: bool
    message: str = ""
    skipped: str = ""

    @property
    def failed(self) -> bool:
        """Whether the contract is broken, and nobody expected it."""
        return not (self.passed or self.skipped)

    def to_plain(self) -> dict[str, Any]:
        """The same as plain JSON-like data."""
        return asdict(self)


@dataclass(frozen=True)
class Run:
    """The checks of one modality, each made when it is first asked for.

    Parameters
    ----------
    case
        The modality and what it loads.
    expected
        Checks that are known to fail: name -> reason.
    """

    case: Case
    expected: Mapping[str, str]
    made: dict[str, CheckResult] = field(default_factory=dict)

    def result(self, name: str) -> CheckResult:
        """The result of a check."""
        if name not in self.made:
            self.made[name] = self._make(next(c for c in CHECKS if c.name == name))
        return self.made[name]

    def results(self) -> list[CheckResult]:
        """The results of all checks, in their order."""
        return [self.result(check.name) for check in CHECKS]

    def _make(self, check: Check) -> CheckResult:
        missing = [need for need in check.needs if not self.result(need).passed]
        if missing:
            return _skipped(check, f"it needs {missing[0]} to hold")
        result = _attempt(check, self.case)
        if result.failed and check.name in self.expected:
            reason = f"expected to fail: {self.expected[check.name]}"
            return CheckResult(check.name, False, result.message, skipped=reason)
        return result


def _attempt(check: Check, case: Case) -> CheckResult:
    """Make one check; global random state stays as it is."""
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            check.function(case)
    except NotApplicableError as reason:
        return _skipped(check, str(reason))
    except ContractError as error:
        return CheckResult(check.name, False, f"{check.title}\n  {error}")
    except (Exception, SystemExit) as error:
        return CheckResult(check.name, False, f"{check.title}\n  {_explain(error)}")
    return CheckResult(check.name, True)


def _skipped(check: Check, reason: str) -> CheckResult:
    return CheckResult(check.name, False, message=reason, skipped=reason)


def _explain(error: BaseException) -> str:
    """What was raised, and in which line of whose code."""
    said = str(error) if isinstance(error, NeurodsrError) else f"{type(error).__name__}: {error}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"raised {said}\n  at {Path(last.filename).name}:{last.lineno}, in {last.name}"
