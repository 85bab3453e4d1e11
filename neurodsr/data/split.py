"""Which bins train, which rank members, which only judge: contiguous stretches, in time order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodsr.data.recording import Recording
from neurodsr.errors import DataError


@dataclass(frozen=True)
class Split:
    """Stretches of bins (first, last + 1) for training, validation and test.

    No stretch crosses the edge of a segment, so no window does.
    """

    train: tuple[tuple[int, int], ...]
    validation: tuple[tuple[int, int], ...]
    test: tuple[tuple[int, int], ...]


def split_recording(recording: Recording, *, validation: float, test: float) -> Split:
    """Give the last `test` fraction of all bins to the test, the `validation` before it to that.

    Raises
    ------
    DataError
        A part would be empty.
    """
    stretches = _segment_bins(recording)
    n = sum(stop - start for start, stop in stretches)
    first, second = round(n * (1 - validation - test)), round(n * (1 - test))
    parts = [_between(stretches, a, b) for a, b in ((0, first), (first, second), (second, n))]
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        if not part:
            raise DataError(
                f"{n} bins in {len(stretches)} segments leave none for {name}",
                where=recording.id,
                fix="use a longer recording, a smaller bin_width or other split fractions",
            )
    return Split(*parts)


def _segment_bins(recording: Recording) -> list[tuple[int, int]]:
    """Whole bins inside each segment."""
    edges = recording.grid.edges
    starts = np.searchsorted(edges, recording.segments.starts, side="left")
    stops = np.searchsorted(edges, recording.segments.stops, side="right") - 1
    return [(int(a), int(b)) for a, b in zip(starts, stops, strict=True) if b > a]


def _between(
    stretches: list[tuple[int, int]], first: int, last: int
) -> tuple[tuple[int, int], ...]:
    """The bins whose rank among all bins lies in [first, last)."""
    found, rank = [], 0
    for start, stop in stretches:
        a = start + max(0, first - rank)
        b = min(stop, start + last - rank)
        if b > a:
            found.append((a, b))
        rank += stop - start
    return tuple(found)
