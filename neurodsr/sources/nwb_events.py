"""Events of an NWB file, in whichever of its layouts they lie: times, labels, durations."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from neurodsr.data.streams import Events
from neurodsr.errors import DataError
from neurodsr.sources.event_channels import ordered_events
from neurodsr.sources.nwb_columns import n_rows, ragged_bounds
from neurodsr.sources.nwb_event_tables import MAX_CODES, is_event_table, load_event_table
from neurodsr.sources.nwb_nodes import Node, read_all, type_name
from neurodsr.sources.tree import Dataset, Group

STAMPED = ("Events", "LabeledEvents", "TTLs")
"""Types of ndx-events before its tables; named one by one, as a file may not cache their parent."""


def is_events(node: Node) -> bool:
    """Whether an object lists points in time rather than samples of a signal."""
    if is_event_table(node):
        return True
    stamps, data = node.dataset("timestamps"), node.dataset("data")
    if stamps is None or stamps.ndim != 1:
        return False
    if any(node.is_a(kind) for kind in STAMPED) or node.is_a("IntervalSeries"):
        return True
    if data is None or data.ndim != 1:
        return False
    if node.is_a("AnnotationSeries"):
        return data.kind == "text"
    return node.types[0] == "TimeSeries" and data.kind == "number" and _among_events(node)


def load_events(node: Node) -> Events:
    """The events of an object, one channel a label, sorted, with durations where they last.

    Raises
    ------
    DataError
        No event has a finite time, or there is not one label for each time.
    """
    if is_event_table(node):
        return load_event_table(node)
    times = _times(node)
    if node.is_a("IntervalSeries"):
        return _intervals(times, _data(node, times), node.where)
    return ordered_events(times, _labels(node, times), where=node.where)


def load_ragged_events(node: Node, column: str) -> Events:
    """The times in a column of a table that holds several a row, such as the licks of trials.

    Raises
    ------
    DataError
        The column is not ragged, its index leaves its data, or no time is finite.
    """
    data, where = node.dataset(column), f"{node.where}/{column}"
    bounds = ragged_bounds(node, column, n=n_rows(node))
    if bounds is None or data is None:
        raise DataError(
            f"the column {column!r} does not hold several times a row",
            where=node.where,
            fix="choose a column with an index beside it; `neurodsr inspect` lists them",
        )
    times = read_all(data, where)[: bounds[-1]]
    events = ordered_events(times, np.full(len(times), column), where=where)
    row = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    notes = (*events.notes, _equal_times(events.times), _outside(node, times, row))
    return events._replace(notes=tuple(filter(None, notes)))


def _among_events(node: Node) -> bool:
    parent = node.tree.get(node.path.rpartition("/")[0])
    return isinstance(parent, Group) and type_name(parent) == "BehavioralEvents"


def _labels(node: Node, times: np.ndarray) -> Shaped[np.ndarray, " event"]:
    name = node.path.rpartition("/")[2]
    data = node.dataset("data")
    if data is None:
        return np.full(len(times), name)
    values = _data(node, times)
    if data.kind == "text":
        return values
    if any(node.is_a(kind) for kind in STAMPED):
        return _named_codes(values, _label_texts(node, data), name)
    return _codes(values, name)


def _times(node: Node) -> Float[np.ndarray, " event"]:
    where = f"{node.where}/timestamps"
    times = read_all(node.dataset("timestamps"), where)
    if times.dtype.kind not in "iuf":
        raise DataError(
            f"the timestamps are of type {times.dtype}",
            where=where,
            fix="write the timestamps again as numbers, in s",
        )
    return times.astype(np.float64)


def _data(node: Node, times: np.ndarray) -> Shaped[np.ndarray, " event"]:
    values = read_all(node.dataset("data"), f"{node.where}/data")
    if values.shape != times.shape:
        raise DataError(
            f"{len(times)} timestamps for data of shape {values.shape}",
            where=node.where,
            fix="write the object again with one entry of data for each timestamp",
        )
    return values


def _codes(values: np.ndarray, name: str) -> Shaped[np.ndarray, " event"]:
    """A label for each of a few whole codes; amplitudes do not tell events apart."""
    found = np.unique(values)
    whole = np.isfinite(found).all() and np.array_equal(found, np.round(found))
    if not whole or not 1 < len(found) <= MAX_CODES:
        return np.full(len(values), name)
    return np.array([f"{name}={v:g}" for v in values.tolist()])


def _label_texts(node: Node, data: Dataset) -> list[str]:
    """What the codes stand for: code k is the k-th text."""
    beside = node.dataset("data__labels")
    if beside is not None:
        return [str(t) for t in read_all(beside, f"{node.where}/data__labels")]
    return [str(t) for t in np.ravel(data.attributes.get("labels", ()))]


def _named_codes(values: np.ndarray, texts: list[str], name: str) -> Shaped[np.ndarray, " event"]:
    # A code counts only if it is one of 0, 1, ...: anything else, NaN too, has no text.
    known = {
        code: texts[int(code)] if code in range(len(texts)) else ""
        for code in np.unique(values).tolist()
    }
    return np.array([known[code] or f"{name}={code:g}" for code in values.tolist()])


def _intervals(times: np.ndarray, codes: np.ndarray, where: str) -> Events:
    """Onsets +n and ends -n become events that last, a channel for each n."""
    numbers = codes.dtype.kind in "iuf" and np.isfinite(codes)
    codes = np.where(numbers, codes, 0).astype(np.int64)
    if not (codes > 0).any():
        raise DataError(
            f"none of {len(times)} entries starts an interval",
            where=where,
            fix="data must be +n where an interval of kind n starts and -n where it ends",
        )
    known = np.flatnonzero(np.isfinite(times) & (codes != 0))
    order = known[np.lexsort((times[known], np.abs(codes[known])))]
    kind, starting, at = np.abs(codes[order]), codes[order] > 0, times[order]
    ended = _followed_by_end(kind, starting)
    lasting = np.where(ended, np.append(at[1:], np.nan) - at, np.nan)
    events = ordered_events(at[starting], kind[starting], where=where, durations=lasting[starting])
    counts = {
        "entries without a time or a code were dropped": len(times) - len(known),
        "ends of intervals that never started were dropped": (~starting).sum() - ended.sum(),
    }
    notes = [f"{int(n)} {what}" for what, n in counts.items() if n]
    return events._replace(notes=(*notes, *events.notes))


def _followed_by_end(
    kind: Int[np.ndarray, " entry"], starting: Bool[np.ndarray, " entry"]
) -> Bool[np.ndarray, " entry"]:
    following = np.zeros(len(kind), dtype=bool)
    following[:-1] = starting[:-1] & ~starting[1:] & (kind[1:] == kind[:-1])
    return following


def _equal_times(times: Float[np.ndarray, " event"]) -> str:
    n = int((np.diff(times) == 0).sum())
    return f"{n} times occur more than once, as where rows overlap; all were kept" if n else ""


def _outside(node: Node, times: np.ndarray, row: np.ndarray) -> str:
    """A doubt where most times lie outside of their own row: they may count from its start."""
    bounds = [node.dataset(name) for name in ("start_time", "stop_time")]
    if any(b is None or row.max(initial=-1) >= len(b) for b in bounds):
        return ""
    starts, stops = (read_all(b, node.where) for b in bounds)
    outside = int(((times < starts[row]) | (times > stops[row])).sum())
    if 2 * outside <= len(times):
        return ""
    return (
        f"{outside} of {len(times)} times lie outside of their own row: do they count from its "
        "start?"
    )
