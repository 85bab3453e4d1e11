"""The clock of a table: declared, told by the file, or one column that is evidently time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from neurodsr.data.lazy import RegularTimes
from neurodsr.errors import DataError, nearest
from neurodsr.sources.base import DeclaredClock
from neurodsr.sources.table import TRIALS, TURNED, Rows, Variable

_TIME = re.compile(r"(?:times?|t|timestamps?)(?:(?:[\s_.-]+|[\s_.-]*[(\[])([a-zµμ]+)\s*[)\]]?)?")
_SECONDS = frozenset({"s", "sec", "secs", "second", "seconds"})
_MILLISECONDS = frozenset({"ms", "msec", "msecs", "millisecond", "milliseconds"})
_OTHER = frozenset(
    {"us", "µs", "μs", "usec", "microseconds", "ns", "min", "mins", "minutes", "h", "hr", "hours",
     "days", "samples", "frames", "frame", "ticks", "tr", "trs", "volumes"}
)  # fmt: skip

MAX_DIFFERENCE = 0.01
"""Of the sample interval, by which a declared one may differ from the table's own times."""


class TableClock(NamedTuple):
    """Times of the samples, s; the rate, Hz, 0 where irregular; the column that holds time."""

    times: Float[np.ndarray, " sample"] | RegularTimes
    rate: float
    column: str = ""
    notes: tuple[str, ...] = ()


def is_time(name: str) -> bool:
    """Whether a column, or a field "data.t" of a struct, is named like time, in any unit."""
    return _unit(name) is not None


def find_clock(
    variable: Variable, stamps: Mapping[str, Rows], declared: DeclaredClock | None, *, where: str
) -> TableClock:
    """The times of an array's rows.

    What was declared comes first, then what the file tells of the array, then the one column or
    vector that is named like time, has an entry for each row, and increases strictly.

    Parameters
    ----------
    stamps
        The columns or vectors of the file that could hold times, by name.

    Raises
    ------
    DataError
        There is no clock, more than one could be it, or the one named is none.
    """
    n = variable.n_samples // variable.n_trials
    fitting = [s for s in stamps if is_time(s) and stamps[s].shape == (n,)]
    beside = [s for s in fitting if _struct(s) == _struct(variable.name)]
    fitting = beside or fitting
    column = fitting[0] if len(fitting) == 1 else ""
    if declared is not None and declared.times is not None:
        clock = _from_column(stamps, declared.times, n, where)
    elif declared is not None and declared.interval is not None:
        if column:
            _refuse_contradiction(stamps, column, declared.interval, n, where)
        unused = (f"the declared clock was used, not {column!r}",) if column else ()
        clock = _regular(declared.interval, n, column, unused)
    elif variable.interval is not None:
        clock = _regular(variable.interval, n, column, ())
    elif column:
        clock = _from_column(stamps, column, n, where)
        clock = clock._replace(notes=(f"{column!r} was taken as the time, s", *clock.notes))
    else:
        raise _no_clock(variable, stamps, fitting, where)
    return clock if variable.n_trials == 1 else _repeated(clock, variable.n_trials, where)


def _regular(interval: float, n: int, column: str, notes: tuple[str, ...]) -> TableClock:
    return TableClock(RegularTimes(0.0, interval, n), 1 / interval, column, notes)


def _refuse_contradiction(
    stamps: Mapping[str, Rows], name: str, interval: float, n: int, where: str
) -> None:
    """Refuse a declared interval that the table's own times deny; frame numbers deny nothing."""
    try:
        times = np.asarray(_from_column(stamps, name, n, where).times)
    except DataError:
        return
    own = float(np.median(np.diff(times))) if n > 1 else interval
    if abs(own - interval) > MAX_DIFFERENCE * own:
        raise DataError(
            f"a sample every {interval:g} s was declared, but the times in {name!r} are "
            f"{own:g} s apart",
            where=where,
            fix="remove clock.rate or clock.interval; clock.offset and clock.drift correct a clock",
        )


def _from_column(stamps: Mapping[str, Rows], name: str, n: int, where: str) -> TableClock:
    if name not in stamps:
        raise DataError(
            f"there is no numeric column or vector {name!r} to take times from: "
            f"{nearest(name, stamps)}",
            where=where,
            fix="correct clock.times, or give clock: {rate: HZ}",
        )
    if stamps[name].shape != (n,):
        raise DataError(
            f"{name!r} has shape {stamps[name].shape}, for {n} samples",
            where=where,
            fix="choose a clock.times with one time a sample; is the first axis really time? "
            f"NAME{TURNED} exchanges the axes",
        )
    factor, notes = _to_seconds(name, where)
    times = stamps[name].all().astype(np.float64) * factor
    _refuse_disorder(times, name, where)
    _refuse_frame_numbers(times / factor, name, where)
    return TableClock(times, _rate(times), name, notes)


