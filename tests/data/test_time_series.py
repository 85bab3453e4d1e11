"""The clock on sampled signals: averages, and interpolation that does not cross gaps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Series
from neurodsr.data.time import TimeGrid

# Dyadic widths and ticks: sums of them are exact, so that shifts are exact too.
TICK = 2.0**-10
DYADIC = TimeGrid(start=-1.0, bin_width=2.0**-6, n_bins=128)


def series_of(times, values, valid=None):
    values = np.asarray(values, dtype=float).reshape(len(times), -1)
    valid = (
        np.ones(values.shape, bool) if valid is None else np.asarray(valid).reshape(values.shape)
    )
    ids = tuple(f"x{i}" for i in range(values.shape[1]))
    return Series(values, valid, np.asarray(times, dtype=float), Channels(ids), "m")


# ---- averages


def test_the_average_of_the_valid_samples_in_each_bin():
    grid = TimeGrid(0.0, 1.0, 4)
    series = series_of(
        times=[0.0, 0.5, 1.0, 2.25, 9.0],
        values=[1.0, 3.0, 7.0, np.nan, 100.0],
        valid=[True, True, True, False, True],
    )
    values, mask = grid.average(series)
    assert values[:, 0].tolist() == [2.0, 7.0, 0.0, 0.0]
    assert mask[:, 0].tolist() == [True, True, False, False]


@given(arrays(float, 60, elements=st.floats(-1e3, 1e3)), arrays(bool, 60))
def test_averages_are_those_of_each_bin_and_zero_where_masked(samples, valid):
    times = np.linspace(-1.2, 1.2, 60)
    values, mask = DYADIC.average(series_of(times, samples, valid))
    for k in np.unique(DYADIC.index(times).clip(0, DYADIC.n_bins - 1)):
        inside = valid & (times >= DYADIC.edges[k]) & (times < DYADIC.edges[k + 1])
        assert mask[k, 0] == inside.any()
        if inside.any():
            # A mean of at most 60 numbers below 1e3: a few ulps of 1e3.
            assert values[k, 0] == pytest.approx(samples[inside].mean(), abs=1e-10)
    assert not values[~mask].any()


def test_a_constant_stays_constant_through_average_and_interpolation():
    times = np.linspace(-2.0, 2.0, 1001)
    series = series_of(times, np.full(1001, 2.5))
    for values, mask in (DYADIC.average(series), DYADIC.interpolate(series, max_gap=0.1)):
        assert mask.all()
        np.testing.assert_array_equal(values, 2.5)


# ---- interpolation


def test_a_line_is_interpolated_exactly():
    times = np.array([0.0, 0.7, 1.1, 2.0, 4.0])
    grid = TimeGrid(0.0, 1.0, 4)
    values, mask = grid.interpolate(series_of(times, 3 * times - 1), max_gap=2.0)
    assert mask.all()
    np.testing.assert_allclose(values[:, 0], 3 * grid.centers - 1, rtol=1e-14)


def test_a_gap_longer_than_max_gap_is_masked():
    grid = TimeGrid(0.0, 1.0, 6)
    values, mask = grid.interpolate(
        series_of([0.4, 1.4, 4.4, 5.4], [1.0, 2.0, 5.0, 6.0]), max_gap=1.5
    )
    assert mask[:, 0].tolist() == [True, False, False, False, True, False]
    assert values[:, 0].tolist() == pytest.approx([1.1, 0.0, 0.0, 0.0, 5.1, 0.0])


def test_invalid_samples_widen_the_gap_and_never_enter_a_value():
    grid = TimeGrid(0.0, 1.0, 4)
    series = series_of([0, 1, 2, 3, 4], [0, 1, np.nan, 3, 4], [True, True, False, True, True])
    narrow = grid.interpolate(series, max_gap=1.0)
    wide = grid.interpolate(series, max_gap=2.0)
    assert narrow[1][:, 0].tolist() == [True, False, False, True]
    assert wide[1].all()
    np.testing.assert_allclose(wide[0][:, 0], grid.centers, rtol=1e-14)


def test_no_bin_outside_the_samples_is_filled():
    grid = TimeGrid(0.0, 1.0, 5)
    _, mask = grid.interpolate(series_of([1.2, 3.2], [1.0, 3.0]), max_gap=9.0)
    assert mask[:, 0].tolist() == [False, True, True, False, False]


def test_a_sample_on_a_center_is_observed_whatever_the_gaps_around_it():
    grid = TimeGrid(0.0, 1.0, 5)
    values, mask = grid.interpolate(series_of([0.5, 2.5, 4.5], [7.0, 8.0, 9.0]), max_gap=1.0)
    assert mask[:, 0].tolist() == [True, False, True, False, True]
    assert values[:, 0].tolist() == [7.0, 0.0, 8.0, 0.0, 9.0]


def test_a_single_sample_fills_only_the_bin_whose_center_it_is_on():
    grid = TimeGrid(0.0, 1.0, 3)
    _, mask = grid.interpolate(series_of([1.5], [7.0]), max_gap=1.0)
    assert mask[:, 0].tolist() == [False, True, False]


def test_a_channel_without_a_valid_sample_is_masked():
    grid = TimeGrid(0.0, 1.0, 3)
    values, mask = grid.interpolate(series_of([1.0], [np.nan], [False]), max_gap=1.0)
    assert not mask.any()
    assert not values.any()


def test_samples_max_gap_apart_are_joined_although_their_times_are_rounded():
    times = np.arange(1, 2001) / 30.0  # a camera of 30 frames a second
    assert (np.diff(times) > 1 / 30.0).any()  # the trap
    grid = TimeGrid(0.5, 0.01, 6000)
    _, mask = grid.interpolate(series_of(times, times), max_gap=1 / 30.0)
    assert mask.all()


@given(
    st.lists(st.integers(-1100, 1100), min_size=1, max_size=30, unique=True),
    st.integers(1, 200),
)
def test_interpolation_does_not_know_the_direction_of_time(ticks, gap):
    grid = TimeGrid(-1.0, 2.0**-4, 32)
    times = np.sort(np.array(ticks, dtype=float)) * TICK
    values = np.sin(37 * times)
    forward = grid.interpolate(series_of(times, values), max_gap=gap * TICK)
    backward = grid.interpolate(series_of(-times[::-1], values[::-1]), max_gap=gap * TICK)
    np.testing.assert_array_equal(forward[1], backward[1][::-1])
    # Both directions round differently, by a few ulps of 1.
    np.testing.assert_allclose(forward[0], backward[0][::-1], atol=1e-12)
