"""Bins that the file declares unusable are masked in every stream."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from neurodsr.data.coverage import touched
from neurodsr.data.lazy import LazyArray
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid


def touched_bins(grid: TimeGrid, intervals: Intervals | None) -> Bool[np.ndarray, " n_bins"]:
    """Bins that share any time with one of the intervals."""
    if intervals is None:
        return np.zeros(grid.n_bins, dtype=bool)
    return touched(grid, intervals.starts, intervals.stops)


def mask_bins(stream: Stream, bad: Bool[np.ndarray, " n_bins"]) -> Stream:
    """The stream with some bins unobserved in every channel; a lazy stream stays lazy."""
    if not bad.any():
        return stream

    def kept(array: LazyArray | np.ndarray) -> LazyArray | np.ndarray:
        def load(key: object) -> np.ndarray:
            rows = key[0] if isinstance(key, tuple) else key
            block = np.where(bad[rows][..., None], np.zeros((), array.dtype), array[rows])
            return block[..., key[1]] if isinstance(key, tuple) else block

        if isinstance(array, LazyArray):
            return LazyArray(load, shape=array.shape, dtype=array.dtype)
        return load(slice(None))

    return stream.transform(kept)
