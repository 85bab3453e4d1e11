"""A source that holds what a test puts into it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.sources.base import Source, StreamEntry


class MemorySource(Source):
    """Events, series and intervals by path, without a file."""

    path = "session.nwb"

    def __init__(self, held: dict[str, object]) -> None:
        self._held = held

    def list_streams(self) -> list[StreamEntry]:
        return []

    def events(self, path: str) -> Events:
        return self._held[path]

    def series(self, path: str) -> Series:
        return self._held[path]

    def intervals(self, path: str) -> Intervals:
        return self._held[path]

    def close(self) -> None:
        pass


@pytest.fixture
def source() -> Callable[..., Source]:
    """A function that makes a source which holds one thing, at "path" or where told."""

    def make(held: object, path: str = "path") -> Source:
        return MemorySource({path: held})

    return make


@pytest.fixture
def series() -> Callable[..., Series]:
    """A function that makes a series; None marks a lost sample."""

    def make(times: object, *columns: list[float | None]) -> Series:
        values = np.array([[0.0 if v is None else v for v in c] for c in columns]).T
        valid = np.array([[v is not None for v in c] for c in columns]).T
        ids = tuple("xyz"[: len(columns)])
        times = np.asarray(times, dtype=float)
        return Series(values, valid, times, Channels(ids), "m", ("a note",))

    return make


@pytest.fixture
def events() -> Callable[..., Events]:
    """A function that makes events of some channels, watched throughout or where told."""

    def make(*trains: list[float], observed: list | None = None) -> Events:
        return Events(
            times=np.concatenate([np.asarray(t, dtype=float) for t in trains]),
            offsets=np.cumsum([0, *map(len, trains)]),
            channels=Channels(tuple(f"n{i}" for i in range(len(trains)))),
            observed=None if observed is None else tuple(np.array(o, float) for o in observed),
        )

    return make
