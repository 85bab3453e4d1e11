"""Stretches of time on the grid: which bins they fill or touch, and how much of each they cover."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Float32, Shaped

from neurodsr.data.streams import Events

if TYPE_CHECKING:
    from neurodsr.data.time import TimeGrid

CHANNELS = 64
"""Rows of a mask that are made before they are turned into its columns: a line of the cache."""


def observed(grid: TimeGrid, events: Events) -> Bool[np.ndarray, "n_bins channel"]:
    """Bins that lie wholly inside a stretch in which the channel was watched.

    Read-only, and without memory for each channel, where all were watched alike.
    """
    if events.observed is None:
        return np.broadcast_to(np.True_, (grid.n_bins, len(events.channels)))
    return _columns(grid, events.observed, _whole_bins)


def exposure(grid: TimeGrid, events: Events) -> Float32[np.ndarray, "n_bins channel"] | None:
    r"""Fraction of each bin in which each channel was watched; None where `observed` says as much.

    $e_{kc} = |U_c \cap \mathrm{bin}_k| / w$ with bins of width w and $U_c$ the union of the
    channel's stretches, so that time in two of them is not counted twice, and a bin that two
    fill together counts as whole.

    Returns
    -------
    From 0 to 1, exactly 1 in every bin that is `observed`; None where it is exactly 0 in all
    others. Read-only, and without memory for each channel, where all were watched alike.
    """
    distinct = {stretches.tobytes(): stretches for stretches in events.observed or ()}
    if all(np.array_equal(_covered(grid, s), _whole_bins(grid, s)) for s in distinct.values()):
        return None
    return _columns(grid, events.observed, _covered)


def within(
    grid: TimeGrid, starts: Float[np.ndarray, " interval"], stops: Float[np.ndarray, " interval"]
) -> Bool[np.ndarray, " n_bins"]:
    """Bins that lie wholly inside one of the intervals.

    An interval that ends on an edge but for two steps of the clock ends there; an unknown end
    (NaN, as of a trial that never stopped) promises nothing.
    """
    known = starts < stops
    first = np.searchsorted(grid.edges, _onto_edges(starts[known], grid), side="left")
    last = np.searchsorted(grid.edges, _onto_edges(stops[known], grid), side="right") - 1
    whole = first < last
    return _open_rows(first[whole], last[whole], grid.n_bins) > 0


def touched(
    grid: TimeGrid, starts: Float[np.ndarray, " row"], stops: Float[np.ndarray, " row"]
) -> Bool[np.ndarray, " n_bins"]:
    """Which bins share any time with a row."""
    starts, stops = np.maximum(starts, grid.edges[0]), np.minimum(stops, grid.edges[-1])
    on = starts < stops
    first = grid.index(starts[on])
    last = np.searchsorted(grid.edges, stops[on], side="left")
    return _open_rows(first, last, grid.n_bins) > 0


def mean_cover(
    grid: TimeGrid,
    starts: Float[np.ndarray, " row"],
    stops: Float[np.ndarray, " row"],
    values: Float[np.ndarray, " row"],
) -> Float[np.ndarray, " n_bins"]:
    r"""Mean over each bin of the sum of all rows that are on, value by value.

    $u_k = \frac{1}{w} \sum_r v_r \, |[a_r, b_r) \cap \mathrm{bin}_k|$ with bins of width w, so
    that $w \sum_k u_k = \sum_r v_r (b_r - a_r)$ for rows inside the grid; bins that no row
    touches are exactly 0, and a row that fills a bin from edge to edge adds exactly its value.

    Parameters
    ----------
    starts, stops
        In s; what lies outside the grid is cut off. A row that stops before it starts is empty.
    values
        Height of each row while it is on.
    """
    edges, n = grid.edges, grid.n_bins
    starts, stops = np.maximum(starts, edges[0]), np.minimum(stops, edges[-1])
    on = starts < stops
    starts, stops, values = starts[on], stops[on], values[on]
    first, last = np.searchsorted(edges, starts, side="left"), grid.index(stops)
    # A row within one bin stops before the first edge after its start: all of it is head.
    head = np.minimum(edges[first], stops) - starts
    tail = np.where(first <= last, stops - edges[last], 0.0)
    partial = _sums((first - 1).clip(0), values * head, n + 1) + _sums(last, values * tail, n + 1)
    return partial[:-1] / grid.bin_width + _full_bins(first, np.maximum(first, last), values, n)


def _columns(
    grid: TimeGrid,
    observed: tuple[Float[np.ndarray, "_ 2"], ...],
    row: Callable[[TimeGrid, np.ndarray], np.ndarray],
) -> Shaped[np.ndarray, "n_bins channel"]:
    """What `row` makes of each channel's stretches, as columns; one for all that are alike."""
    shape = (grid.n_bins, len(observed))
    if len({stretches.tobytes() for stretches in observed}) == 1:
        return np.broadcast_to(row(grid, observed[0])[:, None], shape)
    columns = np.empty(shape, dtype=row(grid, np.empty((0, 2))).dtype)
    for c in range(0, shape[1], CHANNELS):
        rows = [row(grid, stretches) for stretches in observed[c : c + CHANNELS]]
        columns[:, c : c + CHANNELS] = np.stack(rows).T
    return columns


