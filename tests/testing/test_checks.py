"""The conformance kit: what it says of good modalities, and how it is asked."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from neurodsr.data.time import TimeGrid
from neurodsr.errors import ConfigError, DataError
from neurodsr.modalities.behavior import Behavior
from neurodsr.modalities.calcium import Calcium
from neurodsr.modalities.fmri import Fmri
from neurodsr.modalities.spikes import Spikes
from neurodsr.testing.checks import (
    CheckResult,
    check_modality,
    parametrize_with_checks,
    run_checks,
)
from neurodsr.testing.conformance.catalog import CHECKS
from neurodsr.testing.fake_source import FakeSource, sampled

sys.path.insert(0, str(Path(__file__).parent))
from kit_good import Good

TRIALS = "intervals/trials/choice"
BUILT_IN = [
    Spikes,
    Spikes(observation="negative-binomial"),
    Spikes(observation="zero-inflated-poisson"),
    Spikes(observation="bernoulli"),
    Spikes(link="softplus", history=0.1),
    Behavior,
    Behavior(path="head", observation="student"),
    Behavior(path="head", observation="angle"),
    Behavior(path="choice", observation="categorical"),
    Behavior(path=TRIALS, observation="categorical"),
    Behavior(path="grade", observation="ordinal"),
    Behavior(path="licks", observation="events"),
    Calcium(path="roi"),
    Calcium(path="roi", noise="student", saturation=True),
    Calcium(path="roi", kinetics="fixed", indicator="GCaMP6f"),
    Calcium(path="roi", drift=2.0),
    Calcium(path="roi", deconvolution=1.0),
    Calcium(path="roi", observation="events"),
    Fmri(path="bold"),
    Fmri(path="bold", noise="ar1"),
    Fmri(path="bold", hrf="derivatives"),
    Fmri(path="bold", hrf="learned", noise="ar1"),
    Fmri(path="bold", deconvolution=1.0),
]


@parametrize_with_checks(BUILT_IN)
def test_a_built_in_modality_keeps_the_contract(check):
    check()


GRID = TimeGrid(start=1.0, bin_width=0.02, n_bins=500)


def series_of_samples(most):
    """12 s of 100 samples/s in three channels, each a whole number from 0 to `most`."""
    generator = np.random.default_rng(0)
    values = generator.binomial(most, 0.15, (1200, 3)).astype(float)
    return FakeSource({"samples": sampled(values, rate=100.0)})


@parametrize_with_checks(
    [Spikes(path="samples"), Spikes(path="samples", history=0.1)],
    source=series_of_samples(3),
    grid=GRID,
    expected_failed_checks={"missing_samples_are_masked": "counts that are missing are refused"},
)
def test_spikes_that_were_counted_already_keep_the_contract(check):
    check()


@parametrize_with_checks(
    [Behavior(path="samples", observation="events")], source=series_of_samples(1), grid=GRID
)
def test_licks_that_were_sampled_keep_the_contract(check):
    check()


# ---- the catalog


def test_checks_are_named_after_their_functions_and_say_what_holds():
    assert len({check.name for check in CHECKS}) == len(CHECKS) >= 25
    for check in CHECKS:
        assert check.function.__name__ == f"check_{check.name}"
        assert check.title.endswith(".")


def test_a_check_comes_after_those_that_it_needs():
    names = [check.name for check in CHECKS]
    for check in CHECKS:
        assert all(names.index(need) < names.index(check.name) for need in check.needs), check.name


# ---- what is asked


def test_a_class_is_built_with_its_defaults_and_a_path_of_its_own():
    class Pathless(Good):
        """A signal."""

        path: str

    names = [result.name for result in run_checks(Pathless) if result.failed]
    assert names == ["fields_are_described"]


def test_a_class_with_other_fields_to_fill_in_is_refused():
    class Demanding(Good):
        """A signal."""

        floor: float

    with pytest.raises(ConfigError, match=r"no default for floor[\s\S]*Demanding\(\.\.\.\)"):
        run_checks(Demanding)


def test_a_misspelled_check_is_refused():
    with pytest.raises(ConfigError, match=r"lag_is_honest[\s\S]*fix: correct the name"):
        run_checks(Good, expected_failed_checks={"lag_is_honnest": "a typo"})


def test_a_source_without_its_grid_is_refused():
    with pytest.raises(ConfigError, match="fix: give both source"):
        run_checks(Good, source=FakeSource({}))


def test_a_modality_may_bring_its_own_recording():
    t = np.arange(0.0, 40.0, 0.05)
    signal = sampled(np.stack([np.sin(t), np.cos(t)], axis=1), rate=20.0, unit="m")
    results = run_checks(
        Good(path="here"), source=FakeSource({"here": signal}), grid=TimeGrid(1.0, 0.1, 300)
    )
    assert [r.name for r in results if r.failed] == []


# ---- what is said


class Refusing(Good):
    """A signal that nothing can be."""

    def load(self, source, grid):
        """Refuse."""
        raise DataError("no LFP electrodes", fix="record some")


class Buggy(Good):
    """A signal with a bug."""

    def load(self, source, grid):
        """Divide by zero."""
        return 1 / 0


class Leaving(Good):
    """A signal that ends the process."""

    def load(self, source, grid):
        """Leave."""
        sys.exit(3)


@pytest.mark.parametrize(
    ("modality", "said"),
    [
        (
            Refusing,
            r"signal: no LFP electrodes; angles[\s\S]*fix: give the kit .*source=FakeSource",
        ),
        (Buggy, r"ZeroDivisionError: division by zero\s+at test_checks.py:\d+, in load"),
        (Leaving, r"raised SystemExit: 3"),
    ],
)
def test_a_modality_that_cannot_load_is_told_so_once(modality, said):
    results = {result.name: result for result in run_checks(modality)}
    assert [name for name, result in results.items() if result.failed] == ["load_gives_a_stream"]
    with pytest.raises(AssertionError, match=said):
        check_modality(modality)
    reason = "it needs load_gives_a_stream to hold"
    assert results["values_are_finite"].skipped == reason


def test_a_good_modality_raises_nothing():
    check_modality(Good)


def test_a_result_is_plain_data_for_the_command_line():
    result = CheckResult("lag_is_honest", False, "found 0.5")
    plain = {"name": "lag_is_honest", "passed": False, "message": "found 0.5", "skipped": ""}
    assert (result.to_plain(), result.failed) == (plain, True)


EXPECTED = {"load_gives_a_stream": "needs a probe"}


def test_an_expected_failure_is_no_failure():
    results = run_checks(Buggy, expected_failed_checks=EXPECTED)
    assert not [result for result in results if result.failed]
    found = next(r for r in results if r.name == "load_gives_a_stream")
    assert found.skipped == "expected to fail: needs a probe"
    assert "ZeroDivisionError" in found.message
    check_modality(Buggy, expected_failed_checks=EXPECTED)


# ---- as tests of pytest


def cases_of(*args, **kwargs):
    (_, cases) = parametrize_with_checks(*args, **kwargs).mark.args
    return {case.id: case.values[0] for case in cases}


def test_there_is_a_readable_test_for_each_modality_and_check():
    cases = cases_of([Good, Behavior(path="x", observation="ordinal", weight=2.0)])
    assert len(cases) == 2 * len(CHECKS)
    assert "good-lag_is_honest" in cases
    assert "behavior:path=x:weight=2.0:observation=ordinal-lag_is_honest" in cases


def test_what_fails_what_is_expected_to_and_what_does_not_apply_are_told_apart():
    failing, expected = cases_of([Buggy]), cases_of([Buggy], expected_failed_checks=EXPECTED)
    with pytest.raises(AssertionError, match="good fails load_gives_a_stream"):
        failing["good-load_gives_a_stream"]()
    with pytest.raises(pytest.xfail.Exception, match="needs a probe"):
        expected["good-load_gives_a_stream"]()
    with pytest.raises(pytest.skip.Exception, match="it needs load_gives_a_stream"):
        failing["good-lag_is_honest"]()
    failing["good-fields_are_described"]()


# ---- manners


def test_the_kit_changes_no_random_state_and_works_without_pytest():
    torch.manual_seed(3)
    before, numbers = torch.get_rng_state(), np.random.get_state()[1].tolist()
    run_checks(Good)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.random.get_state()[1].tolist() == numbers
    code = "import sys, neurodsr.testing.checks; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
