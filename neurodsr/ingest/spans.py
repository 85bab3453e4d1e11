"""When each stream was recorded, and the grid that all of them can share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError, nearest
from neurodsr.modalities.signals import sample_interval
from neurodsr.run_config import GridConfig
from neurodsr.sources.base import Source, StreamEntry

SLACK = 0.1
"""Of the recorded time, by which a grid may begin earlier or end later; its bins are masked."""
MAX_BINS = 100_000_000
SHARED = 0.5
"""Part of the shortest stream below which the time that all share is doubted."""


class Span(NamedTuple):
    """First and last time that a stream knows of, s on the file's clock."""

    start: float
    stop: float


def stream_span(source: Source, path: str) -> Span:
    """When a stream was recorded.

    A path may name an object, a column of a table, a group whose objects belong together, or
    something that the source can read though it does not list it.

    Raises
    ------
    DataError
        The path is not in the file, or what it names cannot be read.
    """
    path = path.strip("/")
    found = _listed_under(source, path)
    if not found:
        return _read_span(source, path)
    for entry in found:
        _refuse_unreadable(source, entry)
    extents = [_extent(source, entry) for entry in found]
    return Span(min(e.start for e in extents), max(e.stop for e in extents))


def holds(source: Source, path: str) -> bool:
    """Whether a path can be read from a source at all."""
    path = path.strip("/")
    if _listed_under(source, path):
        return True
    try:
        _read_span(source, path)
    except DataError:
        return False
    return True


def choose_grid(config: GridConfig, spans: Mapping[str, Span], *, where: str) -> TimeGrid:
    """The grid that the run asks for, or the time that all streams share.

    Raises
    ------
    DataError
        The streams share no time, the wanted start or stop lies outside all of them by more than
        a tenth of what was recorded, or the grid would be empty or too fine.
    """
    first, last = min(s.start for s in spans.values()), max(s.stop for s in spans.values())
    start = max(s.start for s in spans.values()) if config.start is None else config.start
    stop = min(s.stop for s in spans.values()) if config.stop is None else config.stop
    if config.start is None and config.stop is None and stop <= start and len(spans) > 1:
        raise DataError(
            f"the streams share no time: {_listed(spans)}",
            where=where,
            fix="check that their clocks have the same zero (clock.offset shifts one), or leave "
            "one of the streams out",
        )
    slack = max(config.bin_width, SLACK * (last - first))
    if start < first - slack or stop > last + slack or stop - start < config.bin_width:
        raise DataError(
            f"a grid from {start:g} to {stop:g} s in bins of {config.bin_width:g} s does not fit "
            f"what was recorded: {_listed(spans)}",
            where=where,
            fix=f"choose grid.start and grid.stop within {first:g} to {last:g} s, "
            f"at least one bin of {config.bin_width:g} s apart; all three are in s",
        )
    if (stop - start) / config.bin_width > MAX_BINS:
        raise DataError(
            f"{(stop - start) / config.bin_width:.3g} bins of {config.bin_width:g} s",
            where=where,
            fix=f"choose a wider grid.bin_width; at most {MAX_BINS} bins fit",
        )
    return TimeGrid.spanning(start, stop, config.bin_width)


def overlap_notes(config: GridConfig, spans: Mapping[str, Span]) -> tuple[str, ...]:
    """A sentence where the streams share less than half of the shortest one.

    Streams of one session were mostly recorded together; little shared time rather speaks of
    clocks that count from different moments. Who chose the start or stop knows the spans.
    """
    if config.start is not None or config.stop is not None or len(spans) < 2:
        return ()
    shared = min(s.stop for s in spans.values()) - max(s.start for s in spans.values())
    shortest = min(s.stop - s.start for s in spans.values())
    if shared >= SHARED * shortest:
        return ()
    return (
        f"the streams share only {shared:.6g} s ({_listed(spans)}): do their clocks have the same "
        "zero? If not, declare clock.offset",
    )


def _listed_under(source: Source, path: str) -> list[StreamEntry]:
    entries = source.list_streams()
    exact = [e for e in entries if path == e.path or path in _column_paths(e)]
    return exact or [e for e in entries if e.path.startswith(f"{path}/")]


def _read_span(source: Source, path: str) -> Span:
    """The span of something that is not listed by itself, such as a ragged column of a table."""
    try:
        return _series_span(source, path)
    except DataError as error:
        try:
            events = source.events(path)
        except DataError:
            raise _not_in_file(source, path, error) from error
    if not len(events.times):
        raise DataError(
            "there are no events", where=f"{source.path}:/{path}", fix="leave the stream out"
        )
    return Span(float(events.times.min()), float(events.times.max()))


def _not_in_file(source: Source, path: str, error: DataError) -> DataError:
    """The refusal that names the nearest paths, columns too."""
    entries = source.list_streams()
    for entry in entries:
        if path.startswith(f"{entry.path}/"):
            _refuse_unreadable(source, entry)
    known = [e.path for e in entries] + [c for e in entries for c in _column_paths(e)]
    if any(path.startswith(f"{e.path}/") or path.split("@")[0] == e.path for e in entries):
        return error
    return DataError(
        f"{path!r} is not in the file: {nearest(path, known)}",
        where=source.path,
        fix="`neurodsr inspect` lists what the file holds",
    )


def _series_span(source: Source, path: str) -> Span:
    series = source.series(path)
    times, interval = series.times, sample_interval(series)
    half = 0.5 * interval if math.isfinite(interval) else 0.0
    return Span(float(times[0]) - half, float(times[-1]) + half)


def _column_paths(entry: StreamEntry) -> tuple[str, ...]:
    return tuple(f"{entry.path}/{column}" for column in entry.columns)


def _extent(source: Source, entry: StreamEntry) -> Span:
    """A regular sample stands for the period around it: n samples last n periods."""
    if not math.isfinite(entry.start):  # nothing listed: reading says why, or knows better
        return _read_span(source, entry.path)
    half = 0.5 / entry.rate if entry.kind == "series" and entry.rate else 0.0
    return Span(entry.start - half, entry.stop + half)


def _refuse_unreadable(source: Source, entry: StreamEntry) -> None:
    """Raise the error that the listing only mentions."""
    errors = [p for p in entry.problems if p.startswith("error")]
    if errors:
        {"events": source.events, "series": source.series, "intervals": source.intervals}[
            entry.kind
        ](entry.path)
        raise DataError(errors[0], where=f"{source.path}:/{entry.path}", fix="leave it out")


def _listed(spans: Mapping[str, Span]) -> str:
    return ", ".join(f"{name} {s.start:g} to {s.stop:g} s" for name, s in spans.items())
