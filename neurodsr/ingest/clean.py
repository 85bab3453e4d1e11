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
    return stream.transform(
        lambda array: take_channels(array, index), channels=stream.channels.select(keep)
    )


def _blocks(stream: Stream) -> Iterator[slice]:
    """Bins that are looked at together: as many as a cache holds."""
    step = max(1, BLOCK_VALUES // max(1, stream.n_channels))
    for first in range(0, stream.n_bins, step):
        yield slice(first, first + step)


def observed_segments(grid: TimeGrid, streams: Iterable[Stream]) -> Intervals:
    """The stretches in which at least one stream is observed; one lost sample does not split them.

    A stream that is slower than the grid is observed between its samples too: up to twice its
    median distance from one observed bin to the next, so that bins of a quarter TR leave as many
    segments of BOLD as bins of a TR. A single empty bin never splits.

    Raises
    ------
    DataError
        Nothing is observed at all.
    """
    seen = np.zeros(grid.n_bins, dtype=bool)
    for stream in streams:
        own = _seen(stream)
        seen |= _bridge(own, 2 * _rhythm(own))
    bins = np.flatnonzero(_bridge(seen, 2))
    if not len(bins):
        raise DataError(
            f"no stream is observed between {grid.start:g} and {grid.stop:g} s",
            fix="choose another stretch with grid.start and grid.stop",
        )
    breaks = np.flatnonzero(np.diff(bins) > 1)
    first = bins[np.concatenate([[0], breaks + 1])]
    last = bins[np.concatenate([breaks, [len(bins) - 1]])]
    return Intervals(grid.edges[first], grid.edges[last + 1], {})


def _seen(stream: Stream) -> Bool[np.ndarray, " n_bins"]:
    """Where at least one channel is observed."""
    seen = np.zeros(stream.n_bins, dtype=bool)
    for rows in _blocks(stream):
        seen[rows] = np.asarray(stream.mask[rows]).any(axis=1)
    return seen


def _rhythm(seen: Bool[np.ndarray, " n_bins"]) -> int:
    """Bins from one sample of a stream to the next; 1 if they come irregularly, as trials do."""
    steps = np.diff(np.flatnonzero(seen))
    if len(steps) < 2:
        return 1
    # A period that is no multiple of a bin gives distances of two lengths, one bin apart.
    low, middle, high = np.quantile(steps, [0.25, 0.5, 0.75], method="nearest")
    return int(middle) if high - low <= 1 else 1


def _bridge(seen: Bool[np.ndarray, " n_bins"], longest: int) -> Bool[np.ndarray, " n_bins"]:
    """Also True between two observed bins that are at most `longest` apart."""
    bins = np.flatnonzero(seen)
    steps = np.diff(bins)
    bridged = seen.copy()
    if len(bins):
        bridged[bins[0] : bins[-1]] |= np.repeat(steps <= longest, steps)
    return bridged


def _note(stream: Stream, which: np.ndarray, why: str) -> str:
    ids = [stream.channels.ids[c] for c in np.flatnonzero(which)]
    who = "1 channel was" if len(ids) == 1 else f"{len(ids)} channels were"
    return f"{who} dropped, {why}: {', '.join(ids)}"