def _whole_bins(grid: TimeGrid, stretches: Float[np.ndarray, "interval 2"]) -> np.ndarray:
    return within(grid, stretches[:, 0], stretches[:, 1])


def _covered(
    grid: TimeGrid, stretches: Float[np.ndarray, "interval 2"]
) -> Float32[np.ndarray, " n_bins"]:
    """Fraction of each bin inside the union of the stretches, with ends as `within` has them."""
    starts, stops = _union(stretches[:, 0], stretches[:, 1])
    starts, stops = _onto_edges(starts, grid), _onto_edges(stops, grid)
    fractions = mean_cover(grid, starts, stops, np.ones(len(starts)))
    # Many short stretches in a bin may add up to more than it for rounding.
    return np.minimum(fractions, 1).astype(np.float32)


def _union(starts: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same time as stretches in order that neither overlap nor touch."""
    known = starts < stops
    order = np.argsort(starts[known], kind="stable")
    starts, reach = starts[known][order], np.maximum.accumulate(stops[known][order])
    opens = np.ones(len(starts), dtype=bool)
    opens[1:] = starts[1:] > reach[:-1]
    return starts[opens], reach[np.roll(opens, -1)]


def _onto_edges(times: np.ndarray, grid: TimeGrid) -> np.ndarray:
    """The times, those within two steps of the clock of an edge exactly on it.

    The steps are those at the edge or the start of the whole grid, whichever are the longer, so
    that they are the same for the parts of a grid and the whole.
    """
    after = np.searchsorted(grid.edges, times, side="left").clip(max=grid.n_bins)
    for near in ((after - 1).clip(0), after):
        edge = grid.edges[near]
        rounding = 2 * np.spacing(np.maximum(np.abs(edge), abs(grid.start)))
        times = np.where((edge - rounding <= times) & (times <= edge + rounding), edge, times)
    return times


def _sums(bins: np.ndarray, amounts: np.ndarray, n: int) -> np.ndarray:
    return np.bincount(bins, weights=amounts, minlength=n).astype(np.float64)


def _full_bins(first: np.ndarray, last: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """Sum of the rows that fill each bin from edge to edge: bins [first, last) of each row."""
    steps = _sums(first, values, n + 1) - _sums(last, values, n + 1)
    # A running sum of decimals keeps a residue where all rows have ended; whole numbers tell.
    return np.where(_open_rows(first, last, n) > 0, np.cumsum(steps)[:-1], 0.0)


def _open_rows(first: np.ndarray, last: np.ndarray, n: int) -> np.ndarray:
    steps = np.bincount(first, minlength=n + 1) - np.bincount(last, minlength=n + 1)
    return np.cumsum(steps)[:-1]
