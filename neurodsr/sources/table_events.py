"""Events and intervals that the columns of a table spell out: spikes, BIDS events, trials."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Events, Intervals
from neurodsr.errors import DataError

Columns = Mapping[str, np.ndarray]
"""Columns of equal length by name: numbers, or texts where "" is a missing one."""

_BOUNDS = (
    ("start_time", "stop_time"), ("start_time", "end_time"), ("start", "stop"), ("start", "end"),
)  # fmt: skip
_ONSET, _DURATION = "onset", "duration"
_LABELS = ("trial_type", "label", "labels", "event", "event_type", "name", "value", "type")
_SPIKE_TIMES = ("time", "times", "t", "spike_time", "spike_times", "timestamp", "timestamps")
_UNIT = re.compile(r"(unit|neuron|cluster|cell)s?([ _]?(id|index|name))?")


def find_intervals(columns: Columns, *, where: str) -> dict[str, Intervals]:
    """The table as intervals, if it has onset and duration, or a start and a stop.

    Raises
    ------
    DataError
        A start is no number, or an end lies before its start.
    """
    for first, last in (*_BOUNDS, (_ONSET, _DURATION)):
        if _numeric(columns, first) and _numeric(columns, last):
            starts = columns[first].astype(np.float64)
            stops = columns[last].astype(np.float64) + (starts if last == _DURATION else 0.0)
            _refuse_backward(starts, stops, where)
            others = {name: v for name, v in columns.items() if name not in (first, last)}
            return {"intervals": Intervals(starts, stops, others)}
    return {}


def find_events(columns: Columns, *, where: str) -> dict[str, Events]:
    """The table as spikes of units, or as labeled events with a channel for each label.

    Raises
    ------
    DataError
        A time is no number.
    """
    spikes = _spike_columns(columns)
    if spikes:
        events = group_events(columns[spikes[0]], columns[spikes[1]], where=where)
        return {"spikes": events}
    label = next((n for n in _LABELS if n in columns and columns[n].dtype.kind == "U"), None)
    # A time beside other numbers is a series that also has a text in each row.
    alone = [n for n in columns if columns[n].dtype.kind != "U"] == ["time"]
    times = _ONSET if _numeric(columns, _ONSET) else "time" if alone else None
    if label is None or times is None:
        return {}
    durations = columns[_DURATION] if _numeric(columns, _DURATION) else None
    return {"events": group_events(columns[label], columns[times], durations, where=where)}


def group_events(
    labels: np.ndarray, times: np.ndarray, durations: np.ndarray | None = None, *, where: str
) -> Events:
    """Events with one channel a label, each sorted in time.

    Parameters
    ----------
    labels
        Which channel each event belongs to: numbers or texts; "" is none.
    times, durations
        In s.

    Raises
    ------
    DataError
        A time is no number.
    """
    _refuse_unknown(times, where)
    known, code = np.unique(labels, return_inverse=True)
    order = np.lexsort((times, code))
    counts = np.bincount(code, minlength=len(known))
    named = [i for i, name in enumerate(known) if str(name) != ""]
    order = order[np.isin(code[order], named)]
    notes = []
    if len(order) < len(times):
        notes.append(f"{len(times) - len(order)} events without a label were left out")
    lasting = None if durations is None else np.nan_to_num(durations[order].astype(float))
    return Events(
        times=times[order].astype(np.float64),
        offsets=np.concatenate([[0], np.cumsum(counts[named])]).astype(np.int64),
        channels=Channels(ids=tuple(_id(known[i]) for i in named)),
        observed=None,
        notes=(*notes, *doubt_seconds(times)),
        durations=lasting,
    )


def cells_to_events(cells: list[np.ndarray], name: str, *, where: str) -> Events:
    """Spike times of one neuron a cell, as MATLAB keeps them; channel ids are `name{1}`, ...

    Raises
    ------
    DataError
        A time is no number, or a cell does not increase, as signals do not.
    """
    flat = [np.ravel(c).astype(np.float64) for c in cells]
    for i, times in enumerate(flat):
        own = f"{where}{{{i + 1}}}"
        _refuse_unknown(times, own)
        back = np.flatnonzero(np.diff(times) < 0)
        if len(back):
            raise DataError(
                f"{times[back[0]]:g} is followed by {times[back[0] + 1]:g}: these are no sorted "
                "event times",
                where=own,
                fix="sort the times; signals belong into a matrix (time, channel)",
            )
    times = np.concatenate([np.zeros(0), *flat])
    return Events(
        times=times,
        offsets=np.cumsum([0, *map(len, flat)]).astype(np.int64),
        channels=Channels(ids=tuple(f"{name}{{{i + 1}}}" for i in range(len(flat)))),
        observed=None,
        notes=doubt_seconds(times),
    )


def doubt_seconds(times: np.ndarray) -> tuple[str, ...]:
    """A note where all times are whole numbers, which seconds hardly are."""
    if len(times) > 2 and np.array_equal(times, np.round(times)) and np.ptp(times) > 100:
        return ("all times are whole numbers: are they samples or ms instead of s?",)
    return ()


def _spike_columns(columns: Columns) -> tuple[str, str] | None:
    """Names of the columns of units and of times, if there is just one of each."""
    units = [n for n in columns if _UNIT.fullmatch(n.lower())]
    times = [n for n in columns if n.lower() in _SPIKE_TIMES and columns[n].dtype.kind != "U"]
    return (units[0], times[0]) if len(units) == len(times) == 1 else None


def _numeric(columns: Columns, name: str) -> bool:
    return name in columns and columns[name].dtype.kind in "biuf"


def _id(label: np.generic) -> str:
    """A unit's name; 3.0, as a column with gaps is read, is unit 3."""
    return f"{label:g}" if isinstance(label, np.floating) else str(label)


def _refuse_unknown(times: np.ndarray, where: str) -> None:
    unknown = np.flatnonzero(~np.isfinite(times))
    if len(unknown):
        raise DataError(
            f"{len(unknown)} of {len(times)} event times are no numbers, the first is number "
            f"{unknown[0]}",
            where=where,
            fix="remove these rows",
        )


def _refuse_backward(starts: np.ndarray, stops: np.ndarray, where: str) -> None:
    if not len(starts) or not np.isfinite(starts).all():
        raise DataError(
            f"{int((~np.isfinite(starts)).sum())} of {len(starts)} rows have no start",
            where=where,
            fix="remove these rows, or rename the column",
        )
    back = np.flatnonzero(stops < starts)
    if len(back):
        raise DataError(
            f"{len(back)} of {len(starts)} rows end before they start, the first is row {back[0]} "
            f"({starts[back[0]]:g} to {stops[back[0]]:g} s)",
            where=where,
            fix="correct the table, or rename its columns if they are not times in s",
        )
