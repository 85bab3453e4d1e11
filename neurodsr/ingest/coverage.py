"""Steps of constant value, such as pulses of light, averaged over the bins that they cover."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from neurodsr.data.time import TimeGrid


def mean_cover(
    grid: TimeGrid,
    starts: Float[np.ndarray, " row"],
    stops: Float[np.ndarray, " row"],
    values: Float[np.ndarray, " row"],
) -> Float[np.ndarray, " n_bins"]:
    r"""Mean over each bin of the sum of all rows that are on, value by value.

    $u_k = \frac{1}{w} \sum_r v_r \, |[a_r, b_r) \cap \mathrm{bin}_k|$ with bins of width w, so
    that $w \sum_k u_k = \sum_r v_r (b_r - a_r)$ for rows inside the grid; bins that no row
    touches are exactly 0.

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
    first, last = grid.index(starts), grid.index(stops)
    within = first == last
    total = _sums(first[within], (values * (stops - starts))[within], n + 1)
    starts, stops, values = starts[~within], stops[~within], values[~within]
    first, last = first[~within], last[~within]
    total += _sums(first, values * (edges[first + 1] - starts), n + 1)
    total += _sums(last, values * (stops - edges[last]), n + 1)
    return (total[:-1] / grid.bin_width) + _full_bins(first + 1, last, values, n)


def touched(
    grid: TimeGrid, starts: Float[np.ndarray, " row"], stops: Float[np.ndarray, " row"]
) -> Bool[np.ndarray, " n_bins"]:
    """Which bins share any time with a row."""
    starts, stops = np.maximum(starts, grid.edges[0]), np.minimum(stops, grid.edges[-1])
    on = starts < stops
    first = grid.index(starts[on])
    last = np.searchsorted(grid.edges, stops[on], side="left")
    return _open_rows(first, last, grid.n_bins) > 0


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
