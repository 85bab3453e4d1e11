"""A sampled signal as an input: its mean in each bin, or what its last sample says."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from neurodsr.data.coverage import mean_cover
from neurodsr.data.streams import Series
from neurodsr.data.time import TimeGrid
from neurodsr.modalities.signals import sample_interval

HOLD = 1.5
"""Median intervals that a sample stands for at most; one more would bridge a lost sample."""


def series_on_grid(
    series: Series, grid: TimeGrid
) -> tuple[Float[np.ndarray, "n_bins channel"], Bool[np.ndarray, "n_bins channel"]]:
    """Mean of a signal in each bin, and which bins are known.

    The valid samples of a bin are averaged. Where samples are as far apart as bins or farther,
    each holds until the next, for one and a half median intervals at most, and the mean is that
    of the steps; a bin is known if all of it is.
    """
    interval = sample_interval(series)
    if interval >= grid.bin_width * (1 - 1e-6):
        return _held(series, grid, interval)
    values, mask = grid.average(series)
    return np.where(mask, values, 0.0), mask


def _held(series: Series, grid: TimeGrid, interval: float) -> tuple[np.ndarray, np.ndarray]:
    low, high = series.times.searchsorted(grid.edges[[0, -1]])
    # The sample before the grid may hold into it, and the one after it ends the last.
    rows = slice(max(int(low) - 1, 0), int(high) + 1)
    times = np.asarray(series.times[rows])
    values, valid = np.asarray(series.values[rows]), np.asarray(series.valid[rows])
    # A single sample has no interval, and so says nothing of any time but its own.
    longest = HOLD * interval if np.isfinite(interval) else 0.0
    stops = np.minimum(np.append(times[1:], np.inf), times + longest)
    columns = [
        (
            mean_cover(grid, times[seen], stops[seen], np.ones(int(seen.sum()))),
            mean_cover(grid, times[seen], stops[seen], values[seen, c].astype(np.float64)),
        )
        for c, seen in enumerate(valid.T)
    ]
    covered, totals = (np.stack(part, axis=1) for part in zip(*columns, strict=True))
    mask = covered > 1 - 1e-6  # bins lose a little at each sample to the rounding of times
    return np.where(mask, totals / np.where(mask, covered, 1.0), 0.0), mask
