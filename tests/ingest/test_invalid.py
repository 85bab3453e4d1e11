"""Stretches that a file declares unusable are masked bin by bin, lazily where streams are lazy."""

from __future__ import annotations

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.lazy import LazyArray
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.ingest.invalid import mask_bins, touched_bins

GRID = TimeGrid(0.0, 1.0, 6)


def intervals(*pairs):
    starts, stops = np.array(pairs, dtype=float).T
    return Intervals(starts, stops, {})


@pytest.mark.parametrize(
    ("pair", "bins"),
    [
        ((1.5, 1.6), [1]),
        ((1.0, 2.0), [1]),
        ((1.9, 2.1), [1, 2]),
        ((-3.0, 0.5), [0]),
        ((5.5, 9.0), [5]),
        ((-2.0, -1.0), []),
        ((7.0, 8.0), []),
    ],
)
def test_every_bin_that_an_interval_touches_is_unusable(pair, bins):
    assert np.flatnonzero(touched_bins(GRID, intervals(pair))).tolist() == bins


def test_a_file_that_declares_nothing_leaves_every_bin():
    assert not touched_bins(GRID, None).any()


def make(lazy):
    values, mask = np.arange(12.0).reshape(6, 2) + 1, np.ones((6, 2), dtype=bool)
    if lazy:
        own = (values, mask)
        values = LazyArray(lambda key: own[0][key], shape=(6, 2), dtype=float)
        mask = LazyArray(lambda key: own[1][key], shape=(6, 2), dtype=bool)
    return Stream(values, mask, Channels(("a", "b")), "m")


@pytest.mark.parametrize("lazy", [False, True])
def test_masked_bins_hold_zero_and_are_unobserved(lazy):
    bad = np.array([0, 1, 0, 0, 1, 0], dtype=bool)
    masked = mask_bins(make(lazy), bad)
    assert isinstance(masked.values, LazyArray) == lazy
    values, mask = np.asarray(masked.values), np.asarray(masked.mask)
    assert (values[bad] == 0).all()
    assert (values[~bad] == np.asarray(make(False).values)[~bad]).all()
    assert (mask == ~bad[:, None]).all()
    np.testing.assert_array_equal(masked.values[1:3, 1], values[1:3, 1])
    np.testing.assert_array_equal(masked.mask[4], mask[4])


def test_a_stream_without_bad_bins_is_the_very_same():
    stream = make(lazy=False)
    assert mask_bins(stream, np.zeros(6, dtype=bool)) is stream
