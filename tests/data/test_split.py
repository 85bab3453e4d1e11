"""Held-out stretches: contiguous, in time order, complete, and inside segments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.data.recording import Recording
from neurodsr.data.split import split_recording
from neurodsr.data.streams import Intervals
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError


def recording(*segments, n_bins=100):
    """Segments in bins, on a grid of 0.1 s."""
    grid = TimeGrid(0.0, 0.1, n_bins)
    starts, stops = (grid.edges[list(ends)] for ends in zip(*segments, strict=True))
    return Recording("session", grid, {}, Intervals(starts, stops, {}))


def bins(stretches):
    return [k for a, b in stretches for k in range(a, b)]


def test_one_segment_is_cut_in_three_at_the_fractions():
    split = split_recording(recording((0, 100)), validation=0.1, test=0.2)
    assert (split.train, split.validation, split.test) == (((0, 70),), ((70, 80),), ((80, 100),))


def test_no_stretch_crosses_the_edge_of_a_segment():
    split = split_recording(recording((0, 40), (50, 90)), validation=0.25, test=0.25)
    assert split.train == ((0, 40),)
    assert split.validation == ((50, 70),)
    assert split.test == ((70, 90),)
    early = split_recording(recording((0, 10), (20, 90)), validation=0.25, test=0.25)
    assert early.train == ((0, 10), (20, 50))


def test_a_bin_that_a_segment_holds_in_part_is_used_by_nobody():
    grid = TimeGrid(0.0, 0.1, 100)
    segment = Intervals(np.array([0.55]), np.array([9.47]), {})
    split = split_recording(Recording("s", grid, {}, segment), validation=0.1, test=0.2)
    used = bins(split.train + split.validation + split.test)
    assert (used[0], used[-1]) == (6, 93)


@given(
    cuts=st.lists(st.integers(0, 100), min_size=2, max_size=8, unique=True).map(sorted),
    validation=st.floats(0.05, 0.4),
    test=st.floats(0.05, 0.4),
)
def test_every_bin_of_every_segment_is_used_once_and_in_time_order(cuts, validation, test):
    segments = list(zip(cuts[::2], cuts[1::2], strict=False))
    expected = bins(segments)
    try:
        split = split_recording(recording(*segments), validation=validation, test=test)
    except DataError:
        # A part is empty only where its share rounds to no bin at all.
        assert len(expected) * min(validation, test, 1 - validation - test) < 1
        return
    assert bins(split.train + split.validation + split.test) == expected
    n = len(expected)
    assert abs(len(bins(split.test)) - n * test) <= 0.5 + 1e-9
    assert abs(len(bins(split.validation)) - n * validation) <= 1 + 1e-9


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_recording_too_short_for_three_parts_is_refused(n):
    with pytest.raises(DataError, match=r"leave none for \w+[\s\S]*longer recording"):
        split_recording(recording((0, n)), validation=0.1, test=0.2)
