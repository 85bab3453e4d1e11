"""Whether the times of trials are on the recording's clock, or count from each trial's start."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

MIN_ROWS = 5
"""Fewer rows are like one another by chance: a session, its tags and its first part all start as
it does."""
REPEATED = 0.9
"""Fraction of rows with the very same start beyond which they cannot follow one another; our own
choice, high because a refusal cannot be overruled."""
BACKWARD = 0.25
"""Fraction of rows that start before their predecessor beyond which a table is not just unsorted
in places. A shuffled table of trials has half of them too: so the rows must also be crowded."""


def relative_times(starts: Float[np.ndarray, " row"], stops: Float[np.ndarray, " row"]) -> str:
    """A phrase that doubts the times of trials; "" where they look like times of a recording.

    Trials follow one another on a clock that runs through the recording. Two signs speak against
    it: nearly all rows start at the same time (as 0 s, when each trial's clock was
    reset), or the starts jump back again and again while all rows overlap nearly all others (as
    when start and stop count from a sync signal within each trial). A table that is merely
    unsorted overlaps little, and is not doubted.
    """
    known = np.isfinite(starts) & np.isfinite(stops)
    starts, stops = starts[known], stops[known]
    if len(starts) < MIN_ROWS:
        return ""
    times, counts = np.unique(starts, return_counts=True)
    most = int(counts.argmax())
    if counts[most] > REPEATED * len(starts):
        return (
            f"{counts[most]} of {len(starts)} rows start at {times[most]:g} s: their times seem to "
            "count from the start of each trial, not of the recording"
        )
    backward = int((np.diff(starts) < 0).sum())
    if backward > BACKWARD * len(starts) and _crowded(starts, stops):
        return (
            f"{backward} of {len(starts)} rows start before their predecessor, and all lie within "
            f"{stops.max() - starts.min():.3g} s: their times seem to count from the start of each "
            "trial, not of the recording"
        )
    return ""


def _crowded(starts: np.ndarray, stops: np.ndarray) -> bool:
    """Whether the rows together last several times longer than the time they lie in."""
    lasting = np.clip(stops - starts, 0, None).sum()
    return bool(lasting > 0.5 * len(starts) * (stops.max() - starts.min()))
