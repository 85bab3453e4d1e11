"""Positions that the tracker was not sure of: masked, and counted by body part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int
from neurodsr.data.confidence import BELOW, keep_sure
from neurodsr.data.streams import Series
from neurodsr.errors import DataError

from neurodsr_keypoints.pose import Coordinate, parts_of

BLOCK_VALUES = 2**22
"""Confidences that are looked at together."""
SILENT = "the file does not say how sure the tracker was: every position that is a number counts"


def mask_unsure(
    series: Series, found: Sequence[Coordinate], *, min_confidence: float, where: str
) -> Series:
    """The pose without positions of a low confidence, and a note that counts them by body part.

    Without confidence in the file all positions stay, and the note says so.

    Parameters
    ----------
    found
        Body part and axis of each channel.

    Raises
    ------
    DataError
        No position at all is of that confidence.
    """
    if series.confidence is None:
        return series._replace(notes=(*series.notes, SILENT))
    n_unsure, largest = _look_through(series, min_confidence)
    if largest < min_confidence:
        raise DataError(
            f"no position has a confidence of {min_confidence:g} or more; the largest is "
            f"{largest:.3g}",
            where=where,
            fix="lower min_confidence to what counts as sure for this tracker, or leave the pose "
            "out",
        )
    sure = keep_sure(series, at_least=min_confidence)
    return sure._replace(notes=(*sure.notes, *_notes(n_unsure, found, series, min_confidence)))


def _look_through(series: Series, at_least: float) -> tuple[Int[np.ndarray, " channel"], float]:
    """How many samples of each channel are less sure than that, and the largest confidence."""
    n, n_channels = series.values.shape
    step = max(1, BLOCK_VALUES // max(1, n_channels))
    n_unsure, largest = np.zeros(n_channels, dtype=int), 0.0
    for first in range(0, n, step):
        block = np.asarray(series.confidence[first : first + step])
        n_unsure += (~(block >= at_least)).sum(0)
        largest = max(largest, float(block.max(initial=0.0)))
    return n_unsure, largest


def _notes(
    n_unsure: Int[np.ndarray, " channel"],
    found: Sequence[Coordinate],
    series: Series,
    min_confidence: float,
) -> tuple[str, ...]:
    """One sentence that names the body parts, each with the most of its coordinates."""
    of_part = {
        part: max(int(n) for n, c in zip(n_unsure, found, strict=True) if c.part == part)
        for part in parts_of(found)
    }
    if not any(of_part.values()):
        return ()
    named = ", ".join(f"{part} {n}" for part, n in of_part.items() if n)
    return (
        f"{sum(of_part.values())} {BELOW} {min_confidence:g} were masked, of "
        f"{len(series.times)} of each body part: {named}",
    )
