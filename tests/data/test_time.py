"""The clock: known answers at the edges, and properties that hold for any events."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Events, Intervals
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError

# Dyadic widths and ticks: sums of them are exact, so that shifts are exact too.
TICK = 2.0**-10
DYADIC = TimeGrid(start=-1.0, bin_width=2.0**-6, n_bins=128)

spike_times = st.lists(st.integers(-2048, 2048), max_size=60).map(
    lambda ticks: np.sort(np.array(ticks, dtype=float) * TICK)
)


def events_of(*trains, observed=None):
    offsets = np.cumsum([0, *(len(t) for t in trains)])
    ids = tuple(f"n{i}" for i in range(len(trains)))
    return Events(np.concatenate([*trains, []]), offsets, Channels(ids), observed)


# ---- time to bins


@pytest.fixture
def centiseconds():
    return TimeGrid(start=0.0, bin_width=0.01, n_bins=100)


def test_a_spike_at_0p29_s_falls_in_bin_29_of_10_ms(centiseconds):
    assert int(0.29 / 0.01) == 28  # the trap
    assert centiseconds.index(np.array([0.29])) == 29


@given(start=st.floats(-1e4, 1e4), bin_width=st.floats(1e-4, 10.0), n_bins=st.integers(1, 300))
def test_every_edge_falls_in_the_bin_it_opens(start, bin_width, n_bins):
    grid = TimeGrid(start, bin_width, n_bins)
    np.testing.assert_array_equal(grid.index(grid.edges), np.arange(n_bins + 1))


@given(bin_width=st.floats(1e-4, 10.0), n_bins=st.integers(1, 300))
def test_the_last_instant_before_an_edge_is_still_in_the_bin_before(bin_width, n_bins):
    grid = TimeGrid(100.0, bin_width, n_bins)
    before = np.nextafter(grid.edges, -np.inf)
    np.testing.assert_array_equal(grid.index(before), np.arange(n_bins + 1) - 1)


def test_times_outside_the_grid_are_told_from_those_inside(centiseconds):
    times = np.array([-1e-9, 0.0, 1.0, 2.0])
    assert centiseconds.index(times).tolist() == [-1, 0, 100, 100]


@given(spike_times, st.integers(-200, 200))
def test_shifting_times_by_k_bins_shifts_their_bins_by_k(times, k):
    bins = DYADIC.index(times)
    shifted = DYADIC.index(times + k * DYADIC.bin_width)
    np.testing.assert_array_equal(shifted, np.clip(_unclipped(times) + k, -1, DYADIC.n_bins))
    np.testing.assert_array_equal(bins, np.clip(_unclipped(times), -1, DYADIC.n_bins))


def _unclipped(times):
    # Exact: all numbers here are dyadic.
    return np.floor((times - DYADIC.start) / DYADIC.bin_width).astype(int)


def test_a_grid_spans_the_whole_bins_of_a_stretch():
    assert TimeGrid.spanning(0.0, 0.29, 0.01).n_bins == 29
    assert TimeGrid.spanning(0.0, 0.2999, 0.01).n_bins == 29
    assert TimeGrid.spanning(5.0, 6.0, 0.1).n_bins == 10


@given(start=st.floats(-1e7, 1e7), n=st.integers(1, 10_000), bin_width=st.floats(1e-3, 10.0))
def test_a_span_of_n_bins_gives_n_bins_although_its_ends_are_rounded(start, n, bin_width):
    assert TimeGrid.spanning(start, start + n * bin_width, bin_width).n_bins == n


def test_centers_lie_in_the_middle_and_stop_is_the_last_edge(centiseconds):
    np.testing.assert_allclose(centiseconds.centers[:2], [0.005, 0.015], rtol=1e-15)
    assert centiseconds.stop == centiseconds.edges[-1] == 1.0


@pytest.mark.parametrize(
    ("start", "stop", "bin_width"),
    [
        (1.0, 1.0, 0.1),
        (2.0, 1.0, 0.1),
        (0.0, 0.05, 0.1),
        (np.nan, 1.0, 0.1),
        (0.0, np.nan, 0.1),
        (0.0, np.inf, 0.1),
        (-np.inf, 0.0, 0.1),
        (0.0, 1.0, 0.0),
        (0.0, 1.0, -0.1),
        (0.0, 1.0, np.nan),
    ],
)
def test_a_stretch_without_a_whole_bin_is_refused(start, stop, bin_width):
    with pytest.raises(DataError, match="choose a stop after the start"):
        TimeGrid.spanning(start, stop, bin_width)


@pytest.mark.parametrize(("bin_width", "n_bins"), [(0.0, 5), (-1.0, 5), (np.inf, 5), (0.1, 0)])
def test_an_empty_grid_is_refused(bin_width, n_bins):
    with pytest.raises(DataError, match="a bin_width shorter than the recording"):
        TimeGrid(0.0, bin_width, n_bins)


def test_bins_finer_than_the_clock_can_tell_are_refused():
    with pytest.raises(DataError, match="subtract the recording's start"):
        TimeGrid(start=1.7e9, bin_width=1e-7, n_bins=10)


@given(st.integers(0, 300), st.integers(1, 300), st.sampled_from([0.0, 0.1, -3.7, 1.7e9]))
def test_a_part_has_the_very_edges_of_the_whole(first, n_bins, start):
    whole = TimeGrid(start, 1 / 30, 600)
    part = whole.part(first, first + n_bins)
    np.testing.assert_array_equal(part.edges, whole.edges[first : first + n_bins + 1])
    assert part.part(0, n_bins) == part
    assert hash(part) == hash(whole.part(first, first + n_bins))
    assert part != whole


def test_a_part_of_a_grid_too_long_for_whole_numbers_has_its_edges_too():
    whole = TimeGrid(9.0e6, 0.001000001, 8_000_000)  # times 10^9, it ends just beyond 2^53
    part = whole.part(0, 500_000)
    np.testing.assert_array_equal(part.edges, whole.at(np.arange(500_001)))


# ---- events


@given(spike_times, spike_times)
def test_the_counts_sum_to_the_spikes_inside(first, second):
    counts = DYADIC.count(events_of(first, second))
    inside = [np.sum((t >= DYADIC.start) & (t < DYADIC.stop)) for t in (first, second)]
    np.testing.assert_array_equal(counts.sum(axis=0), inside)


@given(spike_times)
def test_counts_equal_those_of_a_plain_comparison_with_the_edges(times):
    counts = DYADIC.count(events_of(times))[:, 0]
    left, right = DYADIC.edges[:-1, None], DYADIC.edges[1:, None]
    np.testing.assert_array_equal(counts, ((left <= times) & (times < right)).sum(axis=1))


@given(spike_times, st.integers(-20, 20))
def test_counts_do_not_change_when_spikes_and_grid_shift_together(times, k):
    shifted = TimeGrid(DYADIC.start + k * DYADIC.bin_width, DYADIC.bin_width, DYADIC.n_bins)
    moved = events_of(times + k * DYADIC.bin_width)
    np.testing.assert_array_equal(shifted.count(moved), DYADIC.count(events_of(times)))


@given(spike_times, st.integers(0, 20))
def test_counts_move_by_k_bins_when_spikes_do(times, k):
    n = DYADIC.n_bins
    still = DYADIC.count(events_of(times))
    moved = DYADIC.count(events_of(times + k * DYADIC.bin_width))
    np.testing.assert_array_equal(moved[k:], still[: n - k])


def test_a_silent_channel_and_no_channel_at_all_count_nothing(centiseconds):
    assert centiseconds.count(events_of(np.array([]))).sum() == 0
    assert centiseconds.count(events_of()).shape == (100, 0)


def test_a_bin_is_observed_only_if_all_of_it_was_watched():
    grid = TimeGrid(0.0, 1.0, 6)
    stretches = (np.array([[1.0, 3.0], [3.5, 6.0]]), np.zeros((0, 2)))
    observed = grid.observed(events_of(np.array([]), np.array([]), observed=stretches))
    assert observed[:, 0].tolist() == [False, True, True, False, True, True]
    assert not observed[:, 1].any()


def test_without_observation_times_every_bin_counts_as_observed():
    grid = TimeGrid(0.0, 1.0, 6)
    assert grid.observed(events_of(np.array([]))).all()


# ---- intervals


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (1.0, 3.0, [0, 1, 1, 0]),
        (0.5, 3.5, [0, 1, 1, 0]),
        (-9.0, 9.0, [1, 1, 1, 1]),
        (-9.0, -5.0, [0, 0, 0, 0]),
        (9.0, 12.0, [0, 0, 0, 0]),
        (1.2, 1.8, [0, 0, 0, 0]),
        (3.0, 1.0, [0, 0, 0, 0]),
        (1.0, np.nan, [0, 0, 0, 0]),
        (np.nan, 3.0, [0, 0, 0, 0]),
        (1.0, np.inf, [0, 1, 1, 1]),
    ],
)
def test_the_bins_wholly_inside_an_interval(start, stop, expected):
    grid = TimeGrid(0.0, 1.0, 4)
    inside = grid.inside(Intervals(np.array([start]), np.array([stop]), {}))
    assert inside.tolist() == [bool(b) for b in expected]


def test_several_intervals_add_up():
    grid = TimeGrid(0.0, 1.0, 4)
    inside = grid.inside(Intervals(np.array([3.0, 0.0]), np.array([4.0, 1.0]), {}))
    assert inside.tolist() == [True, False, False, True]
