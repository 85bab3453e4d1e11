"""Events counted in bins, exactly as a search in the edges would, at the speed of memory."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer

from neurodsr.data.streams import Events

if TYPE_CHECKING:
    from neurodsr.data.time import TimeGrid

CELLS, EVENTS = 2**23, 2**18
"""Bins times channels that are filled at a time, as many bytes as a cache holds, and events."""
SIZES = (np.uint8, np.uint16, np.uint32)
MAX_THREADS = 4


def bins_of(times: Float[np.ndarray, " event"], grid: TimeGrid) -> Integer[np.ndarray, " event"]:
    r"""Bin of each time that lies on the grid: the k with $e_k \le t < e_{k+1}$.

    The guess $\lfloor (t - t_0 + s) / w \rfloor$, with a slack $s$ of eight steps of the clock,
    is never too small: rounding moves difference, quotient and edges by less than eight of them
    together. It is too large by one bin at most, since a bin is wider than 64 steps, and only
    where the time lies that near to the edge of the bin guessed. One look at that edge settles
    it, so that the result is that of the search `searchsorted(edges, t, side="right") - 1`, to
    the last event. Narrower bins are searched for.
    """
    step = np.spacing(max(abs(grid.start), abs(grid.stop)))
    if grid.bin_width < 64 * step:
        return np.searchsorted(grid.edges, times, side="right") - 1
    beyond = times - (grid.start - 8 * step)
    beyond *= 1 / grid.bin_width
    bins = np.floor(beyond)
    beyond -= bins
    near = np.flatnonzero(beyond < 16 * step / grid.bin_width)
    bins[near] -= times[near] < grid.at(bins[near])
    bins -= grid.first
    return bins.astype(_index_type(grid.n_bins))


def _index_type(n: int) -> type:
    return np.int32 if n < 2**31 else np.int64


def count(grid: TimeGrid, events: Events) -> Integer[np.ndarray, "n_bins channel"]:
    """Events of each channel in each bin, in the smallest unsigned type that holds them.

    Only events on the grid are looked at. Counts are filled in for some bins of all channels at a
    time, where a channel by itself would miss the cache at every bin; a few threads share the
    work, since NumPy and SciPy free Python's lock.
    """
    n_channels = len(events.channels)
    n_blocks = max(grid.n_bins * n_channels // CELLS, len(events.times) // EVENTS) + 1
    ends = np.linspace(0, grid.n_bins, min(n_blocks, grid.n_bins) + 1).astype(int) * n_channels
    with ThreadPoolExecutor(min(MAX_THREADS, len(os.sched_getaffinity(0)))) as pool:
        cells = list(pool.map(partial(_cells, grid, events), range(n_channels)))
        # Ends of the cells' own type: else all cells would be turned into the wider one.
        bounds = [c.searchsorted(ends.astype(c.dtype)).tolist() for c in cells]
        blocks = [
            [c[b[k] : b[k + 1]] for c, b in zip(cells, bounds, strict=True)]
            for k in range(len(ends) - 1 if n_channels else 0)
        ]
        for dtype in SIZES:
            counts = np.empty((1, grid.n_bins * n_channels), dtype=dtype)
            parts = [counts[:, a:b] for a, b in pairwise(ends)]
            if all(list(pool.map(_tally, blocks, parts, ends))):
                break
    return counts.reshape(grid.n_bins, n_channels)


def _cells(grid: TimeGrid, events: Events, channel: int) -> Integer[np.ndarray, " event"]:
    """The place of each event of a channel in the counts, which are laid out flat; in order."""
    times = events.times[events.offsets[channel] : events.offsets[channel + 1]]
    inside = times[times.searchsorted(grid.edges[0]) : times.searchsorted(grid.stop)]
    n_channels = len(events.channels)
    kind = _index_type(grid.n_bins * n_channels)
    return np.multiply(bins_of(inside, grid), n_channels, dtype=kind) + kind(channel)


def _tally(
    block: list[np.ndarray], counts: Integer[np.ndarray, "1 cell"], first: np.integer
) -> bool:
    """Write how often each cell comes, from the cell `first` on, and say whether that fits."""
    from scipy.sparse import coo_array  # half a second, which no help text should wait for

    cells = (np.concatenate(block) - first).astype(np.int32, copy=False)
    most = np.iinfo(counts.dtype).max
    # Equal cells are neighbors: one that comes too often equals another that far behind.
    if (cells[most:] == cells[:-most]).any():
        return False
    ones, row = np.ones(len(cells), counts.dtype), np.zeros(len(cells), np.int32)
    coo_array((ones, (row, cells)), shape=counts.shape).toarray(out=counts)
    return True
