"""Events counted in bins, exactly as a search in the edges would, at the speed of memory."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Integer

from neurodsr.data.streams import Events

if TYPE_CHECKING:
    from neurodsr.data.time import TimeGrid

CELLS, EVENTS = 2**23, 2**18
"""Bins times channels that are filled at a time, as many bytes as a cache holds, and events."""
SIZES = (np.uint8, np.uint16, np.uint32)
MAX_THREADS = 4
CHANNELS = 64
"""Rows of a mask that are made before they are turned into its columns: a line of the cache."""


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


def observed(grid: TimeGrid, events: Events) -> Bool[np.ndarray, "n_bins channel"]:
    """Bins that lie wholly inside a stretch in which the channel was watched.

    Read-only, and without memory for each channel, where all were watched alike.
    """
    shape = (grid.n_bins, len(events.channels))
    if events.observed is None:
        return np.broadcast_to(np.True_, shape)
    if len({stretches.tobytes() for stretches in events.observed}) == 1:
        return np.broadcast_to(_row(grid, events.observed[0])[:, None], shape)
    mask = np.empty(shape, dtype=bool)
    for c in range(0, shape[1], CHANNELS):
        rows = [_row(grid, stretches) for stretches in events.observed[c : c + CHANNELS]]
        mask[:, c : c + CHANNELS] = np.stack(rows).T
    return mask


def within(
    grid: TimeGrid, starts: Float[np.ndarray, " interval"], stops: Float[np.ndarray, " interval"]
) -> Bool[np.ndarray, " n_bins"]:
    """Bins that lie wholly inside one of the intervals.

    An interval that ends on an edge but for two steps of the clock ends there; an unknown end
    (NaN, as of a trial that never stopped) promises nothing.
    """
    known = starts < stops
    starts, stops, edges = starts[known], stops[known], grid.edges
    first = np.searchsorted(edges, starts, side="left")
    before = (first - 1).clip(0)
    first = np.where(edges[before] + _rounding(edges[before], grid) >= starts, before, first)
    last = np.searchsorted(edges, stops, side="right") - 1
    after = (last + 1).clip(max=grid.n_bins)
    last = np.where(edges[after] - _rounding(edges[after], grid) <= stops, after, last)
    whole = first < last
    steps = np.zeros(grid.n_bins + 1, dtype=np.int32)
    np.add.at(steps, first[whole], 1)
    np.add.at(steps, last[whole], -1)
    return np.cumsum(steps[:-1], dtype=np.int32) > 0


def _row(grid: TimeGrid, stretches: Float[np.ndarray, "interval 2"]) -> np.ndarray:
    return within(grid, stretches[:, 0], stretches[:, 1])


def _rounding(edges: np.ndarray, grid: TimeGrid) -> np.ndarray:
    """Two steps of the clock at each edge: the same for the parts of a grid and the whole."""
    return 2 * np.spacing(np.maximum(np.abs(edges), abs(grid.start)))
