"""What is left of the loaded streams: channels that vary, and stretches that were observed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Bool

from neurodsr.data.lazy import take_channels
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError

BLOCK_VALUES = 2**21


def drop_channels(stream: Stream, *, name: str) -> tuple[Stream, tuple[str, ...]]:
    """The stream without channels that say nothing: never observed, silent, or constant.

    Parameters
    ----------
    name
        The stream's name, for the error.

    Returns
    -------
    The stream, and a note for each reason that channels were dropped for.

    Raises
    ------
    DataError
        No channel is left.
    """
    observed, low, high = _extremes(stream)
    constant = observed & (low == high)
    silent = constant & (high == 0) & (stream.unit == "count")
    reasons = {
        "never observed on the grid": ~observed,
        "silent": silent,
        "constant": constant & ~silent,
    }
    notes = tuple(_note(stream, which, why) for why, which in reasons.items() if which.any())
    keep = observed & ~constant
    if not keep.any():
        raise DataError(
            f"no channel of the stream is left: {'; '.join(notes)}",
            where=f"stream {name!r}",
            fix="choose another stretch with grid.start and grid.stop, or leave the stream out",
        )
    return (stream if keep.all() else _kept(stream, keep)), notes


def _extremes(stream: Stream) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each channel was observed, and its smallest and largest observed value."""
    n = stream.n_channels
    observed = np.zeros(n, dtype=bool)
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    for rows in _blocks(stream):
        values, mask = np.asarray(stream.values[rows]), np.asarray(stream.mask[rows])
        observed |= mask.any(axis=0)
        if mask.all():
            low = np.minimum(low, values.min(axis=0))
            high = np.maximum(high, values.max(axis=0))
        else:
            low = np.minimum(low, np.where(mask, values, np.inf).min(axis=0))
            high = np.maximum(high, np.where(mask, values, -np.inf).max(axis=0))
    return observed, low, high


def _kept(stream: Stream, keep: np.ndarray) -> Stream:
    """The stream with some of its channels; a lazy one stays lazy."""
    index = np.flatnonzero(keep)
    return Stream(
        take_channels(stream.values, index),
        take_channels(stream.mask, index),
        stream.channels.select(keep),
        stream.unit,
        stream.notes,
    )


def _blocks(stream: Stream) -> Iterator[slice]:
    """Bins that are looked at together: as many as a cache holds."""
    step = max(1, BLOCK_VALUES // max(1, stream.n_channels))
    for first in range(0, stream.n_bins, step):
        yield slice(first, first + step)


def observed_segments(grid: TimeGrid, streams: Iterable[Stream]) -> Intervals:
    """The stretches in which at least one stream is observed; one empty bin does not split them.

    Raises
    ------
    DataError
        Nothing is observed at all.
    """
    seen = np.zeros(grid.n_bins, dtype=bool)
    for stream in streams:
        for rows in _blocks(stream):
            seen[rows] |= np.asarray(stream.mask[rows]).any(axis=1)
    bins = np.flatnonzero(_bridge(seen))
    if not len(bins):
        raise DataError(
            f"no stream is observed between {grid.start:g} and {grid.stop:g} s",
            fix="choose another stretch with grid.start and grid.stop",
        )
    breaks = np.flatnonzero(np.diff(bins) > 1)
    first = bins[np.concatenate([[0], breaks + 1])]
    last = bins[np.concatenate([breaks, [len(bins) - 1]])]
    return Intervals(grid.edges[first], grid.edges[last + 1], {})


def _bridge(seen: Bool[np.ndarray, " n_bins"]) -> Bool[np.ndarray, " n_bins"]:
    """Also True in single empty bins between two observed ones."""
    single = np.zeros_like(seen)
    single[1:-1] = ~seen[1:-1] & seen[:-2] & seen[2:]
    return seen | single


def _note(stream: Stream, which: np.ndarray, why: str) -> str:
    ids = [stream.channels.ids[c] for c in np.flatnonzero(which)]
    return f"{len(ids)} channels were dropped, {why}: {', '.join(ids)}"
