"""A sampled signal on the grid: the mean of many samples a bin, or a line between few."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from neurodsr.data.streams import Series

BLOCK_BYTES = 32 * 2**20
"""Samples that are held at a time, as float64."""

Resampled = tuple[Float[np.ndarray, "n_bins channel"], Bool[np.ndarray, "n_bins channel"]]


def bin_means(series: Series, edges: Float[np.ndarray, " n_bins_plus_1"]) -> Resampled:
    """Mean of the valid samples in each bin, and which bins have one.

    Whole bins are read at a time, each summed on its own, so that no bit depends on where a
    block or a part of the grid begins.
    """
    n_bins, n_channels = len(edges) - 1, len(series.channels)
    values, mask = np.zeros((n_bins, n_channels)), np.zeros((n_bins, n_channels), dtype=bool)
    # A time on an edge belongs to the bin that the edge opens.
    first = np.asarray(series.times.searchsorted(edges, side="left"))
    limit = _n_samples(n_channels)
    for a, b in _blocks(first, limit):
        filled = np.flatnonzero(np.diff(first[a : b + 1])) + a
        if not len(filled):
            continue
        total, number = _sums(series, first[filled], int(first[b]), limit)
        values[filled], mask[filled] = total / np.maximum(number, 1), number > 0
    return values, mask


def _sums(
    series: Series, starts: np.ndarray, end: int, limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the valid samples of each bin, the last of which ends at `end`.

    A bin of more samples than fit in memory comes alone, and is summed piece by piece. Sums are
    products with a sparse matrix of ones, a row for each bin: one addition after the other, and
    some five times faster than `np.add.reduceat`.
    """
    from scipy.sparse import csr_array  # half a second, which no help text should wait for

    total, number = np.zeros(()), np.zeros(())
    for low in range(int(starts[0]), end, limit):
        rows = slice(low, min(low + limit, end))
        values, valid = np.asarray(series.values[rows]), np.asarray(series.valid[rows])
        ends = np.append(starts - starts[0], len(values))
        ones = csr_array((np.ones(len(values)), np.arange(len(values)), ends))
        if valid.all():
            number = number + np.diff(ends)[:, None]
        else:
            number = number + ones @ valid.astype(np.float64)
            values = np.where(valid, values, 0.0)
        total = total + ones @ values.astype(np.float64, copy=False)
    return total, number


def bridged(series: Series, centers: Float[np.ndarray, " n_bins"], *, max_gap: float) -> Resampled:
    """Linear interpolation at the bin centers, masked where samples are too far apart.

    A bin is observed where a valid sample lies on its center, or where the valid samples on both
    sides of it lie at most `max_gap` s apart.
    """
    values = np.zeros((len(centers), len(series.channels)))
    mask = np.zeros(values.shape, dtype=bool)
    first = np.asarray(series.times.searchsorted(np.append(centers, centers[-1])))
    for a, b in _blocks(first, _n_samples(values.shape[1])):
        values[a:b], mask[a:b] = _bridged(series, centers[a:b], max_gap)
    return values, mask


def _bridged(series: Series, centers: np.ndarray, max_gap: float) -> tuple[np.ndarray, np.ndarray]:
    # Farther neighbors would be too far apart anyway; two more are there for rounding.
    low = int(series.times.searchsorted(centers[0] - max_gap, side="left"))
    high = int(series.times.searchsorted(centers[-1] + max_gap, side="right"))
    rows = slice(max(0, low - 1), high + 1)
    samples, valid = np.asarray(series.values[rows]), np.asarray(series.valid[rows])
    times = np.asarray(series.times[rows])
    values = np.zeros((len(centers), samples.shape[1]))
    mask = np.zeros(values.shape, dtype=bool)
    for c in range(values.shape[1]):
        known = valid[:, c]
        own = times[known]
        if len(own):
            mask[:, c] = _between_close(own, centers, max_gap)
            filled = np.interp(centers, own, samples[known, c])
            values[:, c] = np.where(mask[:, c], filled, 0.0)
    return values, mask


def _between_close(times: np.ndarray, centers: np.ndarray, max_gap: float) -> np.ndarray:
    # Times and centers are rounded, and so are their differences: those of a 30 Hz camera exceed
    # 1/30 s every other frame. The spacing is that of the center, which all parts of a grid share.
    rounding = 2 * np.spacing(np.abs(centers))
    before = np.searchsorted(times, centers + rounding, side="right") - 1
    after = np.searchsorted(times, centers - rounding, side="left")
    inside = (before >= 0) & (after < len(times))
    # A sample on the center is both neighbors at once: a gap of 0 or less.
    gap = times[after.clip(max=len(times) - 1)] - times[before.clip(min=0)]
    return inside & (gap <= max_gap + 2 * rounding)


def _n_samples(n_channels: int) -> int:
    return max(1, BLOCK_BYTES // (8 * max(1, n_channels)))


def _blocks(first: np.ndarray, limit: int) -> Iterator[tuple[int, int]]:
    """Stretches of whole bins with at most `limit` samples; a fuller bin stands alone."""
    a, n_bins = 0, len(first) - 1
    while a < n_bins:
        b = int(np.searchsorted(first, first[a] + limit, side="right")) - 1
        b = min(max(b, a + 1), n_bins)
        yield a, b
        a = b
