"""What each array, event list and interval table of a file offers, listed with its problems."""

from __future__ import annotations

import math

import numpy as np

from neurodsr.data.streams import Events, Intervals
from neurodsr.errors import DataError
from neurodsr.sources.base import StreamEntry
from neurodsr.sources.table import TRIALS, TURNED, WHOLE, Table, Unreadable, Variable
from neurodsr.sources.table_clock import TableClock, find_clock

GAP = 10.0


def list_entries(table: Table) -> list[StreamEntry]:
    """One line for everything in the file; what is wrong becomes a graded problem.

    An array without a clock is no error: one can be declared.
    """
    return [
        *(entry for variable in table.variables.values() if (entry := _array(variable, table))),
        *(_events(path, events) for path, events in table.events.items()),
        *(_intervals(path, rows) for path, rows in table.intervals.items()),
        *(_unreadable(path, why) for path, why in table.unreadable.items()),
    ]


def refuse_shape(variable: Variable, *, where: str) -> None:
    """Refuse what has no samples, no channels or too many axes.

    Raises
    ------
    DataError
        With the path that would read it, where there is one.
    """
    shape = variable.data.shape
    if len(shape) > 2:
        raise DataError(
            f"an array of shape {shape} is no signal of shape (time,) or (time, channel)",
            where=where,
            fix=f"path: {variable.name}{TRIALS} if its axes are trial, time and channel; "
            "else save a two-dimensional array",
        )
    if not math.prod(shape):
        raise DataError(f"an array of shape {shape} is empty", where=where, fix="leave it out")


def kept_channels(variable: Variable, clock: TableClock) -> list[int]:
    """Columns that are signals: in a table, all but the one that holds the time."""
    names = variable.ids if variable.word == WHOLE else ()
    dropped = names.index(clock.column) if clock.column in names else -1
    return [i for i in range(variable.n_channels) if i != dropped]


def _array(variable: Variable, table: Table) -> StreamEntry | None:
    """What an array offers; None for the vector that is the clock of others."""
    where, shape = f"{table.where}:{variable.name}", variable.data.shape
    clock, problems = TableClock(np.zeros(0), 0.0), [f"warning: {n}" for n in variable.notes]
    try:
        refuse_shape(variable, where=where)
        clock = find_clock(variable, table.stamps, None, where=where)
        if clock.column == variable.name:
            return None
        problems += [*_doubts(variable), *(f"warning: {note}" for note in clock.notes)]
    except DataError as error:
        usable = len(variable.data.shape) < 3 and variable.n_samples > 0
        doubts = [] if TURNED in error.fix or not usable else _doubts(variable)
        grade = "warning" if usable else "error"
        problems += [*doubts, f"{grade}: {error.what}; fix: {error.fix}"]
    times = clock.times
    return StreamEntry(
        path=variable.name,
        kind="series",
        neurodata_type=variable.word,
        n_channels=len(kept_channels(variable, clock)),
        n_samples=math.prod(shape[:-1]) if len(shape) > 2 else variable.n_samples,
        start=float(times[0]) if len(times) else math.nan,
        stop=float(times[-1]) if len(times) else math.nan,
        rate=clock.rate,
        unit="",
        description=f"{variable.data.dtype} {variable.data.shape}",
        problems=tuple(problems),
        modality=variable.modality,
        gaps=_gaps(clock),
    )


def _doubts(variable: Variable) -> list[str]:
    shape = variable.data.shape
    if len(shape) == 2 and shape[1] > shape[0]:
        return [
            f"warning: shape {shape}: more channels than samples; may be transposed, "
            f"{variable.name}{TURNED} exchanges the axes"
        ]
    return []


def _gaps(clock: TableClock) -> tuple[tuple[float, float], ...]:
    """Stretches without samples, longer than ten median steps."""
    if clock.rate or len(clock.times) < 2:
        return ()
    times = np.asarray(clock.times)
    steps = np.diff(times)
    wide = np.flatnonzero(steps > GAP * np.median(steps))
    return tuple((float(times[i]), float(times[i + 1])) for i in wide)


def _events(path: str, events: Events) -> StreamEntry:
    some = len(events.times) > 0
    return StreamEntry(
        path=path,
        kind="events",
        neurodata_type="event list",
        n_channels=len(events.channels),
        n_samples=len(events.times),
        start=float(events.times.min()) if some else math.nan,
        stop=float(events.times.max()) if some else math.nan,
        rate=0.0,
        unit="count",
        description="",
        columns=tuple(events.columns),
        problems=tuple(f"warning: {note}" for note in events.notes),
        modality="spikes" if events.durations is None and path != "events" else "",
    )


def _intervals(path: str, rows: Intervals) -> StreamEntry:
    stops = rows.stops[np.isfinite(rows.stops)]
    return StreamEntry(
        path=path,
        kind="intervals",
        neurodata_type="table",
        n_channels=len(rows.columns),
        n_samples=len(rows.starts),
        start=float(rows.starts.min()),
        stop=float(max(stops.max(initial=-math.inf), rows.starts.max())),
        rate=0.0,
        unit="",
        description="",
        columns=tuple(rows.columns),
    )


def _unreadable(path: str, found: Unreadable) -> StreamEntry:
    return StreamEntry(
        path=path,
        kind=found.kind,
        neurodata_type="array",
        n_channels=0,
        n_samples=0,
        start=math.nan,
        stop=math.nan,
        rate=0.0,
        unit="",
        description="",
        problems=(f"error: {found.why.what}; fix: {found.why.fix}",),
    )
