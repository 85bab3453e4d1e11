"""Tables of time intervals of an NWB file (trials, epochs) with their plain columns."""

from __future__ import annotations

import numpy as np

from neurodsr.data.streams import Intervals
from neurodsr.errors import DataError, nearest
from neurodsr.sources.nwb_columns import column_names, is_plain, plain_values
from neurodsr.sources.nwb_nodes import Node, name_some, read_all
from neurodsr.sources.trial_times import relative_times

TIMES = ("start_time", "stop_time")


def load_intervals(node: Node, *, column: str | None = None) -> Intervals:
    """The rows of a table of intervals, with all its plain columns or one of them.

    Text becomes str, numbers and booleans stay as stored. Ragged columns and columns of
    references have no single value a row and are left out.

    Raises
    ------
    DataError
        No rows, a row without start or stop or that stops before it starts, times that count from
        the start of each row, or no such column.
    """
    starts, stops = (_times(node, name) for name in TIMES)
    _refuse_wrong_rows(starts, stops, node.where)
    if phrase := relative_times(starts, stops):
        raise DataError(
            phrase,
            where=node.where,
            fix="write start_time and stop_time as s from the session's start",
        )
    known = plain_names(node)
    if column is not None and column not in known:
        raise DataError(
            f"the table has no plain column {column!r}: {nearest(column, known)}",
            where=node.where,
            fix=f"choose one of: {', '.join(known) or 'none, there are no plain columns'}",
        )
    names = known if column is None else (column,)
    values = {name: plain_values(node, name) for name in names}
    _refuse_cut_columns(values, len(starts), node.where)
    return Intervals(starts, stops, values)


def plain_names(node: Node) -> tuple[str, ...]:
    """Names of the columns that hold one text, number or boolean a row, without the times."""
    return tuple(n for n in column_names(node) if n not in TIMES and is_plain(node, n))


def ragged_names(node: Node) -> tuple[str, ...]:
    """Names of the columns that hold several numbers a row, such as the times of licks."""
    return tuple(
        name
        for name in column_names(node)
        if f"{name}_index" in node.group and node.dataset(name).dtype.kind == "f"
    )


def _times(node: Node, name: str) -> np.ndarray:
    where, data = f"{node.where}/{name}", node.dataset(name)
    if data is None:
        raise DataError(
            f"the table has no {name}", where=node.where, fix="write the table again with times"
        )
    values = read_all(data, where)
    if values.dtype.kind not in "iuf" or values.ndim != 1 or not len(values):
        raise DataError(
            f"{name} has type {values.dtype} and shape {values.shape}",
            where=where,
            fix="the table needs at least one row, and times in s; leave it out otherwise",
        )
    return values.astype(np.float64)


def _refuse_wrong_rows(starts: np.ndarray, stops: np.ndarray, where: str) -> None:
    if len(starts) != len(stops):
        raise DataError(
            f"{len(starts)} start times but {len(stops)} stop times",
            where=where,
            fix="write the table again; it was cut",
        )
    # NaN compares as False, so a missing time is caught here too.
    wrong = np.flatnonzero(~(stops >= starts) | ~np.isfinite(starts + stops))
    if len(wrong):
        shown = [f"row {r}: {starts[r]:g} to {stops[r]:g} s" for r in wrong]
        raise DataError(
            f"{len(wrong)} rows stop before they start or lack a time: {name_some(shown, limit=3)}",
            where=where,
            fix="correct or remove these rows in the source file",
        )


def _refuse_cut_columns(values: dict[str, np.ndarray], n: int, where: str) -> None:
    for name, column in values.items():
        if len(column) != n:
            raise DataError(
                f"column {name!r} has {len(column)} entries for {n} rows",
                where=where,
                fix="write the table again; it was cut",
            )
