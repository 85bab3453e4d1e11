"""A stream's own clock put on the run's: t = offset + (1 + drift / 10^6) t_stream."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np

from neurodsr.data.lazy import RegularTimes
from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.modalities.clock import ClockConfig
from neurodsr.sources.base import DeclaredClock, SessionInfo, Source, StreamEntry

Times = TypeVar("Times", np.ndarray, RegularTimes, float)


class Affine(NamedTuple):
    """t_run = offset + slope * t_stream; offset in s, slope without unit."""

    offset: float = 0.0
    slope: float = 1.0

    def __call__(self, times: Times) -> Times:
        """Times of the stream on the run's clock; the very same ones if the clocks agree."""
        if self == Affine():
            return times
        if isinstance(times, RegularTimes):
            return RegularTimes(
                self.offset + self.slope * times.start, self.slope * times.interval, len(times)
            )
        return self.offset + self.slope * times


def declared_affine(clock: ClockConfig) -> Affine:
    """What the configuration says of a stream's clock."""
    return Affine(clock.offset, 1 + clock.drift * 1e-6)


class Reclocked(Source):
    """A source whose times are all put on the run's clock.

    Modalities read it like any other, and need not know of offset and drift.

    Parameters
    ----------
    source
        The opened file; closing stays with whoever opened it.
    affine
        How its times become the run's.
    declared
        What the user says of the samples' times where the file does not.
    path
        The stream that `declared` is about; its listing then tells its real times.
    """

    def __init__(
        self,
        source: Source,
        affine: Affine = Affine(),  # noqa: B008  (a NamedTuple is immutable)
        declared: DeclaredClock | None = None,
        *,
        path: str = "",
    ) -> None:
        self.path = source.path
        self._source, self._affine, self._declared = source, affine, declared
        self._about = path.strip("/")

    def list_streams(self) -> list[StreamEntry]:
        """The file's streams, with their times on the run's clock."""
        return [self._moved(entry) for entry in self._source.list_streams()]

    def events(self, path: str) -> Events:
        """Events on the run's clock; what was observed moves with them."""
        events = self._source.events(path)
        durations, observed = events.durations, events.observed
        if self._affine == Affine():
            return events
        if durations is not None:
            durations = durations * self._affine.slope
        if observed is not None:
            observed = tuple(self._affine(o) for o in observed)
        return events._replace(
            times=self._affine(events.times), durations=durations, observed=observed
        )

    def series(self, path: str, *, clock: DeclaredClock | None = None) -> Series:
        """A signal on the run's clock."""
        series = self._source.series(path, clock=clock or self._declared)
        return series._replace(times=self._affine(series.times))

    def intervals(self, path: str) -> Intervals:
        """A table of intervals on the run's clock; its other columns stay as they are."""
        return self._move_intervals(self._source.intervals(path))

    def invalid(self) -> Intervals | None:
        """The file's unusable stretches on the run's clock."""
        found = self._source.invalid()
        return None if found is None else self._move_intervals(found)

    def session(self) -> SessionInfo:
        """Who and when the file is about."""
        return self._source.session()

    def close(self) -> None:
        """Nothing: whoever opened the file closes it."""

    def _move_intervals(self, table: Intervals) -> Intervals:
        return Intervals(self._affine(table.starts), self._affine(table.stops), table.columns)

    def _moved(self, entry: StreamEntry) -> StreamEntry:
        about = f"{entry.path}/".startswith(f"{self._about}/")  # it, or a member of its container
        if about and self._declared is not None and entry.kind == "series":
            times = self.series(entry.path).times
            rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0
            return replace(
                entry, start=float(times[0]), stop=float(times[-1]), rate=rate, problems=()
            )
        if self._affine == Affine():
            return entry
        return replace(
            entry,
            start=float(self._affine(entry.start)),
            stop=float(self._affine(entry.stop)),
            rate=entry.rate / self._affine.slope,
            gaps=tuple((float(self._affine(a)), float(self._affine(b))) for a, b in entry.gaps),
        )
