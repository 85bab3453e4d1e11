"""Counting: the bins of a search in the edges, in small types that cost little memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.data.channels import Channels
from neurodsr.data.counting import bins_of
from neurodsr.data.streams import Events
from neurodsr.data.time import TimeGrid

UNIX = 1.7e9


def events_of(*trains, observed=None):
    offsets = np.cumsum([0, *(len(t) for t in trains)])
    ids = tuple(f"n{i}" for i in range(len(trains)))
    times = np.concatenate([*(np.asarray(t, dtype=float) for t in trains), []])
    return Events(times, offsets, Channels(ids), observed)


def around(edges):
    """Times on edges and some steps of the clock beside them, in order."""
    beside = [edges + k * np.spacing(edges) for k in (-9, -2, -1, 0, 1, 2, 9)]
    return np.sort(np.concatenate(beside))


# ---- bins of times


@given(
    start=st.one_of(st.floats(-1e5, 1e5), st.floats(1.69e9, 1.71e9)),
    bin_width=st.floats(1e-3, 10.0),
    first=st.integers(0, 10**6),
    n_bins=st.integers(1, 100),
)
def test_times_on_and_beside_edges_fall_where_a_search_puts_them(start, bin_width, first, n_bins):
    grid = TimeGrid(start, bin_width, first + n_bins).part(first, first + n_bins)
    times = around(grid.edges)
    times = times[(times >= grid.edges[0]) & (times < grid.edges[-1])]
    expected = np.searchsorted(grid.edges, times, side="right") - 1
    np.testing.assert_array_equal(bins_of(times, grid), expected)


@pytest.mark.parametrize("width_in_steps", [8.5, 9, 20, 63, 64, 65, 200])
def test_bins_hardly_wider_than_the_clock_can_tell_are_exact_too(width_in_steps):
    grid = TimeGrid(UNIX, width_in_steps * np.spacing(UNIX), 500)
    times = np.arange(grid.edges[0], grid.edges[-1], np.spacing(UNIX))
    expected = np.searchsorted(grid.edges, times, side="right") - 1
    np.testing.assert_array_equal(bins_of(times, grid), expected)


def test_the_times_that_are_asked_for_are_left_as_they_are():
    grid, times = TimeGrid(0.0, 0.1, 10), np.array([0.05, 0.15, 0.95])
    before = times.copy()
    bins_of(times, grid)
    np.testing.assert_array_equal(times, before)


# ---- counts


@pytest.mark.parametrize(
    ("most", "dtype"), [(0, "uint8"), (255, "uint8"), (256, "uint16"), (65_536, "uint32")]
)
def test_counts_take_the_smallest_type_that_holds_them(most, dtype):
    counts = TimeGrid(0.0, 1.0, 3).count(events_of(np.full(most, 1.5), [0.5]))
    assert counts.dtype == dtype
    assert counts.tolist() == [[0, 1], [most, 0], [0, 0]]


@pytest.mark.parametrize("cells", [1, 5, 64, 1000])
def test_the_number_of_cells_filled_at_a_time_changes_nothing(cells, monkeypatch):
    rng = np.random.default_rng(0)
    grid = TimeGrid(0.3, 0.01, 700)
    # The second train comes in one burst of one bin, which only some blocks have.
    events = events_of(np.sort(rng.uniform(-1, 9, 900)), np.full(300, 4.0), [], [0.3])
    whole = grid.count(events)
    monkeypatch.setattr("neurodsr.data.counting.CELLS", cells)
    monkeypatch.setattr("neurodsr.data.counting.EVENTS", 10 * cells)
    np.testing.assert_array_equal(grid.count(events), whole)
    assert grid.count(events).dtype == whole.dtype == np.uint16


def test_coincident_spikes_are_each_counted():
    assert TimeGrid(0.0, 1.0, 2).count(events_of([0.5, 0.5, 0.5, 1.0])).tolist() == [[3], [1]]


def test_a_spike_at_the_end_of_the_grid_is_outside_and_one_at_its_start_inside():
    assert TimeGrid(1.0, 1.0, 2).count(events_of([1.0, 3.0])).tolist() == [[1], [0]]


def test_spikes_long_before_and_after_the_grid_do_not_matter():
    grid = TimeGrid(UNIX, 0.01, 100)
    times = np.array([-1e300, 0.0, UNIX + 0.005, UNIX + 0.995, UNIX + 1e6, 1e300])
    counts = grid.count(events_of(times))
    assert (counts.sum(), counts[0, 0], counts[99, 0]) == (2, 1, 1)


@pytest.mark.parametrize("bin_width", [0.002, 1.0])
def test_counting_takes_less_than_two_and_a_half_times_what_goes_in_and_comes_out(bin_width):
    rng = np.random.default_rng(0)
    grid = TimeGrid.spanning(0.0, 500.0, bin_width)
    events = events_of(*(np.sort(rng.uniform(0, 500, 100_000)) for _ in range(40)))
    grid.edges  # noqa: B018  (held by the grid, whoever counts)
    tracemalloc.start()
    counts = grid.count(events)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak + events.times.nbytes < 2.5 * (events.times.nbytes + counts.nbytes)