def _unit(name: str) -> str | None:
    """Unit in a time-like name, "s" where it names none; None if the name is not like time."""
    plain = name.rpartition(".")[2].strip().lower()
    if plain in (_SECONDS | _MILLISECONDS) - {"s", "ms"}:
        return plain
    found = _TIME.fullmatch(plain)
    if found is None:
        return None
    unit = found[1] or "s"
    return unit if unit in _SECONDS | _MILLISECONDS | _OTHER else None


def _struct(name: str) -> str:
    return name.rpartition(".")[0]


def _to_seconds(name: str, where: str) -> tuple[float, tuple[str, ...]]:
    unit = _unit(name) or "s"
    if unit in _SECONDS:
        return 1.0, ()
    if unit in _MILLISECONDS:
        return 1e-3, (f"{name!r} was converted from ms to s",)
    raise DataError(
        f"the times of {name!r} are in {unit!r}, neither s nor ms",
        where=where,
        fix="convert the column to s and name it 'time', or give clock: {rate: HZ}",
    )


def _refuse_disorder(times: np.ndarray, name: str, where: str) -> None:
    unknown = np.flatnonzero(~np.isfinite(times))
    if len(unknown):
        raise DataError(
            f"{len(unknown)} of {len(times)} times in {name!r} are no numbers, the first in row "
            f"{unknown[0]}",
            where=where,
            fix="remove these rows, or give clock: {rate: HZ} if samples are regular",
        )
    back = np.flatnonzero(np.diff(times) <= 0)
    if len(back):
        i = int(back[0])
        raise DataError(
            f"{name!r} does not increase: {len(back)} of {len(times)} steps, the first from "
            f"{times[i]:.9g} to {times[i + 1]:.9g} s after row {i}",
            where=where,
            fix="sort the rows and remove doubled times, one file for each clock; or give "
            "clock: {rate: HZ}",
        )


def _refuse_frame_numbers(stamps: np.ndarray, name: str, where: str) -> None:
    if len(stamps) < 3 or np.any(np.diff(stamps) != 1) or stamps[0] != np.round(stamps[0]):
        return
    raise DataError(
        f"{name!r} holds {stamps[0]:g}, {stamps[1]:g}, {stamps[2]:g} ...: numbers of frames, "
        "not times",
        where=where,
        fix="declare clock: {rate: HZ}; it is 1 if these are seconds",
    )


def _rate(times: np.ndarray) -> float:
    """Hz if all steps lie within 1 % of the median, else 0."""
    steps = np.diff(times)
    if not len(steps):
        return 0.0
    median = float(np.median(steps))
    return 1 / median if np.all(np.abs(steps - median) <= 0.01 * median) else 0.0


def _repeated(clock: TableClock, n_trials: int, where: str) -> TableClock:
    """The clock of one trial again for each, a trial's length apart, so that a gap parts them."""
    once = np.asarray(clock.times)
    if len(once) < 2:
        raise DataError(
            f"{n_trials} trials of {len(once)} sample each",
            where=where,
            fix="the axes must be trial, time and channel, with two times or more",
        )
    period = 2 * (once[-1] - once[0] + np.median(np.diff(once)))
    times = (once + period * np.arange(n_trials)[:, None]).ravel()
    note = (
        f"{n_trials} trials were laid one after another, {period / 2:.6g} s apart: the file does "
        "not say when they took place"
    )
    return TableClock(times, 0.0, clock.column, (*clock.notes, note))


def _no_clock(
    variable: Variable, stamps: Mapping[str, Rows], fitting: list[str], where: str
) -> DataError:
    if len(fitting) > 1:
        return DataError(
            f"{' and '.join(map(repr, fitting))} could be the time",
            where=where,
            fix=f"choose one: clock: {{times: {fitting[0]}}}",
        )
    shape = variable.data.shape
    across = [s for s in stamps if is_time(s) and stamps[s].shape == shape[1:2]]
    if across:
        return DataError(
            f"shape {shape}, and {across[0]!r} has {shape[1]} times: time is the second axis",
            where=where,
            fix=f"path: {variable.name}{TURNED} if the {shape[0]} rows are channels, "
            f"{variable.name}{TRIALS} if they are trials",
        )
    times = " or {times: NAME of a column or vector}" if stamps else ""
    return DataError(
        "the table has no clock",
        where=where,
        fix=f"declare it: clock: {{rate: HZ}}{' or' if not times else ','} "
        f"{{interval: SECONDS}}{times}",
    )
