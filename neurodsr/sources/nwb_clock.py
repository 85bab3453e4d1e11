"""The clock of a time series: checked, repaired where that is safe, and said."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from neurodsr.errors import DataError
from neurodsr.sources.nwb_nodes import Node, read_all, reading

MAX_BACKWARD = 0.01
MAX_RATE = 1e8
GAP = 10.0
REGULAR = 0.01


class Clock(NamedTuple):
    """Times of the samples kept, s, increasing; the row of the data each belongs to; repairs."""

    times: Float[np.ndarray, " sample"]
    rows: Int[np.ndarray, " sample"]
    rate: float
    notes: tuple[str, ...]


def read_clock(node: Node, *, n_samples: int) -> Clock:
    """The times of a series' samples, from its timestamps or from start and rate.

    Timestamps that are NaN are dropped, up to 1 % of samples out of order are sorted, and all
    but the first of equal times are dropped; each repair is noted.

    Raises
    ------
    DataError
        No clock, a wrong rate, another number of timestamps than of samples, frame numbers
        instead of times, or more than 1 % out of order (two clocks, or a clock that was reset).
    """
    with reading(node.where):
        stamps = node.item.timestamps
        start, rate = node.item.starting_time, node.item.rate
    if stamps is not None:
        return _from_timestamps(stamps, n_samples=n_samples, where=f"{node.where}/timestamps")
    if rate is None:
        raise DataError(
            "neither timestamps nor a rate: the samples have no time",
            where=node.where,
            fix="write the series again with starting_time and rate, or with timestamps",
        )
    return _from_rate(start, rate, n_samples=n_samples, where=node.where)


def gaps(clock: Clock) -> str:
    """A phrase on the stretches without samples, longer than 10 median steps; "" if none."""
    steps = np.diff(clock.times)
    if not len(steps):
        return ""
    wide = steps[steps > GAP * np.median(steps)]
    if not len(wide):
        return ""
    return f"{len(wide)} gaps of more than {GAP:g} median steps, the longest {wide.max():.6g} s"


def _from_rate(start: Any, rate: Any, *, n_samples: int, where: str) -> Clock:
    rate, start = float(rate), float(start or 0.0)
    if not 0 < rate < MAX_RATE or not np.isfinite(start):
        raise DataError(
            f"starts at {start:g} s with a rate of {rate:g} Hz",
            where=where,
            fix="write the series again with its real rate in Hz, a positive number",
        )
    rows = np.arange(n_samples)
    return Clock(start + rows / rate, rows, rate, ())


def _from_timestamps(stamps: Any, *, n_samples: int, where: str) -> Clock:
    times = read_all(stamps, where)
    if times.dtype.kind not in "iuf" or times.shape != (n_samples,):
        raise DataError(
            f"{times.shape[0] if times.ndim else 0} timestamps ({times.dtype}) "
            f"for {n_samples} samples",
            where=where,
            fix="one time a sample is needed; is the data's first axis really time?",
        )
    times = times.astype(np.float64)
    rows = np.flatnonzero(np.isfinite(times))
    notes = []
    if len(rows) < len(times):
        notes.append(f"{len(times) - len(rows)} samples without a finite timestamp were dropped")
    times = times[rows]
    _refuse_frame_numbers(times, where)
    backward = _out_of_order(times)
    if backward > MAX_BACKWARD * len(times):
        raise DataError(
            f"{backward} of {len(times)} timestamps run backward ({backward / len(times):.1%})",
            where=where,
            fix="a clock was reset or two are mixed: write one series for each clock; "
            f"up to {MAX_BACKWARD:.0%} would be sorted",
        )
    if backward:
        order = np.argsort(times, kind="stable")
        times, rows = times[order], rows[order]
        notes.append(f"{backward} timestamps that ran backward were sorted")
    fresh = np.diff(times, prepend=-np.inf) > 0
    if not fresh.all():
        notes.append(f"{int((~fresh).sum())} samples with a duplicate timestamp were dropped")
    times, rows = times[fresh], rows[fresh]
    if not len(times):
        raise DataError(
            "no timestamp is a finite number",
            where=where,
            fix="write the series again with starting_time and rate",
        )
    return Clock(times, rows, _regular_rate(times), tuple(notes))


def _refuse_frame_numbers(times: np.ndarray, where: str) -> None:
    if len(times) < 3 or np.any(np.diff(times) != 1) or times[0] != np.round(times[0]):
        return
    raise DataError(
        f"the timestamps {times[0]:g}, {times[1]:g}, {times[2]:g} ... are frame numbers, not s",
        where=where,
        fix="declare the frame rate: write the series with starting_time and rate=<frames per s>",
    )


def _out_of_order(times: np.ndarray) -> int:
    """Samples out of order: steps backward, or samples that sorting would move if those are more.

    A clock reset is a single step backward, yet sorting would shuffle two stretches into one
    another: all samples that lie behind their predecessors (or ahead of their successors) count.
    """
    if len(times) < 2:
        return 0
    behind = int((times < np.maximum.accumulate(times)).sum())
    ahead = int((times > np.minimum.accumulate(times[::-1])[::-1]).sum())
    return max(int((np.diff(times) < 0).sum()), min(behind, ahead))


def _regular_rate(times: np.ndarray) -> float:
    """Hz if all steps lie within 1 % of the median, else 0."""
    steps = np.diff(times)
    if not len(steps):
        return 0.0
    median = float(np.median(steps))
    return 1 / median if np.all(np.abs(steps - median) <= REGULAR * median) else 0.0
