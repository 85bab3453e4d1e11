"""The rules of clocks by themselves: counts that are no seconds, gaps, regular rates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.errors import DataError
from neurodsr.sources.clock_rules import GAP, REGULAR, Clock, gaps, stamped_clock

STEPS = st.lists(st.integers(1, 2000), min_size=1, max_size=60)


def stamped(stamps, *, interval=None):
    stamps = np.asarray(stamps)
    return stamped_clock(stamps, n_samples=len(stamps), interval=interval, where="file:/series")


@pytest.mark.parametrize("step", [33, 1000, 33_333])
def test_whole_numbers_far_apart_are_counts_and_refused_with_what_to_declare(step):
    with pytest.raises(DataError, match=r"sample numbers or ms.*\n  fix: .*clock: \{interval") as e:
        stamped(step * np.arange(200))
    assert f"0, {step:g}, {2 * step:g}" in e.value.what


def test_ms_become_s_by_their_declared_interval():
    clock = stamped(20 * np.arange(200), interval=0.001)
    np.testing.assert_allclose(clock.times, 0.02 * np.arange(200), rtol=1e-15)
    assert clock.notes == ("timestamps count frames: times are their numbers times 0.001 s",)


@pytest.mark.parametrize(
    "stamps",
    [
        2 * np.arange(300),
        60 * np.arange(99),
        20 * np.arange(300) + 0.5,
    ],
    ids=["a volume every 2 s", "few samples, a minute apart", "times that are not whole"],
)
def test_slow_clocks_are_not_taken_for_counts(stamps):
    np.testing.assert_array_equal(stamped(stamps).times, stamps)


def test_a_sample_a_minute_is_read_once_the_interval_of_a_count_is_declared():
    clock = stamped(60 * np.arange(200), interval=1.0)
    assert clock.times[-1] == 60 * 199
    assert clock.rate == pytest.approx(1 / 60)


def test_dropped_frames_stay_gaps():
    frames = np.delete(np.arange(1000), np.arange(500, 560))
    clock = stamped(frames, interval=0.1)
    assert gaps(clock) == ((pytest.approx(49.9), pytest.approx(56.0)),)


@given(STEPS)
def test_gaps_are_the_steps_beyond_ten_medians(steps):
    times = np.cumsum([0, *steps]) / 128
    found = gaps(Clock(times, None, 0.0, ()))
    wide = np.diff(times) > GAP * np.median(np.diff(times))
    assert found == tuple(zip(times[:-1][wide], times[1:][wide], strict=True))


@given(STEPS)
def test_a_rate_is_given_where_all_steps_lie_within_1_percent_of_their_median(steps):
    times = np.cumsum([0.5, *(100_000 + np.array(steps))]) / 2**20
    step = np.diff(times)
    near = np.all(np.abs(step - np.median(step)) <= REGULAR * np.median(step))
    assert stamped(times).rate == (pytest.approx(1 / np.median(step)) if near else 0)


@given(st.lists(st.floats(0.001, 10), min_size=2, max_size=60))
def test_a_clock_in_order_keeps_every_sample_without_a_copy_of_the_rows(steps):
    times = np.cumsum(steps) + 0.1234
    clock = stamped(times)
    assert clock.rows is None
    assert clock.notes == ()
    np.testing.assert_array_equal(clock.times, times)
