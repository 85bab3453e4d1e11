"""Counts that a file holds already: one a sample, such as spikes binned by whoever saved them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int, Integer

from neurodsr.data.streams import Series
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.modalities.signals import BLOCK_VALUES, sample_interval

SLACK = 1e-3
"""Part of a sample by which a bin may miss a whole number of samples, for rounded clocks."""
NUDGE = 1e-6
"""Part of a sample by which one may come before the edge it belongs to, for the same reason."""


class BinnedCounts(NamedTuple):
    """Counts of bins, and the fraction of a bin's samples that the file has of each channel."""

    counts: Integer[np.ndarray, "n_bins channel"]
    exposure: Float32[np.ndarray, "n_bins channel"]


def sum_counts(series: Series, grid: TimeGrid, *, where: str) -> BinnedCounts:
    """Sum the samples of each bin; a sample's time is that of its beginning.

    A missing sample adds nothing, and its time counts as not watched.

    Raises
    ------
    DataError
        Bins do not hold a whole number of samples, or a sample on the grid is no count: negative
        or fractional.
    """
    per_bin = _samples_per_bin(series, grid, where)
    nudge = NUDGE * sample_interval(series)
    first, last = (int(series.times.searchsorted(t - nudge)) for t in grid.edges[[0, -1]])
    total = np.zeros((grid.n_bins, len(series.channels)), dtype=np.int64)
    number = np.zeros_like(total)
    step = max(1, BLOCK_VALUES // len(series.channels))
    for begin in range(first, last, step):
        rows = slice(begin, min(begin + step, last))
        times = np.asarray(series.times[rows])
        valid = np.asarray(series.valid[rows])
        values = np.where(valid, np.asarray(series.values[rows], dtype=np.float64), 0)
        _refuse_no_counts(values, times, series, where)
        bins = grid.index(times + nudge).clip(0, grid.n_bins - 1)
        np.add.at(total, bins, values.astype(np.int64))
        np.add.at(number, bins, valid)
    exposure = np.minimum(number / per_bin, 1).astype(np.float32)
    return BinnedCounts(_smallest(total), exposure)


def _samples_per_bin(series: Series, grid: TimeGrid, where: str) -> int:
    interval = sample_interval(series)
    ratio = grid.bin_width / interval
    per_bin = round(ratio)
    if per_bin and abs(ratio - per_bin) <= SLACK * per_bin:
        return per_bin
    near = max(1, per_bin) * interval
    raise DataError(
        f"a bin of {grid.bin_width:g} s holds {ratio:.4g} samples of {interval:g} s: their counts "
        "cannot be divided among bins",
        where=where,
        fix=f"choose a bin_width of a whole number of samples, such as {near:g} s",
    )


def _refuse_no_counts(
    values: Float[np.ndarray, "sample channel"],
    times: Float[np.ndarray, " sample"],
    series: Series,
    where: str,
) -> None:
    wrong = (values < 0) | (values != np.round(values))
    if not wrong.any():
        return
    k, c = np.argwhere(wrong)[0]
    raise DataError(
        f"{values[k, c]:g} at {times[k]:.6g} s in channel {series.channels.ids[c]!r} is no count "
        "of spikes",
        where=where,
        fix="give spike times or whole counts from 0 on, leave the channel out with "
        "`where` or `channels`, or read rates with kind: behavior",
    )


def _smallest(counts: Int[np.ndarray, "n_bins channel"]) -> Integer[np.ndarray, "n_bins channel"]:
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))
