"""Which values of a tracked signal count: those that the tracker was sure enough of."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodsr.data.lazy import LazyArray
from neurodsr.data.streams import Series

BELOW = "samples of a confidence below"
"""How a note on values that do not count begins, after their number."""


def keep_sure(series: Series, *, at_least: float) -> Series:
    """The series with a line drawn anew between the values that count and those that do not.

    Where the line was before does not matter, and notes on it are dropped; a series without
    confidence is given back as it is.

    Parameters
    ----------
    at_least
        Confidence from which on a value counts, above 0: what is no number has a confidence of 0.
    """
    confidence = series.confidence
    if confidence is None:
        return series

    def load(key: Any) -> np.ndarray:
        return confidence[key] >= at_least

    lazy = LazyArray(load, shape=series.values.shape, dtype=bool)
    return series._replace(
        valid=lazy if isinstance(confidence, LazyArray) else load(slice(None)),
        notes=tuple(note for note in series.notes if BELOW not in note),
    )
