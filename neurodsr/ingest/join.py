"""Several sessions on one latent clock: laid end to end, each with channels of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np

from neurodsr.data.channels import PER_CHANNEL, Channels
from neurodsr.data.lazy import LazyArray
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError


class Placed(NamedTuple):
    """The stream of one session and where its channels go among those of the joined stream."""

    stream: Stream
    columns: np.ndarray
    recode: np.ndarray | None

    def values(self, rows: slice) -> np.ndarray:
        """Some rows of the values, with the codes of the joined stream."""
        block = np.asarray(self.stream.values[rows])
        return block if self.recode is None else self.recode[block.astype(int)]

    def mask(self, rows: slice) -> np.ndarray:
        """Some rows of the mask."""
        return np.asarray(self.stream.mask[rows])

    def exposure(self, rows: slice) -> np.ndarray:
        """Some rows of the exposure, which is 1 in observed bins where the stream has none."""
        own = self.stream.exposure
        return self.mask(rows) if own is None else np.asarray(own[rows])


def join_grids(grids: Sequence[TimeGrid]) -> tuple[TimeGrid, tuple[int, ...]]:
    """One grid with the bins of all, and the first bin of each session and the end of the last.

    The bins of the first session keep their times; later sessions follow without a pause, and a
    segment never spans two of them.
    """
    first = tuple(accumulate((g.n_bins for g in grids), initial=0))
    return TimeGrid(grids[0].start, grids[0].bin_width, first[-1]), first


def join_streams(
    name: str,
    streams: Sequence[Stream | None],
    *,
    sessions: Sequence[str],
    first_bins: Sequence[int],
    shared: bool,
) -> Stream:
    """One stream of all sessions, masked in those that lack it.

    Where only some sessions have an exposure, it is 1 in the observed bins of the others.

    Parameters
    ----------
    streams
        The stream of each session; None where a session lacks it.
    sessions
        Their names, unique; they go before the ids of channels that are not shared.
    first_bins
        First bin of each session, and the end of the last.
    shared
        Whether channels of the same id are the same variable in every session.

    Raises
    ------
    DataError
        The sessions have the stream in different units.
    """
    present = [s for s in streams if s is not None]
    units = {s.unit for s in present}
    if len(units) > 1:
        raise DataError(
            f"the stream is in {', '.join(map(repr, sorted(units)))} in different sessions",
            where=f"stream {name!r}",
            fix="convert the files to one unit, or make one stream of each",
        )
    channels, placed = _place(streams, sessions, shared=shared)
    shape = (first_bins[-1], len(channels))
    dtype = np.result_type(*(s.values.dtype for s in present))
    exposed = any(s.exposure is not None for s in present)

    def joined(read: Callable[[Placed, slice], np.ndarray], dtype: Any) -> LazyArray:
        rows = _rows(placed, first_bins, read, shape[1], dtype)
        return LazyArray(rows, shape=shape, dtype=dtype)

    return Stream(
        joined(Placed.values, dtype),
        joined(Placed.mask, bool),
        channels,
        present[0].unit,
        tuple(dict.fromkeys(note for s in present for note in s.notes)),
        joined(Placed.exposure, np.float32) if exposed else None,
    )


def intersect(wanted: Intervals, observed: Intervals) -> Intervals:
    """The parts of the wanted stretches that were observed; columns follow their stretch.

    Parameters
    ----------
    observed
        In order of time, without overlap.
    """
    first = np.searchsorted(observed.stops, wanted.starts, side="right")
    last = np.searchsorted(observed.starts, wanted.stops, side="left")
    rows = np.repeat(np.arange(len(first)), np.maximum(last - first, 0))
    own = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)] or [[]])
    own = own.astype(int)
    return Intervals(
        np.maximum(wanted.starts[rows], observed.starts[own]),
        np.minimum(wanted.stops[rows], observed.stops[own]),
        {name: np.asarray(column)[rows] for name, column in wanted.columns.items()},
    )


def _place(
    streams: Sequence[Stream | None], sessions: Sequence[str], *, shared: bool
) -> tuple[Channels, list[Placed | None]]:
    """All channels in order of first appearance, and which of them each session has."""
    parts = [
        None if s is None else (s.channels if shared else _owned(s.channels, name))
        for s, name in zip(streams, sessions, strict=True)
    ]
    levels = _joined_levels([p.levels for p in parts if p is not None])
    index: dict[str, int] = {}
    rows: list[tuple[Channels, int]] = []
    for part in filter(None, parts):
        for c, channel in enumerate(part.ids):
            if channel not in index:
                index[channel] = len(rows)
                rows.append((part, c))
    placed = [
        None
        if s is None
        else Placed(s, np.array([index[i] for i in p.ids], dtype=int), _recode(p.levels, levels))
        for s, p in zip(streams, parts, strict=True)
    ]
    channels = Channels(
        ids=tuple(index),
        positions=np.array([p.positions[c] for p, c in rows]).reshape(len(rows), 3),
        located=np.array([p.located[c] for p, c in rows], dtype=bool),
        levels=levels,
        **{n: tuple(getattr(p, n)[c] for p, c in rows) for n in PER_CHANNEL},
    )
    return channels, placed


def _joined_levels(parts: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Every level of any session: numbers in their order, which ordinal labels live by."""
    levels = tuple(dict.fromkeys(level for part in parts for level in part))
    try:
        return levels if levels == parts[0] else tuple(sorted(levels, key=float))
    except ValueError:  # texts, whose order somebody declared, or which have none
        return levels


