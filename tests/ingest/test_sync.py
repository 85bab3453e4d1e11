"""Offset and drift from shared events: known clocks are found again, wrong pairs are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.errors import DataError
from neurodsr.ingest.sync import fit_clock

PULSES = np.cumsum(np.random.default_rng(1).uniform(0.5, 3.0, size=60))
"""Irregular pulses, s on the run's clock."""


def on_other_clock(times, *, offset, drift):
    """The same pulses as a clock reads them of which t_run = offset + (1 + drift 1e-6) t."""
    return (times - offset) / (1 + drift * 1e-6)


@given(offset=st.floats(-1e4, 1e4), drift=st.floats(-500, 500))
def test_a_clock_without_jitter_is_found_exactly(offset, drift):
    fit = fit_clock(on_other_clock(PULSES, offset=offset, drift=drift), PULSES, where="a and b")
    assert fit.affine.offset == pytest.approx(offset, abs=1e-6)
    assert fit.drift == pytest.approx(drift, abs=1e-3)
    assert fit.n_events == len(PULSES)


def test_events_that_one_clock_missed_at_its_ends_do_not_matter():
    own = on_other_clock(PULSES[4:-7], offset=12.5, drift=80.0)
    fit = fit_clock(own, PULSES, where="a and b")
    assert fit.affine.offset == pytest.approx(12.5, abs=1e-6)
    assert fit.n_events == len(PULSES) - 11
    assert fit_clock(PULSES, own, where="a and b").n_events == fit.n_events


def test_a_clock_that_counts_from_1970_loses_no_digits():
    fit = fit_clock(PULSES + 1.7e9, PULSES, where="a and b")
    assert fit.drift == pytest.approx(0, abs=0.01)


def test_jitter_is_told_as_the_residual():
    rng = np.random.default_rng(2)
    fit = fit_clock(PULSES + rng.normal(0, 1e-3, len(PULSES)), PULSES, where="a and b")
    assert fit.residual == pytest.approx(1e-3, rel=0.3)


def test_the_note_says_offset_drift_and_residual_and_grades_a_large_drift():
    calm = fit_clock(on_other_clock(PULSES, offset=3.0, drift=50.0), PULSES, where="a and b")
    assert calm.describe().startswith("clock from 60 shared events: offset 3 s, drift 50 ppm")
    assert "a large drift" not in calm.describe()
    large = fit_clock(on_other_clock(PULSES, offset=3.0, drift=300.0), PULSES, where="a and b")
    assert "a large drift, check the two lists" in large.describe()


def test_lists_of_different_events_are_refused():
    other = np.cumsum(np.random.default_rng(3).uniform(0.5, 3.0, size=60))
    with pytest.raises(DataError, match="fix: check that both lists time the same pulses"):
        fit_clock(other, PULSES, where="ttl/a and ttl/b")


def test_a_missing_event_in_the_middle_is_refused():
    with pytest.raises(DataError, match="the shared events do not fit one another"):
        fit_clock(np.delete(PULSES, 30), PULSES, where="a and b")


def test_two_events_are_too_few():
    with pytest.raises(DataError, match=r"2 and 60 shared events.*\n  fix: name two lists"):
        fit_clock(PULSES[:2], PULSES, where="a and b")
