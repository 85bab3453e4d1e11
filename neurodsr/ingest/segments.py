"""The stretches of a recording that a run uses: the rows of a table of trials, in whole bins."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from neurodsr.data.streams import Intervals
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.modalities.selection import select_rows
from neurodsr.run_config import SegmentsConfig
from neurodsr.sources.base import Source

MIN_BINS = 2
"""A shorter stretch holds no step from one bin to the next, and so nothing of the dynamics."""


def choose_segments(
    source: Source, config: SegmentsConfig | None, grid: TimeGrid, whole: Intervals
) -> tuple[Intervals, tuple[str, ...]]:
    """The trials that a run uses, each reduced to the whole bins inside it, and what was dropped.

    Trials that touch stay two segments, so that no window crosses from one to the next. Of two
    that overlap, the later begins where the earlier ends.

    Parameters
    ----------
    whole
        What may be used at all; the answer where the run chooses no trials.

    Raises
    ------
    DataError
        There is no such table or column, or no chosen row lasts two bins inside `whole`.
    """
    if config is None:
        return whole, ()
    where = f"{source.path}:/{config.path}"
    table = source.intervals(config.path)
    keep = select_rows(table.columns, config.where, n_rows=len(table.starts), where=where)
    rows = Intervals(table.starts[keep], table.stops[keep], {})
    segments, notes = _in_bins(rows, grid, whole)
    if not len(segments.starts):
        reasons = "; ".join(notes) or "no row meets segments.where"
        raise DataError(
            f"none of {len(keep)} rows can be a segment between {grid.start:g} s and "
            f"{grid.stop:g} s: {reasons}",
            where=where,
            fix="check segments.where against the table's columns, and grid.start and grid.stop "
            "against its times",
        )
    return segments, tuple(f"segments: {note}" for note in notes)


def _in_bins(
    rows: Intervals, grid: TimeGrid, whole: Intervals
) -> tuple[Intervals, tuple[str, ...]]:
    lasting = rows.starts < rows.stops  # a missing time (NaN) lasts nothing
    starts, stops = rows.starts[lasting, None], rows.stops[lasting, None]
    pieces = (starts < whole.stops) & (stops > whole.starts)
    first, last = _whole_bins(
        np.maximum(starts, whole.starts)[pieces], np.minimum(stops, whole.stops)[pieces], grid
    )
    begin, overlapping = _after_earlier(first, last)
    long = last - begin >= MIN_BINS
    notes = (
        _counted(~lasting, "rows without a start or a stop after it were dropped"),
        _counted(~pieces.any(1), "rows lie outside the time that is used and were dropped"),
        _counted(overlapping, "rows overlap an earlier one: they begin where it ends"),
        _counted(~long, f"rows hold fewer than {MIN_BINS} whole bins and were dropped"),
    )
    segments = Intervals(grid.edges[begin[long]], grid.edges[last[long]], {})
    return segments, tuple(filter(None, notes))


def _whole_bins(
    starts: np.ndarray, stops: np.ndarray, grid: TimeGrid
) -> tuple[Int[np.ndarray, " piece"], Int[np.ndarray, " piece"]]:
    """First bin and end of each stretch, in order of time."""
    # A trial to 0.3 s fills the bin to the edge 3 * 0.1 = 0.30000000000000004 s.
    rounding = 4 * np.spacing(np.abs(grid.edges[[0, -1]]).max())
    first = np.searchsorted(grid.edges, starts - rounding, side="left")
    last = np.searchsorted(grid.edges, stops + rounding, side="right") - 1
    order = np.lexsort((last, first))
    return first[order].clip(0, grid.n_bins), last[order].clip(0, grid.n_bins)


def _after_earlier(
    first: np.ndarray, last: np.ndarray
) -> tuple[Int[np.ndarray, " piece"], Bool[np.ndarray, " piece"]]:
    """Where each piece begins once all earlier ones have ended, and which were moved for it."""
    ended = np.concatenate([[0], np.maximum.accumulate(last)[:-1]]) if len(last) else last
    return np.maximum(first, ended), first < ended


def _counted(which: np.ndarray, sentence: str) -> str:
    n = int(which.sum())
    return f"{n} {sentence}" if n else ""
