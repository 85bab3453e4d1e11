"""What makes a clock: times checked, repaired where that is safe, and each repair said."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from neurodsr.data.lazy import RegularTimes
from neurodsr.errors import DataError

MAX_BACKWARD = 0.01
MAX_RATE = 1e8
GAP = 10.0
REGULAR = 0.01
EAGER_TIMES = 2**20
FRAMES = 0.9
"""Fraction of steps of exactly 1 from which on whole numbers are frame numbers."""
MANY, SLOWEST = 100, 10.0
"""Whole numbers from this many on, further apart than this many s, are no seconds either: a brain
or a body is hardly sampled as slowly, while ms and sample numbers look so (our own choice)."""


class Clock(NamedTuple):
    """Times of the samples kept, s, increasing; the row of the data each belongs to; repairs.

    `rows` is None where every row is kept in its place.
    """

    times: Float[np.ndarray, " sample"] | RegularTimes
    rows: Int[np.ndarray, " sample"] | None
    rate: float
    notes: tuple[str, ...]


def regular_clock(start: float, interval: float, n_samples: int) -> Clock:
    """The clock of samples at an interval, s, that was declared."""
    return Clock(_held(RegularTimes(start, interval, n_samples)), None, 1 / interval, ())


def rated_clock(start: float, rate: Any, *, n_samples: int, where: str) -> Clock:
    """The clock of samples at a rate, Hz, that the file tells.

    Raises
    ------
    DataError
        The rate is not a positive number, or the start not a finite one.
    """
    rate = float(rate)
    if not 0 < rate < MAX_RATE or not np.isfinite(start):
        raise DataError(
            f"starts at {start:g} s with a rate of {rate:g} Hz",
            where=where,
            fix="write the series again with its real rate in Hz, a positive number",
        )
    return Clock(_held(RegularTimes.at_rate(start, rate, n_samples)), None, rate, ())


def stamped_clock(
    stamps: Shaped[np.ndarray, "..."], *, n_samples: int, interval: float | None, where: str
) -> Clock:
    """The clock that timestamps tell, one for each sample.

    Those that are NaN are dropped, up to 1 % of samples out of order are sorted, and all but the
    first of equal times are dropped; each repair is noted.

    Parameters
    ----------
    interval
        The declared interval of the samples, s; for timestamps that count frames.

    Raises
    ------
    DataError
        Another number of timestamps than of samples, none of them finite, frame numbers instead
        of times, more than 1 % out of order, or an interval although these are times.
    """
    _refuse_wrong(stamps, n_samples, where)
    times, notes = stamps.astype(np.float64), []
    rows = np.flatnonzero(np.isfinite(times))
    if len(rows) < len(times):
        notes.append(f"{len(times) - len(rows)} samples without a finite timestamp were dropped")
    times = times[rows]
    if not len(times):
        raise DataError(
            "no timestamp is a finite number",
            where=where,
            fix="write the series again with starting_time and rate",
        )
    if _counts_frames(times):
        if interval is None:
            raise _frame_numbers(times, where)
        notes.append(f"timestamps count frames: times are their numbers times {interval:.6g} s")
        times = times * interval
    elif interval is not None:
        raise two_clocks(f"timestamps from {times.min():g} to {times.max():g} s", where)
    times, rows, repairs = _in_order(times, rows, where)
    whole = len(rows) == n_samples and not repairs
    return Clock(times, None if whole else rows, _regular_rate(times), (*notes, *repairs))


def gaps(clock: Clock) -> tuple[tuple[float, float], ...]:
    """The stretches without samples, s, longer than 10 median steps, in order of time."""
    if clock.rate or len(clock.times) < 2:  # a regular clock has none
        return ()
    steps = np.diff(clock.times)
    if steps.max() <= GAP * steps.min():  # then none is above 10 medians, which takes longer to ask
        return ()
    wide = np.flatnonzero(steps > GAP * np.median(steps))
    return tuple((float(clock.times[i]), float(clock.times[i + 1])) for i in wide)


def describe_gaps(found: tuple[tuple[float, float], ...]) -> str:
    """A phrase on gaps; "" if there are none."""
    if not found:
        return ""
    longest = max(stop - start for start, stop in found)
    return f"{len(found)} gaps of more than {GAP:g} median steps, the longest {longest:.6g} s"


def two_clocks(found: str, where: str) -> DataError:
    """The error of a declared clock beside one that the file has."""
    return DataError(
        f"a clock was declared, but the file has one of its own: {found}",
        where=where,
        fix="remove clock.rate or clock.interval; clock.offset and clock.drift correct a clock",
    )


def _held(times: RegularTimes) -> RegularTimes | np.ndarray:
    """Few times are a plain array, which every reader understands."""
    return times if len(times) > EAGER_TIMES else np.asarray(times)


def _refuse_wrong(stamps: np.ndarray, n_samples: int, where: str) -> None:
    if stamps.dtype.kind not in "iuf" or stamps.shape != (n_samples,):
        raise DataError(
            f"{stamps.shape[0] if stamps.ndim else 0} timestamps ({stamps.dtype}) "
            f"for {n_samples} samples",
            where=where,
            fix="one time a sample is needed; is the data's first axis really time?",
        )


def _in_order(
    times: np.ndarray, rows: np.ndarray, where: str
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Sorted times, each once, and the rows they belong to."""
    if np.all(times[1:] > times[:-1]):
        return times, rows, ()
    notes = []
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
    return times[fresh], rows[fresh], tuple(notes)


def _counts_frames(times: np.ndarray) -> bool:
    """Whole numbers of which nearly all follow their predecessor by one, or that lie far apart.

    A clock of one sample per second would look the same, and so would one of a sample a minute;
    but they are rare, and for them too the interval of one count can be declared: 1.
    """
    if len(times) < 3 or times[1] != np.round(times[1]) or np.any(times != np.round(times)):
        return False
    steps = np.diff(times)
    slow = len(times) >= MANY and float(np.median(steps)) > SLOWEST
    return slow or float(np.mean(steps == 1)) > FRAMES


def _frame_numbers(times: np.ndarray, where: str) -> DataError:
    first = f"the timestamps {times[0]:g}, {times[1]:g}, {times[2]:g} ..."
    if np.median(np.diff(times)) > SLOWEST:
        return DataError(
            f"{first} are whole numbers far apart: sample numbers or ms, not s",
            where=where,
            fix="declare how long one count lasts: clock: {interval: <s>} in the stream's "
            "configuration (0.001 for ms; 1 if they are s after all)",
        )
    return DataError(
        f"{first} are frame numbers, not s",
        where=where,
        fix="declare the frame rate: clock: {rate: <frames per s>} in the stream's configuration",
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
    # Steps within 1 % of their median lie within 2 % of one another: the quicker question first.
    if not len(steps) or np.ptp(steps) > 2 * REGULAR * steps.max():
        return 0.0
    median = float(np.median(steps))
    return 1 / median if np.all(np.abs(steps - median) <= REGULAR * median) else 0.0
