"""The units table of an NWB file: spike times checked, sorted, with their observed stretches."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from neurodsr.data.streams import Events
from neurodsr.errors import DataError
from neurodsr.sources.nwb_anatomy import unit_channels
from neurodsr.sources.nwb_columns import column_names, plain_columns, ragged_bounds
from neurodsr.sources.nwb_nodes import Node, name_some, read_all, reading
from neurodsr.sources.tree import Dataset

MANY = 100
"""Spikes from which on whole-numbered times cannot be chance."""


def load_units(node: Node) -> Events:
    """The spike times of every unit, flat and sorted, with where each unit lies.

    Negative times are kept: they lie before the file's time 0. Unsorted times are sorted, equal
    ones kept, and both are noted. Where the table has no `obs_intervals` nothing is known of
    when a unit was watched, and `observed` is None.

    Raises
    ------
    DataError
        No units or no spikes, a ragged index that leaves its data, or a time that is no number.
    """
    ids = _unit_ids(node)
    times, offsets, notes = _spike_times(node, ids)
    notes += _sort(times, offsets, ids)
    observed = _observed(node, len(ids))
    if observed is not None:
        notes += _outside(times, offsets, ids, observed)
    channels, places = unit_channels(node, ids)
    columns = plain_columns(node, n=len(ids), without=("spike_times", "electrodes"))
    return Events(times, offsets, channels, observed, (*notes, *places), columns=columns)


def time_resolution(node: Node) -> str:
    """A phrase on how exact the spike times are, where the table tells."""
    data = node.dataset("spike_times")
    step = 0.0 if data is None else data.attributes.get("resolution", 0.0)
    known = np.ndim(step) == 0 and np.isreal(step) and 0 < step < np.inf
    return f"spike times in steps of {float(step):.4g} s" if known else ""


def _unit_ids(node: Node) -> tuple[str, ...]:
    data = node.dataset("id")
    ids = () if data is None else tuple(str(i) for i in read_all(data, f"{node.where}/id"))
    if not ids:
        raise DataError(
            "the units table has no rows",
            where=node.where,
            fix="use a file with sorted units, or leave the spikes stream out",
        )
    if twice := sorted({i for i in ids if ids.count(i) > 1} if len(set(ids)) < len(ids) else ()):
        raise DataError(
            f"unit ids occur more than once: {name_some(twice)}",
            where=f"{node.where}/id",
            fix="give every unit an id of its own in the source file",
        )
    return ids


def _spike_times(
    node: Node, ids: tuple[str, ...]
) -> tuple[Float[np.ndarray, " event"], Int[np.ndarray, " channels_plus_1"], list[str]]:
    """All spike times in one flat array, which unit owns which, and what is odd about them."""
    where, notes = f"{node.where}/spike_times", []
    data, bounds = _spike_column(node, ids)
    if len(data) > bounds[-1]:
        notes.append(f"{len(data) - bounds[-1]} spike times belong to no unit and were ignored")
    with reading(where):
        times = np.asarray(data[: bounds[-1]])
    if times.dtype.kind not in "iuf" or times.ndim != 1:
        raise DataError(
            f"spike times have type {times.dtype} and {times.ndim} axes",
            where=where,
            fix="spike times must be a flat column of numbers, in s",
        )
    times = times.astype(np.float64, copy=False)
    _refuse_no_numbers(times, bounds, ids, where)
    if early := int((times < 0).sum()):
        notes.append(f"{early} spikes lie before the file's time 0 and were kept")
    if len(times) >= MANY and _whole(times[:MANY]) and _whole(times):
        notes.append("all spike times are whole numbers; they may count samples instead of s")
    return times, bounds, notes


def _whole(times: np.ndarray) -> bool:
    return bool(np.all(times == np.round(times)))


def _spike_column(
    node: Node, ids: tuple[str, ...]
) -> tuple[Dataset, Int[np.ndarray, " channels_plus_1"]]:
    """The flat column of spike times, unread, and where each unit's begin and end in it."""
    data, bounds = node.dataset("spike_times"), None
    if data is not None and data.ndim == 1:
        bounds = ragged_bounds(node, "spike_times", n=len(ids))
    if bounds is None:
        missing = "no spike_times" if data is None else "spike_times without an index"
        raise DataError(
            f"the units table has {missing}; its columns: {', '.join(column_names(node))}",
            where=node.where,
            fix="add spike times in s to the units, or leave the spikes stream out",
        )
    if bounds[-1] == 0:
        raise DataError(
            f"none of the {len(ids)} neurons has a spike",
            where=f"{node.where}/spike_times",
            fix="use a file with spikes, or leave the spikes stream out",
        )
    return data, bounds


