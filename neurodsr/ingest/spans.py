"""When each stream was recorded, and the grid that all of them can share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError, nearest
from neurodsr.modalities.base import Modality
from neurodsr.run_config import GridConfig
from neurodsr.sources.base import Source, StreamEntry

MAX_BINS = 100_000_000


class Span(NamedTuple):
    """First and last time that a stream knows of, s on the file's clock."""

    start: float
    stop: float


def stream_spans(source: Source, streams: Mapping[str, Modality]) -> dict[str, Span]:
    """When each stream was recorded, by its name.

    A path may name an object, a column of a table, or a group whose objects belong together.

    Raises
    ------
    DataError
        A path is not in the file, or what it names cannot be read.
    """
    entries = source.list_streams()
    return {name: _span(source, m.path.strip("/"), entries) for name, m in streams.items()}


def choose_grid(config: GridConfig, spans: Mapping[str, Span], *, where: str) -> TimeGrid:
    """The grid that the run asks for, or the time that all streams share.

    Raises
    ------
    DataError
        The streams share no time, the wanted start or stop lies outside all of them by more than
        a bin, or the grid would be empty or too fine.
    """
    first, last = min(s.start for s in spans.values()), max(s.stop for s in spans.values())
    start = max(s.start for s in spans.values()) if config.start is None else config.start
    stop = min(s.stop for s in spans.values()) if config.stop is None else config.stop
    if config.start is None and config.stop is None and stop <= start:
        raise DataError(
            f"the streams share no time: {_listed(spans)}",
            where=where,
            fix="check that their clocks have the same zero, or leave one of the streams out",
        )
    outside = start < first - config.bin_width or stop > last + config.bin_width
    if outside or stop - start < config.bin_width:
        raise DataError(
            f"nothing to put on a grid from {start:g} to {stop:g} s: {_listed(spans)}",
            where=where,
            fix=f"choose grid.start and grid.stop within {first:g} to {last:g} s, "
            f"at least one bin of {config.bin_width:g} s apart",
        )
    if (stop - start) / config.bin_width > MAX_BINS:
        raise DataError(
            f"{(stop - start) / config.bin_width:.3g} bins of {config.bin_width:g} s",
            where=where,
            fix=f"choose a wider grid.bin_width; at most {MAX_BINS} bins fit",
        )
    return TimeGrid.spanning(start, stop, config.bin_width)


def _span(source: Source, path: str, entries: list[StreamEntry]) -> Span:
    exact = [e for e in entries if path == e.path or path in _column_paths(e)]
    found = exact or [e for e in entries if e.path.startswith(f"{path}/")]
    if not found:
        known = [e.path for e in entries] + [c for e in entries for c in _column_paths(e)]
        raise DataError(
            f"{path!r} is not in the file: {nearest(path, known)}",
            where=source.path,
            fix="`neurodsr inspect` lists what the file holds",
        )
    for entry in found:
        _refuse_unreadable(source, entry)
    return Span(min(_extent(e).start for e in found), max(_extent(e).stop for e in found))


def _column_paths(entry: StreamEntry) -> tuple[str, ...]:
    return tuple(f"{entry.path}/{column}" for column in entry.columns)


def _extent(entry: StreamEntry) -> Span:
    """A regular sample stands for the period around it: n samples last n periods."""
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
