"""Signals on the grid: what is read, in which pieces, and sums that forget nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.data import resampling
from neurodsr.data.channels import Channels
from neurodsr.data.lazy import LazyArray, RegularTimes
from neurodsr.data.streams import Series
from neurodsr.data.time import TimeGrid

GRID = TimeGrid(0.0, 0.125, 16)
RATE = 128.0  # sixteen samples a bin: edges and times are exact


def watched_series(values, times):
    """A lazy series, and the stretches of its samples that were read."""
    values, read = np.asarray(values, dtype=float).reshape(len(times), -1), []

    def load(key):
        read.append((key.start, key.stop))
        return values[key]

    lazy = LazyArray(load, shape=values.shape, dtype=float)
    valid = np.ones(values.shape, dtype=bool)
    return Series(lazy, valid, times, Channels(tuple("xyz"[: values.shape[1]])), "m"), read


def test_samples_off_the_grid_are_not_read():
    series, read = watched_series(np.arange(768), RegularTimes.at_rate(-2.0, RATE, 768))
    values, mask = GRID.average(series)
    assert read == [(256, 512)]
    assert mask.all()
    np.testing.assert_array_equal(values[:, 0], 263.5 + 16 * np.arange(16))


@pytest.mark.parametrize("n_samples", [16, 25, 100, 10_000])
def test_every_sample_is_read_once_in_pieces_that_fit(n_samples, monkeypatch):
    monkeypatch.setattr(resampling, "BLOCK_BYTES", 8 * 2 * n_samples)
    series, read = watched_series(np.zeros((256, 2)), RegularTimes.at_rate(0.0, RATE, 256))
    GRID.average(series)
    assert [a for a, _ in read] == [0, *(b for _, b in read[:-1])]
    assert read[-1][1] == 256
    assert max(b - a for a, b in read) <= n_samples


@pytest.mark.parametrize("n_samples", [1, 3, 64])
def test_a_bin_that_does_not_fit_in_memory_is_summed_piece_by_piece(n_samples, monkeypatch):
    monkeypatch.setattr(resampling, "BLOCK_BYTES", 8 * n_samples)
    series, read = watched_series(np.arange(1000.0), RegularTimes.at_rate(0.0, 1000.0, 1000))
    values, mask = TimeGrid(0.0, 0.5, 2).average(series)
    # Sums of whole numbers below 2^53 are exact.
    assert values[:, 0].tolist() == [249.5, 749.5]
    assert mask.all()
    assert max(b - a for a, b in read) <= n_samples


def test_a_gap_longer_than_many_blocks_is_masked_and_reads_nothing():
    times = np.concatenate([np.arange(16), 240 + np.arange(16)]) / RATE
    series, read = watched_series(np.arange(32), times)
    values, mask = GRID.average(series)
    assert np.flatnonzero(mask[:, 0]).tolist() == [0, 15]
    assert values[[0, 15], 0].tolist() == [7.5, 23.5]
    assert sum(b - a for a, b in read) == 32


def test_a_channel_without_a_valid_sample_in_a_bin_is_masked_there_alone():
    times = RegularTimes.at_rate(0.0, 16.0, 32)
    valid = np.ones((32, 2), dtype=bool)
    valid[4:6, 1] = False
    values = np.where(valid, 3.0, np.nan)
    found, mask = GRID.average(Series(values, valid, times, Channels(("x", "y")), "m"))
    assert np.argwhere(~mask).tolist() == [[2, 1]]
    assert (found[mask] == 3.0).all()
    assert found[2, 1] == 0


def test_means_of_small_values_on_a_large_offset_keep_float64_precision():
    wave = np.tile([-1.0, 1.0, 2.0, -1.5], 512)
    series, _ = watched_series(1e9 + wave, RegularTimes.at_rate(0.0, 1024.0, 2048))
    values, _ = GRID.average(series)
    # Sums of 128 halves of 1e9 fit into the 53 bits of float64; float32 has steps of 64 there.
    np.testing.assert_array_equal(values - 1e9, 0.125)


def test_float32_samples_are_summed_as_float64():
    # 2^24 and ones: float32 would stop counting.
    values = np.ones((200, 1), dtype=np.float32)
    values[0] = 2.0**24
    series = Series(
        values, np.ones((200, 1), bool), RegularTimes.at_rate(0.0, 100.0, 200), Channels(("x",)), ""
    )
    found, _ = TimeGrid(0.0, 2.0, 1).average(series)
    assert found[0, 0] == (2.0**24 + 199) / 200


# ---- lines between samples


@given(st.integers(1, 40), st.sampled_from([0.0, 1.7e9]))
def test_blocks_of_any_size_join_samples_across_their_ends(n_samples, start):
    times = RegularTimes.at_rate(start, 7.0, 40)
    grid = TimeGrid(start + 0.2, 0.01, 300)
    series, _ = watched_series(np.sin(np.arange(40)), times)
    whole = grid.interpolate(series, max_gap=0.2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "BLOCK_BYTES", 8 * n_samples)
        blocks = grid.interpolate(series, max_gap=0.2)
    assert whole[1].all()
    for a, b in zip(blocks, whole, strict=True):
        np.testing.assert_array_equal(a, b)


def test_only_the_neighbors_of_a_part_are_read_for_it():
    series, read = watched_series(np.arange(1000), RegularTimes.at_rate(0.0, 10.0, 1000))
    grid = TimeGrid(0.0, 0.01, 9900)
    values, mask = grid.part(5000, 5010).interpolate(series, max_gap=0.3)
    assert mask.all()
    np.testing.assert_allclose(values[:, 0], 10 * grid.centers[5000:5010], rtol=1e-12)
    # Ten bins of 10 ms, 0.3 s to both sides, and one sample more.
    assert sum(b - a for a, b in read) <= 1 + 2 * 3 + 4
