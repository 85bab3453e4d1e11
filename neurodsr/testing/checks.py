"""The conformance kit: whether a modality does what neurodsr relies on, one named check at a time.

Three ways to ask, for the author of a plug-in:

    neurodsr plugins check lab-calcium                        # on the command line
    check_modality(LabCalcium(path="roi"))                    # in Python: raises the first failure
    @parametrize_with_checks([LabCalcium(path="roi")])        # in pytest: one test a check
    def test_it_keeps_the_contract(check): check()

A modality that is given no `source` loads made-up recordings, `conformance/examples.py`; the checks
are listed in `conformance/catalog.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from neurodsr.data.time import TimeGrid
from neurodsr.errors import ConfigError, nearest
from neurodsr.modalities.base import Modality
from neurodsr.sources.base import Source
from neurodsr.testing.conformance.case import Case
from neurodsr.testing.conformance.catalog import CHECKS
from neurodsr.testing.conformance.examples import Example
from neurodsr.testing.conformance.run import CheckResult, Run

__all__ = ["CheckResult", "check_modality", "parametrize_with_checks", "run_checks"]

PATH = "example"
"""Path of a stream whose class has no default for it."""
WHERE = "conformance kit"


def run_checks(
    modality: Modality | type[Modality],
    *,
    source: Source | None = None,
    grid: TimeGrid | None = None,
    expected_failed_checks: Mapping[str, str] | None = None,
) -> list[CheckResult]:
    """Make every check of a modality.

    Parameters
    ----------
    modality
        A configured modality; a class is built with its defaults.
    source, grid
        A recording that it can load and a grid of at least 100 bins inside it; default: made up.
    expected_failed_checks
        Checks that are known to fail: name -> reason.

    Returns
    -------
    One result a check, in the order of the catalog.

    Raises
    ------
    ConfigError
        The class has fields without a default, a check's name is unknown, or of source and grid
        only one is given.
    """
    return _start(modality, source, grid, expected_failed_checks).results()


def check_modality(
    modality: Modality | type[Modality],
    *,
    source: Source | None = None,
    grid: TimeGrid | None = None,
    expected_failed_checks: Mapping[str, str] | None = None,
) -> None:
    """Make the checks of a modality until one fails; the arguments are those of `run_checks`.

    Raises
    ------
    AssertionError
        A check fails: its name, what was expected and found, where the contract says so, and how
        to mend it.
    """
    run = _start(modality, source, grid, expected_failed_checks)
    for check in CHECKS:
        _raise_failure(run, check.name)


def parametrize_with_checks(
    modalities: Sequence[Modality | type[Modality]],
    *,
    source: Source | None = None,
    grid: TimeGrid | None = None,
    expected_failed_checks: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A pytest decorator: one test for each modality and check, which calls its argument `check`.

    An expected failure is reported as such (xfail), and what does not apply as skipped.

    Parameters
    ----------
    modalities
        Configured modalities, or classes.
    source, grid, expected_failed_checks
        As in `run_checks`, for all of the modalities.
    """
    import pytest  # the kit is also used without it

    runs = [_start(m, source, grid, expected_failed_checks) for m in modalities]
    return pytest.mark.parametrize(
        "check",
        [
            pytest.param(_Test(run, check.name), id=f"{_describe(run)}-{check.name}")
            for run in runs
            for check in CHECKS
        ],
    )


@dataclass(frozen=True, repr=False)
class _Test:
    """What a test of `parametrize_with_checks` calls."""

    run: Run
    name: str

    def __call__(self) -> None:
        import pytest

        result = self.run.result(self.name)
        if result.skipped:
            expected = self.name in self.run.expected
            (pytest.xfail if expected else pytest.skip)(result.skipped)
        _raise_failure(self.run, self.name)


def _start(
    modality: Modality | type[Modality],
    source: Source | None,
    grid: TimeGrid | None,
    expected: Mapping[str, str] | None,
) -> Run:
    names = {check.name for check in CHECKS}
    unknown = sorted(set(expected or {}) - names)
    if unknown:
        raise ConfigError(
            f"there is no check {unknown[0]!r}: {nearest(unknown[0], names)}",
            where="expected_failed_checks",
            fix="correct the name; `run_checks` gives them all",
        )
    if (source is None) != (grid is None):
        raise ConfigError(
            "of a source and the grid that it is put on only one is given",
            where=WHERE,
            fix="give both source=... and grid=TimeGrid(start, bin_width, n_bins), or neither",
        )
    given = None if source is None or grid is None else Example(source, grid)
    return Run(Case(_configured(modality), given), expected or {})


def _configured(modality: Modality | type[Modality]) -> Modality:
    """The object itself, or one of the class with its defaults."""
    if isinstance(modality, Modality):
        return modality
    needed = {name for name, f in modality.model_fields.items() if f.is_required()}
    if needed - {"path"}:
        raise ConfigError(
            f"{modality.__name__} has no default for {', '.join(sorted(needed - {'path'}))}",
            where=WHERE,
            fix=f"give an object in place of the class: {modality.__name__}(...)",
        )
    return modality(**dict.fromkeys(needed, PATH))


def _raise_failure(run: Run, name: str) -> None:
    result = run.result(name)
    if result.failed:
        raise AssertionError(f"{_describe(run)} fails {name}: {result.message}")


def _describe(run: Run) -> str:
    """The kind and whatever plain fields are not the defaults, as a test is called."""
    modality = run.case.modality
    plain, fields = modality.to_plain(), type(modality).model_fields
    changed = [
        f"{name}={plain[name]}"
        for name, f in fields.items()
        if name != "kind"
        and plain[name] != PATH
        and isinstance(plain[name], str | int | float)
        and plain[name] != f.get_default(call_default_factory=True)
    ]
    return ":".join([modality.kind, *changed])
