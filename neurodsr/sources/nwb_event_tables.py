"""Tables of events: one row an event (core, ndx-events), or one row a kind of event."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Shaped

from neurodsr.data.streams import Events
from neurodsr.errors import DataError
from neurodsr.sources.event_channels import ordered_events
from neurodsr.sources.nwb_columns import (
    column_names,
    is_plain,
    n_rows,
    plain_values,
    ragged_bounds,
    row_references,
)
from neurodsr.sources.nwb_nodes import Node, read_all, type_name
from neurodsr.sources.tree import Dataset

TABLES = ("EventsTable", "TtlsTable")
MAX_CODES = 32
"""Distinct values up to which a column is taken for labels; more are measurements or remarks."""
TIMES = ("timestamp", "duration")
NAMES = ("event_name", "label", "name")
REMARKS = ("annotation",)


def is_event_table(node: Node) -> bool:
    """Whether a table lists events by their time, one a row or several a row."""
    if not any(kind.endswith(TABLES) for kind in node.types):
        return False
    return node.dataset("timestamp") is not None or _is_by_kind(node)


def load_event_table(node: Node) -> Events:
    """The events of a table, a channel for each value of its first column that labels them.

    A column labels if it holds texts, whole numbers or booleans of at most 32 kinds; references
    to a table of event types go first. Without one, all events share a channel.

    Raises
    ------
    DataError
        No event has a finite time, or a column does not fit the others.
    """
    if _is_by_kind(node):
        return _by_kind(node)
    times = read_all(node.dataset("timestamp"), f"{node.where}/timestamp")
    labels, lasting = _labels(node, len(times)), _durations(node, len(times))
    return ordered_events(times, labels, where=node.where, durations=lasting)


def _durations(node: Node, n: int) -> Float[np.ndarray, " event"] | None:
    if not is_plain(node, "duration"):
        return None
    values = plain_values(node, "duration")
    if values.dtype.kind not in "iuf" or len(values) != n:
        raise DataError(
            f"{len(values)} durations of type {values.dtype} for {n} events",
            where=f"{node.where}/duration",
            fix="write the table again with one duration for each event, in s; NaN if unknown",
        )
    return values.astype(np.float64)


def _labels(node: Node, n: int) -> Shaped[np.ndarray, " event"]:
    columns = [c for c in column_names(node) if c not in (*TIMES, *REMARKS)]
    for column in columns:
        if type_name(node.dataset(column)) == "DynamicTableRegion":
            return _types(node, column, n)
    for column in columns:
        if not is_plain(node, column):
            continue
        values = plain_values(node, column)
        if values.dtype.kind in "biuU" and len(values) == n and _few(values):
            return _prefixed(values, column)
    return np.full(n, node.path.rpartition("/")[2])


def _few(values: np.ndarray) -> bool:
    return len(np.unique(values)) <= MAX_CODES


def _prefixed(values: np.ndarray, column: str) -> np.ndarray:
    """Texts name themselves; a number says little without its column."""
    if values.dtype.kind == "U":
        return values
    return np.array([f"{column}={v}" for v in values.tolist()])


def _types(node: Node, column: str, n: int) -> Shaped[np.ndarray, " event"]:
    """Names of the kinds of event that a column of references points to."""
    found = row_references(node, column, n=n)
    rows = np.array([int(r[0]) if len(r) else -1 for r in found.rows], dtype=np.int64)
    for name in NAMES:
        data = found.table.get(name)
        if isinstance(data, Dataset) and data.kind == "text":
            texts = read_all(data, f"{node.where}/{column}")
            return np.array([str(texts[r]) if r >= 0 else "" for r in rows])
    return np.array([f"{column}={r}" for r in rows])


def _is_by_kind(node: Node) -> bool:
    return node.dataset("event_times") is not None and "event_times_index" in node.group


def _by_kind(node: Node) -> Events:
    """One row a kind of event, with all its times in a ragged column (AnnotatedEventsTable)."""
    n = n_rows(node)
    times = read_all(node.dataset("event_times"), f"{node.where}/event_times")
    bounds = ragged_bounds(node, "event_times", n=n)
    texts = [plain_values(node, c).astype(str) for c in NAMES if is_plain(node, c)]
    names = next((t for t in texts if len(t) == n), np.array([f"row {r}" for r in range(n)]))
    kinds = np.repeat(names, np.diff(bounds))
    return ordered_events(times[: bounds[-1]], kinds, where=node.where)
