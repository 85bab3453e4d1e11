"""A source without a file: events, series and intervals whose numbers a test has chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Shaped

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.errors import DataError, nearest
from neurodsr.sources.base import DeclaredClock, Source, StreamEntry

Held = Events | Series | Intervals
KINDS: dict[type[Held], str] = {Events: "events", Series: "series", Intervals: "intervals"}


class FakeSource(Source):
    """A source that holds what it is given.

    Parameters
    ----------
    held
        What lies at each path; several things of different kinds may share one.
    path
        The name that messages call the file by.
    """

    def __init__(
        self, held: Mapping[str, Held | Sequence[Held]], *, path: str = "example.nwb"
    ) -> None:
        self.path = path
        self._held: dict[tuple[str, str], Held] = {}
        for name, things in held.items():
            for thing in (things,) if type(things) in KINDS else things:
                self._held[name.strip("/"), KINDS[type(thing)]] = thing

    def list_streams(self) -> list[StreamEntry]:
        """Everything that was put in."""
        return [_entry(name, thing) for (name, _), thing in self._held.items()]

    def events(self, path: str) -> Events:
        """The events at a path."""
        return self._at(path, "events")

    def series(self, path: str, *, clock: DeclaredClock | None = None) -> Series:
        """The series at a path; its times are known, so that a declared clock adds nothing."""
        return self._at(path, "series")

    def intervals(self, path: str) -> Intervals:
        """The intervals at a path."""
        return self._at(path, "intervals")

    def close(self) -> None:
        """Nothing: there is no file."""

    def _at(self, path: str, kind: str) -> Held:
        found = self._held.get((path.strip("/"), kind))
        if found is None:
            known = {name for name, other in self._held if other == kind}
            raise DataError(
                f"there are no {kind} at {path!r}: {nearest(path, known)}",
                where=self.path,
                fix=f"put {kind} there: FakeSource({{{path!r}: ...}})",
            )
        return found


def sampled(
    values: Float[np.ndarray, "sample channel"],
    *,
    rate: float,
    start: float = 0.0,
    unit: str = "",
    valid: Bool[np.ndarray, "sample channel"] | None = None,
    ids: tuple[str, ...] | None = None,
    columns: Mapping[str, Shaped[np.ndarray, " channel"]] | None = None,
) -> Series:
    """A regularly sampled signal, as sources give it: 0 where a value is not valid.

    Parameters
    ----------
    rate, start
        Samples per second, Hz, and time of the first one, s.
    valid
        Where the file holds a number; default: wherever `values` is finite.
    ids
        Names of the channels; default: c0, c1, ...
    columns
        What the file says of each channel.
    """
    valid = np.isfinite(values) if valid is None else valid
    return Series(
        values=np.where(valid, values, 0.0),
        valid=valid,
        times=start + np.arange(len(values)) / rate,
        channels=Channels(ids or _ids(values.shape[1])),
        unit=unit,
        columns=columns or {},
    )


def trains(
    times: Sequence[Float[np.ndarray, " _"]],
    *,
    observed: Sequence[Float[np.ndarray, "_ 2"]] | None = None,
    ids: tuple[str, ...] | None = None,
    columns: Mapping[str, Shaped[np.ndarray, " channel"]] | None = None,
) -> Events:
    """Events of some channels, such as spike trains.

    Parameters
    ----------
    times
        Sorted times of each channel, s.
    observed
        Stretches in which each channel was watched, s; default: the file does not say.
    ids
        Names of the channels; default: c0, c1, ...
    columns
        What the file says of each channel.
    """
    return Events(
        times=np.concatenate([np.zeros(0), *times]),
        offsets=np.cumsum([0, *map(len, times)]),
        channels=Channels(ids or _ids(len(times))),
        observed=None if observed is None else tuple(observed),
        columns=columns or {},
    )


def _ids(n_channels: int) -> tuple[str, ...]:
    return tuple(f"c{i}" for i in range(n_channels))


def _entry(path: str, thing: Held) -> StreamEntry:
    start, stop, n = _extent(thing)
    is_table = isinstance(thing, Intervals)
    regular = isinstance(thing, Series) and n > 1
    return StreamEntry(
        path=path,
        kind=KINDS[type(thing)],
        neurodata_type="",
        n_channels=0 if is_table else len(thing.channels),
        n_samples=n,
        start=start,
        stop=stop,
        rate=(n - 1) / (stop - start) if regular else 0.0,
        unit=thing.unit if isinstance(thing, Series) else "",
        description="",
        columns=tuple(thing.columns),
        channels=None if is_table else thing.channels,
    )


def _extent(thing: Held) -> tuple[float, float, int]:
    """First and last time, s, and how many samples, events or rows."""
    starts = thing.starts if isinstance(thing, Intervals) else np.asarray(thing.times)
    stops = thing.stops if isinstance(thing, Intervals) else starts
    if not len(starts):
        return 0.0, 0.0, 0
    return float(starts.min()), float(stops.max()), len(starts)
