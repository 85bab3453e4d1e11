"""What holds of every stream that is put on the grid, whatever the times, parts and blocks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.data.band_power import band_power
from neurodsr.data.channels import Channels
from neurodsr.data.lazy import LazyArray, RegularTimes, blockwise
from neurodsr.data.streams import Events, Series
from neurodsr.data.time import TimeGrid

UNIX = 1.7e9
"""Seconds since 1970: where float64 tells apart steps of 2.4e-7 s only."""

# Dyadic widths and ticks: sums of them are exact, so that shifts are exact too.
TICK = 2.0**-10
DYADIC = TimeGrid(start=-1.0, bin_width=2.0**-6, n_bins=128)

grids = st.builds(
    TimeGrid,
    start=st.sampled_from([0.0, -3.7, 0.1, 1 / 3, 86_400.0, UNIX, UNIX + 0.3]),
    bin_width=st.sampled_from([0.01, 0.1, 1 / 30, 0.02, 2.0**-6, 1.0]),
    n_bins=st.integers(1, 200),
)


@st.composite
def times_near_edges(draw, grid, *, most=80):
    """Times on edges, one step of the clock beside them, between them, and off the grid."""
    edges = grid.edges
    near = np.concatenate([edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)])
    between = grid.start + grid.bin_width * np.array(
        draw(st.lists(st.floats(-2, grid.n_bins + 2), max_size=20))
    )
    picked = draw(st.lists(st.integers(0, len(near) - 1), max_size=most - 20))
    return np.sort(np.concatenate([near[np.array(picked, dtype=int)], between]))


@st.composite
def grids_with_trains(draw, *, n_channels=2):
    grid = draw(grids)
    return grid, tuple(draw(times_near_edges(grid)) for _ in range(n_channels))


def part_of(grid, draw):
    first = draw(st.integers(0, grid.n_bins - 1))
    return first, draw(st.integers(first + 1, grid.n_bins))


def events_of(*trains, observed=None):
    offsets = np.cumsum([0, *(len(t) for t in trains)])
    ids = tuple(f"n{i}" for i in range(len(trains)))
    return Events(np.concatenate([*trains, []]), offsets, Channels(ids), observed)


def series_of(times, *, n_channels=2, seed=0, lost=0.1):
    rng = np.random.default_rng(seed)
    valid = rng.random((len(times), n_channels)) >= lost
    values = np.where(valid, rng.normal(size=valid.shape) + 10, 0.0)
    return Series(values, valid, times, Channels(tuple("xyz"[:n_channels])), "m")


def lazily(series):
    """The same series, read only when sliced."""
    return series._replace(
        values=LazyArray(series.values.__getitem__, shape=series.values.shape, dtype=float),
        valid=LazyArray(series.valid.__getitem__, shape=series.valid.shape, dtype=bool),
    )


def regular(grid, *, rate, margin=1.0, **how):
    """Samples of a regular clock that begins before the grid and ends after it."""
    n = int((grid.stop - grid.start + 2 * margin) * rate)
    return series_of(RegularTimes.at_rate(grid.start - margin, rate, n), **how)


# What puts a series on a grid, by name; all of them give values and mask.
WAYS = {
    "average": lambda grid, series: grid.average(series),
    "interpolate": lambda grid, series: grid.interpolate(series, max_gap=0.07),
    "band_power": lambda grid, series: tuple(
        map(np.asarray, band_power(series, grid, band=(10.0, 20.0), window=0.3))
    ),
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
# Few bins, so that a signal of them is made and read in a moment.
small_grids = st.builds(
    TimeGrid,
    start=st.sampled_from([0.0, -3.7, 1 / 3, UNIX]),
    bin_width=st.sampled_from([0.01, 0.1, 1 / 30]),
    n_bins=st.integers(1, 40),
)


def assert_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


# ---- counts


@given(grids_with_trains())
def test_counts_are_those_of_a_search_in_the_edges(drawn):
    grid, trains = drawn
    counts = grid.count(events_of(*trains))
    for c, times in enumerate(trains):
        at = np.searchsorted(times, grid.edges, side="left")
        np.testing.assert_array_equal(counts[:, c], np.diff(at))


@given(grids_with_trains(), st.data())
def test_observed_counts_sum_to_the_spikes_inside_watched_bins(drawn, data):
    grid, trains = drawn
    k = sorted(data.draw(st.lists(st.integers(0, grid.n_bins), min_size=2, max_size=2)))
    # A stretch from edge to edge holds whole bins: no spike of it lies in a bin that is cut.
    watched = np.array([[grid.edges[k[0]], grid.edges[k[1]]]])
    events = events_of(*trains, observed=(watched,) * len(trains))
    counted = np.where(grid.observed(events), grid.count(events), 0).sum(axis=0)
    inside = [int(((t >= watched[0, 0]) & (t < watched[0, 1])).sum()) for t in trains]
    np.testing.assert_array_equal(counted, inside)


@given(grids_with_trains(), st.data())
def test_counts_of_a_part_are_a_slice_of_those_of_the_whole(drawn, data):
    grid, trains = drawn
    first, last = part_of(grid, data.draw)
    part = grid.part(first, last).count(events_of(*trains))
    np.testing.assert_array_equal(part, grid.count(events_of(*trains))[first:last])


@given(grids, st.data())
def test_the_watched_bins_of_a_part_are_a_slice_of_those_of_the_whole(grid, data):
    ends = data.draw(times_near_edges(grid, most=24))
    stretches = ends[: len(ends) // 2 * 2].reshape(-1, 2)
    events = events_of([], observed=(stretches,))
    first, last = part_of(grid, data.draw)
    part = grid.part(first, last).observed(events)
    np.testing.assert_array_equal(part, grid.observed(events)[first:last])


@given(st.lists(st.integers(-2048, 2048), max_size=60), st.integers(0, 127))
def test_counts_move_by_k_bins_with_the_clock(ticks, k):
    times = np.sort(np.array(ticks, dtype=float)) * TICK
    still = DYADIC.count(events_of(times))
    moved = DYADIC.count(events_of(times + k * DYADIC.bin_width))
    np.testing.assert_array_equal(moved[k:], still[: DYADIC.n_bins - k])


# ---- signals


@given(
    st.lists(st.integers(-2048, 2048), min_size=1, max_size=60, unique=True), st.integers(0, 127)
)
def test_averages_move_by_k_bins_with_the_clock(ticks, k):
    series = series_of(np.sort(np.array(ticks, dtype=float)) * TICK)
    later = series._replace(times=series.times + k * DYADIC.bin_width)
    still, moved = DYADIC.average(series), DYADIC.average(later)
    for a, b in zip(moved, still, strict=True):
        np.testing.assert_array_equal(a[k:], b[: DYADIC.n_bins - k])


@every_way
@given(grid=small_grids, lost=st.sampled_from([0.0, 0.002, 0.2]), data=st.data())
def test_a_part_gives_the_bits_of_the_slice_of_the_whole(way, grid, lost, data):
    series = regular(grid, rate=100.0, lost=lost)
    first, last = part_of(grid, data.draw)
    whole = way(grid, series)
    assert_same(way(grid.part(first, last), series), [a[first:last] for a in whole])


@every_way
@given(grid=small_grids, lost=st.sampled_from([0.0, 0.002]))
def test_a_lazy_signal_gives_the_bits_of_one_in_memory(way, grid, lost):
    series = regular(grid, rate=100.0, lost=lost)
    assert_same(way(grid, lazily(series)), way(grid, series))


@every_way
@given(grid=small_grids)
def test_times_in_memory_give_the_mask_of_a_rate(way, grid):
    series = regular(grid, rate=128.0, lost=0.0)
    held = series._replace(times=np.asarray(series.times))
    assert_same(way(grid, held)[1:], way(grid, series)[1:])


@every_way
@pytest.mark.parametrize("n_samples", [1, 7, 50, 333])
def test_the_size_of_blocks_changes_no_bit(way, n_samples, monkeypatch):
    grid = TimeGrid(1 / 3, 0.1, 40)
    series = regular(grid, rate=100.0, lost=0.002)
    whole = way(grid, series)
    for module in ("resampling", "band_power"):
        monkeypatch.setattr(f"neurodsr.data.{module}.BLOCK_BYTES", 8 * 2 * n_samples)
    # A bin of ten samples that is summed piece by piece rounds differently, by a few ulps of 10.
    if way is WAYS["average"] and n_samples < 10:
        np.testing.assert_allclose(way(grid, series)[0], whole[0], rtol=1e-14)
        np.testing.assert_array_equal(way(grid, series)[1], whole[1])
    else:
        assert_same(way(grid, series), whole)


@given(small_grids, st.lists(st.integers(0, 40), max_size=6))
def test_a_stream_computed_in_blocks_has_the_bits_of_one_computed_at_once(grid, cuts):
    series = regular(grid, rate=100.0)
    values, mask = blockwise(grid, lambda part: part.average(series), n_channels=2, dtype=float)
    ends = sorted({0, grid.n_bins, *(c for c in cuts if c < grid.n_bins)})
    blocks = [slice(a, b) for a, b in pairwise(ends)]
    pieces = [np.concatenate([array[b] for b in blocks]) for array in (values, mask)]
    assert_same(pieces, grid.average(series))


@every_way
@given(grid=small_grids, lost=st.sampled_from([0.0, 0.2, 1.0]))
def test_what_is_masked_is_zero_and_nothing_is_nan(way, grid, lost):
    values, mask = way(grid, regular(grid, rate=100.0, lost=lost))
    assert np.isfinite(values).all()
    assert not values[~mask].any()
