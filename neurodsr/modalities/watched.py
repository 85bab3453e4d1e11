"""The events of some channels, and when each of them was watched where the file does not say."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from neurodsr.data.streams import Events
from neurodsr.data.time import TimeGrid

Rule = Literal["auto", "throughout", "span"]
Spans = tuple[Float[np.ndarray, "interval 2"], ...]

LONG = 0.1
"""Fraction of the grid from which on silence at an end is looked at."""
EXPECTED = 20.0
"""Spikes that were to be expected in it: a Poisson unit would stay silent once in 5e8 times."""
SHOWN = 5


def select_channels(events: Events, keep: Bool[np.ndarray, " channel"]) -> Events:
    """The events of some channels."""
    counts = np.diff(events.offsets)
    rows = np.repeat(keep, counts)
    index = np.flatnonzero(keep)
    return events._replace(
        times=events.times[rows],
        offsets=np.concatenate([[0], np.cumsum(counts[keep])]),
        channels=events.channels.select(keep),
        observed=None if events.observed is None else tuple(events.observed[i] for i in index),
        durations=None if events.durations is None else events.durations[rows],
        columns={name: np.asarray(column)[keep] for name, column in events.columns.items()},
    )


def watched_spans(
    events: Events, grid: TimeGrid, *, rule: Rule
) -> tuple[Spans | None, tuple[str, ...]]:
    """When each unit was watched, and a note on what was assumed.

    What the file says is taken as it is. Without it, a unit that has no spike for a long time at
    an end of the recording was probably lost or not yet found, and its silence would be taught
    as a rate of zero.
    """
    if events.observed is not None:
        return events.observed, ()
    unknown = "no obs_intervals in the file"
    if rule == "throughout":
        return None, (f"{unknown}: every unit counts as observed throughout",)
    spans, lost = [], []
    for c, name in enumerate(events.channels.ids):
        own = events.times[events.offsets[c] : events.offsets[c + 1]]
        start, stop = _span(own, grid, rule)
        spans.append(np.array([[start, stop]]))
        if len(own) and (start > grid.start or stop < grid.stop):
            lost.append(f"{name} ({max(start, grid.start):.6g} to {min(stop, grid.stop):.6g} s)")
    if not lost:
        return None, (f"{unknown}: every unit counts as observed throughout",)
    more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
    return tuple(spans), (
        f"{unknown}: {len(lost)} units count as observed only from their first to their last "
        f"spike: {', '.join(lost[:SHOWN])}{more}",
    )


def while_watched(events: Events) -> tuple[Events, tuple[str, ...]]:
    """The spikes inside of what their units' stretches say was watched, and a note on the others.

    In a bin that was watched in part, a spike from outside of that part would be taken for a
    higher rate. The ends of stretches belong to them: they often are the first and last spike.
    """
    assert events.observed is not None
    inside = [
        _inside(events.times[a:b], stretches)
        for a, b, stretches in zip(
            events.offsets[:-1], events.offsets[1:], events.observed, strict=True
        )
    ]
    kept = np.concatenate([np.zeros(0, dtype=bool), *inside])
    if kept.all():
        return events, ()
    offsets = np.cumsum([0, *(np.count_nonzero(k) for k in inside)])
    durations = None if events.durations is None else events.durations[kept]
    note = f"{np.count_nonzero(~kept)} spikes lie outside of their units' obs_intervals: left out"
    return events._replace(times=events.times[kept], offsets=offsets, durations=durations), (note,)


def _inside(
    times: Float[np.ndarray, " event"], stretches: Float[np.ndarray, "interval 2"]
) -> Bool[np.ndarray, " event"]:
    stretches = stretches[stretches[:, 0] < stretches[:, 1]]
    starts, stops = stretches[np.argsort(stretches[:, 0], kind="stable")].T
    reach = np.maximum.accumulate(stops)
    latest = np.searchsorted(starts, times, side="right") - 1
    return (latest >= 0) & (times <= np.append(reach, -np.inf)[latest])


def _span(own: np.ndarray, grid: TimeGrid, rule: Rule) -> tuple[float, float]:
    """First and last time at which a unit counts as watched; a bin beyond, so that it is whole."""
    if not len(own):
        return -np.inf, np.inf
    first, last = float(own[0]), float(own[-1])
    start, stop = first - grid.bin_width, last + grid.bin_width
    if rule == "span":
        return start, stop
    length = max(last - first, grid.bin_width)
    rate = (len(own) - 1) / length

    def lost(silence: float) -> bool:
        return silence > LONG * (grid.stop - grid.start) and rate * silence > EXPECTED

    return (
        start if lost(first - grid.start) else -np.inf,
        stop if lost(grid.stop - last) else np.inf,
    )
