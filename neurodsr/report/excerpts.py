"""Find the excerpts of the streams among the arrays that a run saved for its report."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodsr.report.figures.streams import Excerpt
from neurodsr.report.model import RecordingSummary, StreamSummary


def read_excerpts(recording: RecordingSummary, arrays: Mapping[str, np.ndarray]) -> list[Excerpt]:
    """The excerpt of each stream that has one, in the recording's order.

    Arrays named "raster/time" [time] (s) and, for each stream, "raster/STREAM/values"
    [time, channel], "raster/STREAM/mask" and "raster/STREAM/predicted" of the same shape; a
    missing mask means that all was observed.
    """
    if "raster/time" not in arrays or not arrays["raster/time"].size:
        return []
    time = np.asarray(arrays["raster/time"], dtype=float)
    found = (_read_one(stream, time, arrays) for stream in recording.streams)
    return [excerpt for excerpt in found if excerpt is not None]


def _read_one(
    stream: StreamSummary, time: np.ndarray, arrays: Mapping[str, np.ndarray]
) -> Excerpt | None:
    prefix = f"raster/{stream.name}/"
    values = arrays.get(prefix + "values")
    if values is None or not values.size:
        return None
    mask = np.asarray(arrays.get(prefix + "mask", np.ones(values.shape)), dtype=bool)
    predicted = arrays.get(prefix + "predicted")
    shapes = {values.shape, mask.shape, values.shape if predicted is None else predicted.shape}
    if len(shapes) > 1 or len(time) != len(values):
        raise ValueError(
            f"the excerpt of stream {stream.name!r} does not fit together: {len(time)} times, "
            f"shapes {sorted(shapes)}"
        )
    return Excerpt(stream, time, values.astype(float), mask, predicted)
