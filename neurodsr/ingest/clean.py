"""What is left of the loaded streams: channels that vary, and stretches that were observed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool

from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError


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
    values, mask = np.asarray(stream.values), np.asarray(stream.mask)
    observed = mask.any(axis=0)
    low = np.where(mask, values, np.inf).min(axis=0, initial=np.inf)
    high = np.where(mask, values, -np.inf).max(axis=0, initial=-np.inf)
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
    if keep.all():
        return stream, notes
    kept = Stream(
        values[:, keep], mask[:, keep], stream.channels.select(keep), stream.unit, stream.notes
    )
    return kept, notes


def observed_segments(grid: TimeGrid, streams: Iterable[Stream]) -> Intervals:
    """The stretches in which at least one stream is observed; one empty bin does not split them.

    Raises
    ------
    DataError
        Nothing is observed at all.
    """
    seen = np.zeros(grid.n_bins, dtype=bool)
    for stream in streams:
        seen |= np.asarray(stream.mask).any(axis=1)
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
