"""A table of intervals as an input: what each row switches on, and pulses within rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from neurodsr.data.coverage import mean_cover, touched
from neurodsr.data.streams import Intervals
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError, nearest
from neurodsr.modalities.selection import select_rows
from neurodsr.run_config import InputConfig

MAX_PULSES = 10_000_000
MILLISECOND = 1e-3


@dataclass(frozen=True)
class Rows:
    """Stretches in which an input is on, s, and its size in each; NaN where that is unknown."""

    starts: Float[np.ndarray, " row"]
    stops: Float[np.ndarray, " row"]
    values: Float[np.ndarray, " row"]

    def select(self, keep: Bool[np.ndarray, " row"]) -> Rows:
        """The rows for which `keep` is True."""
        return Rows(self.starts[keep], self.stops[keep], self.values[keep])


def rows_on_grid(
    table: Intervals, config: InputConfig, grid: TimeGrid, *, where: str
) -> tuple[Float[np.ndarray, " n_bins"], Bool[np.ndarray, " n_bins"], tuple[str, ...]]:
    """Mean size of the input in each bin, which bins are known, and what was dropped.

    A pulse of 5 ms at 10 mW in a bin of 20 ms gives 2.5 mW. Rows that overlap add up. The bins of
    a row whose size is missing are unknown.

    Raises
    ------
    DataError
        A column is not in the table or holds no numbers, a row stops before it starts, or pulses
        overlap themselves or are more than ten million.
    """
    n_rows = len(table.starts)
    keep = select_rows(table.columns, config.where, n_rows=n_rows, where=where)
    rows = Rows(
        _column(table, config.start, where)[keep],
        _column(table, config.stop, where)[keep],
        _sizes(table, config.value, where)[keep],
    )
    pulses = None
    if config.pulse is not None:
        pulses = [_column(table, name, where)[keep] * MILLISECOND for name in config.pulse]
    timed = np.isfinite(rows.starts) & np.isfinite(rows.stops)
    rows = rows.select(timed)
    _refuse_backward(rows, where)
    known = np.isfinite(rows.values)
    if pulses is not None:
        width, period = pulses[0][timed], pulses[1][timed]
        known &= (width >= 0) & (period > 0) & np.isfinite(width + period)
    notes = _counted(
        {
            "rows without a finite time were dropped": ~timed,
            "rows of unknown size: their bins are masked": ~known,
            "rows of no duration add nothing": rows.starts == rows.stops,
        }
    )
    mask = ~touched(grid, rows.starts[~known], rows.stops[~known])
    on = rows.select(known)
    if pulses is not None:
        on = expand_pulses(on, width[known], period[known], grid=grid, where=where)
    values = mean_cover(grid, on.starts, on.stops, on.values)
    return np.where(mask, values, 0.0), mask, notes


def expand_pulses(
    rows: Rows,
    width: Float[np.ndarray, " row"],
    period: Float[np.ndarray, " row"],
    *,
    grid: TimeGrid,
    where: str,
) -> Rows:
    """The single pulses of each row's train: pulse k starts k periods after the row.

    The last pulse ends with its row at the latest; pulses outside the grid are left out.

    Parameters
    ----------
    width, period
        Of the pulses of each row, s; the period is above 0.

    Raises
    ------
    DataError
        A pulse is longer than its period, or there are more than ten million pulses.
    """
    _refuse_wide(width, period, where)
    length = np.minimum(rows.stops, grid.stop) - rows.starts
    # One pulse early and one late at most: those outside have no area on the grid.
    first = np.floor(np.maximum(grid.edges[0] - rows.starts, 0) / period)
    numbers = np.maximum(np.ceil(length / period) - first, 0)
    if numbers.sum() > MAX_PULSES:
        raise DataError(
            f"{numbers.sum():.3g} pulses, the shortest period {period.min():.3g} s",
            where=where,
            fix=f"at most {MAX_PULSES} pulses are expanded: check that the period is in ms, or "
            "shorten the grid",
        )
    counts = numbers.astype(np.int64)
    row = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = rows.starts[row] + (first[row] + within) * period[row]
    stops = np.minimum(starts + width[row], rows.stops[row])
    return replace(rows, starts=starts, stops=stops, values=rows.values[row])


def _column(table: Intervals, name: str, where: str) -> Float[np.ndarray, " row"]:
    """Numbers of a column; the two times of the rows are columns too."""
    times = {"start_time": table.starts, "stop_time": table.stops}
    columns = times | dict(table.columns)
    if name not in columns:
        raise DataError(
            f"there is no column {name!r}: {nearest(name, columns)}",
            where=where,
            fix=f"choose one of: {', '.join(columns)}",
        )
    values = np.asarray(columns[name])
    if values.dtype.kind not in "biuf" or values.ndim != 1:
        numeric = [n for n, v in columns.items() if np.asarray(v).dtype.kind in "biuf"]
        raise DataError(
            f"column {name!r} holds {values.dtype}, not numbers",
            where=where,
            fix=f"choose one of: {', '.join(numeric)}",
        )
    return values.astype(np.float64)


def _counted(rows: dict[str, np.ndarray]) -> tuple[str, ...]:
    return tuple(f"{int(which.sum())} {what}" for what, which in rows.items() if which.any())


def _sizes(table: Intervals, name: str | None, where: str) -> Float[np.ndarray, " row"]:
    return np.ones(len(table.starts)) if name is None else _column(table, name, where)


def _refuse_backward(rows: Rows, where: str) -> None:
    backward = np.flatnonzero(rows.stops < rows.starts)
    if len(backward):
        row = backward[0]
        raise DataError(
            f"{len(backward)} rows stop before they start, the first from {rows.starts[row]:g} "
            f"to {rows.stops[row]:g} s",
            where=where,
            fix="name the columns of onset and end with start and stop, or leave these rows out "
            "with where",
        )


def _refuse_wide(width: np.ndarray, period: np.ndarray, where: str) -> None:
    wide = np.flatnonzero(width > period)
    if len(wide):
        raise DataError(
            f"{len(wide)} rows with pulses longer than their period, the first with "
            f"{width[wide[0]] / MILLISECOND:g} ms every {period[wide[0]] / MILLISECOND:g} ms",
            where=where,
            fix="pulse names the column of the width first, then that of the period, both in ms",
        )