def _owned(channels: Channels, session: str) -> Channels:
    plain = channels.to_plain() | {
        "ids": [f"{session}/{i}" for i in channels.ids],
        "sessions": [session] * len(channels),
    }
    return Channels.from_plain(plain)


def _recode(own: Sequence[str], joined: Sequence[str]) -> np.ndarray | None:
    """New code of each old one; None where nothing changes."""
    if not own or tuple(own) == tuple(joined[: len(own)]):
        return None
    return np.array([joined.index(level) for level in own])


def _rows(
    placed: Sequence[Placed | None],
    first_bins: Sequence[int],
    read: Callable[[Placed, slice], np.ndarray],
    n_channels: int,
    dtype: Any,
) -> Callable[[Any], np.ndarray]:
    """A reader of joined rows that touches only the sessions they lie in."""

    def block(start: int, stop: int) -> np.ndarray:
        out = np.zeros((max(stop - start, 0), n_channels), dtype=dtype)
        for k, (a, b) in enumerate(pairwise(first_bins)):
            low, high = max(start, a), min(stop, b)
            own = placed[k]
            if own is not None and high > low:
                block = read(own, slice(low - a, high - a))
                out[low - start : high - start, own.columns] = block
        return out

    def load(key: Any) -> np.ndarray:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        if isinstance(rows, slice):
            start, stop, step = rows.indices(first_bins[-1])
            if step > 0:
                return block(start, stop)[::step, columns]
        index = np.arange(first_bins[-1])[rows]
        wanted = np.atleast_1d(index)
        if not len(wanted):
            return np.zeros((0, n_channels), dtype=dtype)[..., columns]
        low = int(wanted.min())
        found = block(low, int(wanted.max()) + 1)[wanted - low]
        return (found if np.ndim(index) else found[0])[..., columns]

    return load


def window(stream: Stream, first: int, last: int) -> Stream:
    """Some bins of a stream, nothing read before it is asked for."""
    if (first, last) == (0, stream.n_bins):
        return stream

    def rows_of(array: Any) -> LazyArray:
        def load(key: Any) -> np.ndarray:
            start, stop, step = key.indices(last - first)
            return np.asarray(array[first + start : first + stop : step])

        return LazyArray(load, shape=(last - first, array.shape[1]), dtype=array.dtype)

    return stream.transform(rows_of)


def unique_names(names: Sequence[str], fallbacks: Sequence[str]) -> tuple[str, ...]:
    """Names of sessions, made unique by their file's where two sessions have the same."""
    doubled = {n for n in names if list(names).count(n) > 1}
    return tuple(f"{n} ({f})" if n in doubled else n for n, f in zip(names, fallbacks, strict=True))


def sources_of(paths: Mapping[str, str]) -> dict[str, str]:
    """Name and checksum of what a recording came from, for one file or several."""
    if len(paths) == 1:
        ((name, sha256),) = paths.items()
        return {"name": name, "sha256": sha256}
    return {"name": ", ".join(paths)} | {f"sha256 of {n}": s for n, s in paths.items()}
