"""A tracker that was switched off leaves a signal that stands still: it is no behavior."""

from __future__ import annotations

import numpy as np

from neurodsr.data.streams import Series

MIN_FRACTION = 0.1  # of the series; an animal may well rest for less


def moving_span(series: Series) -> tuple[float, float] | None:
    """First and last time between which a signal changes, s; None where that is nearly all.

    A stretch at either end in which no channel changes counts if it is at least a tenth of the
    series.
    """
    values, times = np.asarray(series.values[:]), series.times
    changes = np.flatnonzero((np.diff(values, axis=0) != 0).any(axis=1))
    if not len(changes):
        return None
    first, last = float(times[changes[0]]), float(times[changes[-1] + 1])
    shortest = MIN_FRACTION * (times[-1] - times[0])
    start = first if first - times[0] >= shortest else float(times[0])
    stop = last if times[-1] - last >= shortest else float(times[-1])
    return None if (start, stop) == (times[0], times[-1]) else (start, stop)


def describe_stillness(series: Series, moving: tuple[float, float]) -> str:
    """A warning that names the stretch in which nothing changes."""
    start, stop = moving
    parts = []
    if start > series.times[0]:
        parts.append(f"before {start:.6g} s")
    if stop < series.times[-1]:
        parts.append(f"after {stop:.6g} s")
    still = 1 - (stop - start) / (series.times[-1] - series.times[0])
    return (
        f"warning: no channel changes {' and '.join(parts)} ({still:.0%} of the series): "
        "if the tracker was off, leave that time out with grid.start and grid.stop"
    )
