"""A source seen otherwise: later in time, or with a stretch that was not recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.sources.base import DeclaredClock, Source, StreamEntry

NANOSECONDS = 9


@dataclass(frozen=True)
class Change:
    """What becomes of each kind of thing that a source gives."""

    events: Callable[[Events], Events]
    series: Callable[[Series], Series]
    intervals: Callable[[Intervals], Intervals]


class AlteredSource(Source):
    """A source with one change made to all that it gives."""

    def __init__(self, source: Source, change: Change) -> None:
        self.path, self._source, self._change = source.path, source, change

    def list_streams(self) -> list[StreamEntry]:
        """The streams of the source as it is."""
        return self._source.list_streams()

    def events(self, path: str) -> Events:
        """Changed events."""
        return self._change.events(self._source.events(path))

    def series(self, path: str, *, clock: DeclaredClock | None = None) -> Series:
        """A changed series."""
        return self._change.series(self._source.series(path, clock=clock))

    def intervals(self, path: str) -> Intervals:
        """Changed intervals."""
        return self._change.intervals(self._source.intervals(path))

    def close(self) -> None:
        """Nothing: whoever opened the source closes it."""


def shifted(source: Source, by: float) -> Source:
    """The same recording, later by so many seconds.

    Times are rounded to nanoseconds: 0.29 s + 1 s must be the 1.29 s that a grid calls so, or a
    sample on an edge would change its bin for the rounding of a sum.
    """

    def later(times: np.ndarray) -> np.ndarray:
        return np.round(np.asarray(times) + by, NANOSECONDS)

    return AlteredSource(
        source,
        Change(
            events=lambda e: e._replace(
                times=later(e.times),
                observed=None if e.observed is None else tuple(later(o) for o in e.observed),
            ),
            series=lambda s: s._replace(times=later(s.times)),
            intervals=lambda i: i._replace(starts=later(i.starts), stops=later(i.stops)),
        ),
    )


def with_gap(source: Source, start: float, stop: float) -> Source:
    """The same recording, of which nothing is known from one time to another, s."""

    def events(e: Events) -> Events:
        own = [e.times[a:b] for a, b in zip(e.offsets[:-1], e.offsets[1:], strict=True)]
        own = [times[(times < start) | (times >= stop)] for times in own]
        observed = e.observed or (np.array([[-np.inf, np.inf]]),) * len(own)
        return e._replace(
            times=np.concatenate(own),
            offsets=np.cumsum([0, *map(len, own)]),
            observed=tuple(_cut(stretches, start, stop) for stretches in observed),
            durations=None,
        )

    def series(s: Series) -> Series:
        times = np.asarray(s.times)
        lost = (times >= start) & (times < stop)
        valid = np.asarray(s.valid[:]) & ~lost[:, None]
        confidence = None if s.confidence is None else np.where(valid, s.confidence[:], 0)
        return s._replace(
            values=np.where(valid, s.values[:], 0), valid=valid, confidence=confidence
        )

    def intervals(i: Intervals) -> Intervals:
        keep = (i.stops <= start) | (i.starts >= stop)
        columns = {name: np.asarray(column)[keep] for name, column in i.columns.items()}
        return Intervals(i.starts[keep], i.stops[keep], columns)

    return AlteredSource(source, Change(events, series, intervals))


def _cut(stretches: np.ndarray, start: float, stop: float) -> np.ndarray:
    """Stretches without the time between."""
    before, after = stretches.copy(), stretches.copy()
    before[:, 1] = np.minimum(before[:, 1], start)
    after[:, 0] = np.maximum(after[:, 0], stop)
    both = np.concatenate([before, after])
    return both[both[:, 0] < both[:, 1]]
