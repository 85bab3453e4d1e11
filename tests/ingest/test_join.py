"""Sessions end to end: every value in its place, channels of their own, nothing invented."""

from __future__ import annotations

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.ingest.join import (
    intersect,
    join_grids,
    join_streams,
    sources_of,
    unique_names,
    window,
)


def stream(values, ids, *, unit="count", levels=()):
    values = np.array(values, dtype=np.float32)
    return Stream(values, np.ones(values.shape, dtype=bool), Channels(ids, levels=levels), unit)


ONE = stream([[1, 2], [3, 4], [5, 6]], ("0", "1"))
TWO = stream([[7], [8]], ("0",))


def joined(*streams, shared, sessions=("s1", "s2"), first_bins=(0, 3, 5)):
    return join_streams("units", streams, sessions=sessions, first_bins=first_bins, shared=shared)


def test_the_bins_of_all_sessions_follow_one_another():
    grid, first = join_grids([TimeGrid(10.0, 0.5, 3), TimeGrid(0.0, 0.5, 2)])
    assert (grid.start, grid.bin_width, grid.n_bins) == (10.0, 0.5, 5)
    assert first == (0, 3, 5)


def test_neurons_of_two_sessions_are_different_neurons():
    both = joined(ONE, TWO, shared=False)
    assert both.channels.ids == ("s1/0", "s1/1", "s2/0")
    assert both.channels.sessions == ("s1", "s1", "s2")
    assert np.asarray(both.values).tolist() == [
        [1, 2, 0], [3, 4, 0], [5, 6, 0], [0, 0, 7], [0, 0, 8],
    ]  # fmt: skip
    assert np.asarray(both.mask).tolist() == [[True, True, False]] * 3 + [[False, False, True]] * 2


def test_a_shared_variable_is_one_channel():
    both = joined(ONE, TWO, shared=True)
    assert both.channels.ids == ("0", "1")
    assert np.asarray(both.values)[:, 0].tolist() == [1, 3, 5, 7, 8]
    assert np.asarray(both.mask)[:, 1].tolist() == [True] * 3 + [False] * 2


def test_a_session_that_lacks_the_stream_is_masked():
    only = joined(None, TWO, shared=False)
    assert not np.asarray(only.mask)[:3].any()
    assert np.asarray(only.values)[3:, 0].tolist() == [7, 8]


def test_levels_of_labels_are_the_same_codes_in_every_session():
    first = stream([[0], [1], [0]], ("choice",), unit="label", levels=("left", "right"))
    second = stream([[0], [1]], ("choice",), unit="label", levels=("none", "left"))
    both = joined(first, second, shared=True)
    assert both.channels.levels == ("left", "right", "none")
    assert np.asarray(both.values)[:, 0].tolist() == [0, 1, 0, 2, 0]


@pytest.mark.parametrize(
    "key", [slice(2, 4), slice(0, 5, 2), 3, [0, 4], (slice(1, 4), 1), (slice(None), [0, 2])]
)
def test_any_part_of_a_joined_stream_is_that_part_of_the_whole(key):
    both = joined(ONE, TWO, shared=False)
    np.testing.assert_array_equal(both.values[key], np.asarray(both.values)[key])
    np.testing.assert_array_equal(both.mask[key], np.asarray(both.mask)[key])


def test_streams_in_different_units_are_refused():
    with pytest.raises(DataError, match="fix: convert the files to one unit"):
        joined(ONE, stream([[1], [2]], ("0",), unit="V"), shared=True)


def test_a_window_reads_its_own_bins():
    inner = window(joined(ONE, TWO, shared=True), 2, 4)
    assert np.asarray(inner.values)[:, 0].tolist() == [5, 7]
    assert inner.values[1:].tolist() == [[7, 0]]


def test_stretches_are_cut_to_what_was_observed_and_keep_their_columns():
    wanted = Intervals(np.array([0.0, 4.0, 9.0]), np.array([3.0, 8.0, 9.5]), {"n": np.arange(3)})
    observed = Intervals(np.array([1.0, 6.0]), np.array([5.0, 7.0]), {})
    kept = intersect(wanted, observed)
    assert kept.starts.tolist() == [1, 4, 6]
    assert kept.stops.tolist() == [3, 5, 7]
    assert kept.columns["n"].tolist() == [0, 1, 1]


def test_sessions_of_the_same_name_are_told_apart_by_their_file():
    assert unique_names(["a", "b", "a"], ["x", "y", "z"]) == ("a (x)", "b", "a (z)")


def test_a_recording_names_every_file_it_came_from():
    assert sources_of({"a.nwb": "12"}) == {"name": "a.nwb", "sha256": "12"}
    assert sources_of({"a.nwb": "12", "b.nwb": "34"}) == {
        "name": "a.nwb, b.nwb",
        "sha256 of a.nwb": "12",
        "sha256 of b.nwb": "34",
    }
