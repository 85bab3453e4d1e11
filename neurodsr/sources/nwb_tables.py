"""Tables of time intervals of an NWB file (trials, epochs) with their plain columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Shaped

from neurodsr.data.streams import Intervals
from neurodsr.errors import DataError, nearest
from neurodsr.sources.nwb_nodes import Node, as_text, is_text, name_some, read_all

TIMES = ("start_time", "stop_time")


def load_intervals(node: Node, *, column: str | None = None) -> Intervals:
    """The rows of a table of intervals, with all its plain columns or one of them.

    Text becomes str, numbers and booleans stay as stored. Ragged columns and columns of
    references have no single value a row and are left out.

    Raises
    ------
    DataError
        No rows, a row without start or stop or that stops before it starts, or no such column.
    """
    starts, stops = (_times(node, name) for name in TIMES)
    _refuse_wrong_rows(starts, stops, node.where)
    known = plain_columns(node)
    if column is not None and column not in known:
        raise DataError(
            f"the table has no plain column {column!r}: {nearest(column, known)}",
            where=node.where,
            fix=f"choose one of: {', '.join(known) or 'none, there are no plain columns'}",
        )
    names = known if column is None else (column,)
    values = {name: _values(node.item[name].data, f"{node.where}/{name}") for name in names}
    return Intervals(starts, stops, values)


def plain_columns(node: Node) -> tuple[str, ...]:
    """Names of the columns that hold one text, number or boolean a row, without the times."""
    names = (n for n in node.item.colnames if n not in TIMES)
    return tuple(n for n in names if _is_plain(node.item[n]))


def _is_plain(column: Any) -> bool:
    if hasattr(column, "target") or "DynamicTableRegion" in {
        c.__name__ for c in type(column).__mro__
    }:
        return False
    dtype = getattr(column.data, "dtype", None)
    numeric = dtype is not None and dtype.kind in "biuf"
    return (numeric or is_text(column.data)) and column.data.ndim == 1


def _values(data: Any, where: str) -> Shaped[np.ndarray, " row"]:
    values = read_all(data, where)
    if values.dtype.kind in "biu":
        return values
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    return np.array([as_text(v) for v in values], dtype=str)


def _times(node: Node, name: str) -> np.ndarray:
    where = f"{node.where}/{name}"
    if name not in node.item.colnames:
        raise DataError(
            f"the table has no {name}", where=node.where, fix="write the table again with times"
        )
    values = read_all(node.item[name].data, where)
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