def _refuse_no_numbers(
    times: np.ndarray, offsets: np.ndarray, ids: tuple[str, ...], where: str
) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(times.sum()):  # then all are; asked of each, it would cost memory
            return
    bad = np.flatnonzero(~np.isfinite(times))
    if len(bad):
        unit = ids[int(np.searchsorted(offsets, bad[0], side="right")) - 1]
        raise DataError(
            f"{len(bad)} spike times are NaN or infinite, the first at {bad[0]} (unit {unit})",
            where=where,
            fix="remove them from the source file, or find out why the sorter wrote them",
        )


def _sort(times: np.ndarray, offsets: np.ndarray, ids: tuple[str, ...]) -> list[str]:
    """Sort each unit's times in place; say which units needed it and which have equal times."""
    notes = []
    back = _steps(times[1:] < times[:-1], offsets)
    for c in np.flatnonzero(back):
        times[offsets[c] : offsets[c + 1]].sort()
    if back.any():
        notes.append(f"spike times ran backward and were sorted: {_counts(back, ids)}")
    equal = _steps(times[1:] == times[:-1], offsets)
    if equal.any():
        notes.append(f"spikes at the same time as another were kept: {_counts(equal, ids)}")
    return notes


def _steps(hit: np.ndarray, offsets: np.ndarray) -> Int[np.ndarray, " channel"]:
    """How many of the steps hit lie within each channel; steps between channels do not count."""
    at = np.flatnonzero(hit)
    last = np.maximum(offsets[1:] - 1, offsets[:-1])
    return np.searchsorted(at, last) - np.searchsorted(at, offsets[:-1])


def _counts(numbers: np.ndarray, ids: tuple[str, ...]) -> str:
    return name_some([f"unit {ids[c]} ({numbers[c]})" for c in np.flatnonzero(numbers)])


def _observed(node: Node, n: int) -> tuple[Float[np.ndarray, "interval 2"], ...] | None:
    column = node.dataset("obs_intervals")
    if column is None:
        return None
    where = f"{node.where}/obs_intervals"
    bounds = ragged_bounds(node, "obs_intervals", n=n)
    data = read_all(column, where).astype(np.float64).reshape(-1, 2)
    bounds = np.arange(n + 1) if bounds is None else bounds
    if len(data) < bounds[-1] or not np.all(data[:, 0] <= data[:, 1]):
        raise DataError(
            "an observed interval has no start, no stop, or stops before it starts",
            where=where,
            fix="correct obs_intervals in the source file: start and stop in s, start first",
        )
    return tuple(data[a:b][np.argsort(data[a:b, 0], kind="stable")] for a, b in pairwise(bounds))


def _outside(
    times: np.ndarray,
    offsets: np.ndarray,
    ids: tuple[str, ...],
    observed: tuple[np.ndarray, ...],
) -> list[str]:
    outside = np.zeros(len(ids), dtype=np.int64)
    for c, stretches in enumerate(observed):
        mine = times[offsets[c] : offsets[c + 1]]
        first = np.searchsorted(mine, stretches[:, 0], "left")
        last = np.searchsorted(mine, stretches[:, 1], "right")
        change = np.zeros(len(mine) + 1, dtype=np.int64)
        np.add.at(change, first, 1)
        np.add.at(change, last, -1)
        outside[c] = (np.cumsum(change)[:-1] == 0).sum()
    if not outside.any():
        return []
    return [f"spikes outside their unit's observed intervals do not count: {_counts(outside, ids)}"]
