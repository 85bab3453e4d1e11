"""Channels that say nothing are dropped and named; segments end where nothing is observed."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.data.channels import Channels
from neurodsr.data.lazy import LazyArray, lazy_pair
from neurodsr.data.streams import Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.ingest.clean import drop_channels, observed_segments


def test_silent_constant_and_unobserved_channels_are_dropped_and_named(make_stream):
    stream = make_stream([0, 0, 0], [1, 0, 2], [2, 2, 2], [None, None, None], unit="count")
    kept, notes = drop_channels(stream, name="units")
    assert kept.channels.ids == ("c1",)
    assert kept.values[:, 0].tolist() == [1, 0, 2]
    assert notes == (
        "1 channel was dropped, never observed on the grid: c3",
        "1 channel was dropped, silent: c0",
        "1 channel was dropped, constant: c2",
    )


def test_several_channels_are_dropped_in_the_plural(make_stream):
    _, notes = drop_channels(make_stream([2, 2], [1, 2], [3, 3]), name="position")
    assert notes == ("2 channels were dropped, constant: c0, c2",)


def test_only_observed_values_decide_whether_a_channel_varies(make_stream):
    kept, notes = drop_channels(make_stream([3, None, 3], [3, 4, None]), name="position")
    assert kept.channels.ids == ("c1",)
    assert "constant: c0" in notes[0]


def test_a_stream_whose_channels_all_vary_is_kept_as_it_is(make_stream):
    stream = make_stream([1, 2], [3, 4])
    assert drop_channels(stream, name="position") == (stream, ())


def test_a_stream_without_channels_left_is_refused(make_stream):
    with pytest.raises(DataError, match=r"silent: c0\n  fix: choose another stretch") as caught:
        drop_channels(make_stream([0, 0], unit="count"), name="units")
    assert caught.value.exit_code == 3
    assert "'units'" in caught.value.where


@pytest.fixture
def lazily(monkeypatch):
    """A function that makes a stream lazy, and the list of the bins that were read of it."""
    monkeypatch.setattr(import_module("neurodsr.ingest.clean"), "BLOCK_VALUES", 6)

    def make(stream):
        read = []

        def rows(first, stop):
            read.append((first, stop))
            return stream.values[first:stop], stream.mask[first:stop]

        values, mask = lazy_pair(rows, shape=stream.values.shape, dtype=stream.values.dtype)
        return Stream(values, mask, stream.channels, stream.unit, stream.notes), read

    return make


def test_a_lazy_stream_stays_lazy_and_is_read_once_block_by_block(make_stream, lazily):
    stream = make_stream([1, 0, 2, 5, 6], [2, 2, 2, 2, 2], [None, 4, 3, None, 1])
    lazy, read = lazily(stream)
    kept, notes = drop_channels(lazy, name="lfp")
    assert read == [(0, 2), (2, 4), (4, 5)]
    assert isinstance(kept.values, LazyArray)
    assert isinstance(kept.mask, LazyArray)
    expected, same_notes = drop_channels(stream, name="lfp")
    assert notes == same_notes
    assert kept.channels.ids == expected.channels.ids == ("c0", "c2")
    np.testing.assert_array_equal(kept.values[1:4], expected.values[1:4])
    np.testing.assert_array_equal(kept.mask[1:4], expected.mask[1:4])


def test_segments_of_a_lazy_stream_are_found_block_by_block(make_stream, lazily):
    grid = TimeGrid(start=0.0, bin_width=1.0, n_bins=7)
    lazy, read = lazily(make_stream(*[[1, 2, None, None, 5, 6, None]] * 3))
    segments = observed_segments(grid, [lazy])
    assert (segments.starts.tolist(), segments.stops.tolist()) == ([0, 4], [2, 6])
    assert read == [(0, 2), (2, 4), (4, 6), (6, 7)]


def test_a_mask_without_memory_keeps_taking_none(make_stream):
    stream = make_stream([1, 2], [3, 3])
    everywhere = np.broadcast_to(np.True_, stream.mask.shape)
    kept, _ = drop_channels(
        Stream(stream.values, everywhere, stream.channels, stream.unit), name="units"
    )
    assert kept.mask.shape == (2, 1)
    assert not any(kept.mask.strides)


def test_one_empty_bin_does_not_split_a_segment_and_two_do(make_stream):
    grid = TimeGrid(start=10.0, bin_width=0.5, n_bins=8)
    stream = make_stream([1, 2, None, 4, None, None, 7, None])
    segments = observed_segments(grid, [stream])
    assert segments.starts.tolist() == [10.0, 13.0]
    assert segments.stops.tolist() == [12.0, 13.5]


def volumes(times, grid, *, name="region"):
    """A stream that is observed in the bins of some times alone."""
    mask = np.zeros((grid.n_bins, 1), dtype=bool)
    mask[grid.index(times)] = True
    return Stream(mask.astype(float), mask, Channels((name,)), "a.u.")


TIMES = 2.0 * np.arange(300) + 1.0
"""Middles of volumes with a TR of 2 s, over 600 s."""


@pytest.mark.parametrize("bin_width", [2.0, 1.0, 0.75, 0.5, 0.4])
@pytest.mark.parametrize("lost", [(), (100,)])
def test_bins_between_volumes_and_a_lost_volume_do_not_end_a_segment(bin_width, lost):
    grid = TimeGrid(start=0.0, bin_width=bin_width, n_bins=round(600 / bin_width))
    stream = volumes(np.delete(TIMES, list(lost)), grid)
    segments = observed_segments(grid, [stream])
    assert len(segments.starts) == 1
    assert segments.starts[0] <= TIMES[0]
    assert segments.stops[0] >= TIMES[-1]


@pytest.mark.parametrize("bin_width", [2.0, 1.0, 0.75, 0.5, 0.4])
def test_a_break_of_the_scanner_ends_a_segment_whatever_the_bins(bin_width):
    grid = TimeGrid(start=0.0, bin_width=bin_width, n_bins=round(600 / bin_width))
    stream = volumes(np.delete(TIMES, [100, 101]), grid)
    segments = observed_segments(grid, [stream])
    # The volumes of 199 and 205 s are the last and the first of their segments.
    np.testing.assert_allclose(segments.stops[0], 199, atol=bin_width + 1e-9)
    np.testing.assert_allclose(segments.starts[1:], [205], atol=bin_width + 1e-9)


def test_a_break_of_all_streams_ends_a_segment_although_one_is_slow():
    grid = TimeGrid(start=0.0, bin_width=0.5, n_bins=1200)
    fast = volumes(grid.edges[:-1] + 0.25, grid)
    fast.mask[400:420] = False
    slow = volumes(np.delete(TIMES, range(99, 105)), grid)
    assert observed_segments(grid, [fast, slow]).starts.tolist() == [0.0, 210.0]


def test_irregular_trials_bridge_nothing():
    times = np.cumsum(np.random.default_rng(0).exponential(10.0, size=40)) + 20.0
    grid = TimeGrid(start=0.0, bin_width=0.5, n_bins=1600)
    bins = np.unique(grid.index(times))
    segments = observed_segments(grid, [volumes(times, grid)])
    assert len(segments.starts) == 1 + (np.diff(bins) > 2).sum()


def test_one_stream_is_enough_to_observe_a_bin(make_stream):
    grid = TimeGrid(start=0.0, bin_width=1.0, n_bins=4)
    streams = [make_stream([1, None, None, None]), make_stream([None, 2, 3, 4])]
    segments = observed_segments(grid, streams)
    assert (segments.starts.tolist(), segments.stops.tolist()) == ([0], [4])


def test_nothing_observed_at_all_is_refused(make_stream):
    grid = TimeGrid(start=0.0, bin_width=1.0, n_bins=2)
    with pytest.raises(DataError, match=r"fix: choose another stretch with grid\.start"):
        observed_segments(grid, [make_stream([None, None])])


@given(st.lists(st.booleans(), min_size=1, max_size=40).filter(any))
def test_segments_cover_all_observed_bins_and_lie_more_than_a_bin_apart(seen):
    mask = np.array(seen)[:, None]
    stream = Stream(np.zeros(mask.shape), mask, Channels(("a",)), "m")
    grid = TimeGrid(start=0.0, bin_width=1.0, n_bins=len(seen))
    segments = observed_segments(grid, [stream])
    assert grid.inside(segments)[mask[:, 0]].all()
    assert np.all(segments.starts[1:] - segments.stops[:-1] > 1)
    edges = np.concatenate([segments.starts, segments.stops - 1]).astype(int)
    assert mask[edges, 0].all()
