"""Events such as licks on the grid: 1 in every bin that has at least one, 0 in the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int, Integer

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Events, Series, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.modalities.signals import kept_channels
from neurodsr.modalities.watched import select_channels
from neurodsr.sources.base import Source

if TYPE_CHECKING:
    from neurodsr.modalities.behavior import Behavior


def load_occurrences(behavior: Behavior, source: Source, grid: TimeGrid, *, where: str) -> Stream:
    """Whether a bin has an event, from points in time or from samples that are 0 or 1.

    Raises
    ------
    DataError
        A sample is neither 0 nor 1, a channel or column is not there, too much is missing, or no
        event lies on the grid.
    """
    events = _events(source, behavior.path.strip("/"))
    if events is not None:
        stream = _from_events(behavior, events, grid, where)
    else:
        stream = _from_samples(behavior.read_series(source), grid, where)
    if stream.mask.any() and not stream.values.any():
        raise DataError(
            f"no event of {stream.n_channels} channels between {grid.start:g} s and "
            f"{grid.stop:g} s",
            where=where,
            fix="check grid.start and grid.stop against what `neurodsr inspect` prints, or leave "
            "the stream out",
        )
    return stream


def _events(source: Source, path: str) -> Events | None:
    """The points in time at a path; None where samples lie there, or nothing does."""
    kinds = {entry.path: entry.kind for entry in source.list_streams()}
    if path in kinds:
        return source.events(path) if kinds[path] == "events" else None
    try:
        return source.events(path)
    except DataError:
        return None


def _from_events(behavior: Behavior, events: Events, grid: TimeGrid, where: str) -> Stream:
    keep, left_out = kept_channels(
        events.channels, events.columns, behavior.where, behavior.channels, where=where
    )
    events = events if keep.all() else select_channels(events, keep)
    watched = "the file does not say when events were watched for: throughout"
    unknown = (watched,) if events.observed is None else ()
    notes = (*events.notes, *left_out, *unknown)
    counts, mask = grid.count(events), grid.observed(events)
    return _stream(counts > 0, mask, counts, events.channels, notes)


def _from_samples(series: Series, grid: TimeGrid, where: str) -> Stream:
    """A bin has an event if one of its samples is 1; ones without a pause are one event."""
    values, valid = np.asarray(series.values), np.asarray(series.valid)
    _refuse_other_values(values, valid, series, where)
    on = valid & (values == 1)
    starts = on.copy()
    starts[1:] &= ~on[:-1]
    happened, known, number = (_per_bin(grid, series.times, x) for x in (on, valid, starts))
    return _stream(happened > 0, known > 0, number, series.channels, series.notes)


def _stream(
    happened: Bool[np.ndarray, "time channel"],
    mask: Bool[np.ndarray, "time channel"],
    number: Integer[np.ndarray, "time channel"],
    channels: Channels,
    notes: tuple[str, ...],
) -> Stream:
    several = int(((number > 1) & mask).sum())
    note = f"{several} bins have several events, which count as one"
    values = (happened & mask).astype(np.uint8)
    notes = (*notes, note) if several else notes
    return Stream(values, mask, channels, "event", notes)


def _per_bin(
    grid: TimeGrid, times: Float[np.ndarray, " sample"], x: Bool[np.ndarray, "sample channel"]
) -> Int[np.ndarray, "time channel"]:
    """How many samples of each bin are True."""
    bins = grid.index(np.asarray(times))
    on_grid = (bins >= 0) & (bins < grid.n_bins)
    total = np.zeros((grid.n_bins, x.shape[1]), dtype=int)
    np.add.at(total, bins[on_grid], x[on_grid])
    return total


def _refuse_other_values(values: np.ndarray, valid: np.ndarray, series: Series, where: str) -> None:
    wrong = np.argwhere(valid & (values != 0) & (values != 1))
    if len(wrong):
        row, channel = wrong[0].tolist()
        raise DataError(
            f"{len(wrong)} samples are neither 0 nor 1, such as {values[row, channel]:.6g} of "
            f"channel {series.channels.ids[channel]} at {series.times[row]:.6g} s",
            where=where,
            fix="use observation: gaussian for a signal, ordinal for levels, or write 1 where an "
            "event is and 0 elsewhere",
        )
