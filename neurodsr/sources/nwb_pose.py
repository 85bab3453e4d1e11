"""Pose estimates: positions that the tracker was not sure of are masked."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from neurodsr.data.confidence import BELOW, keep_sure
from neurodsr.data.lazy import LazyArray
from neurodsr.data.streams import Series
from neurodsr.errors import DataError
from neurodsr.sources.nwb_nodes import Node, read_all

POSE = "PoseEstimationSeries"
SURE = 0.6
"""Confidence from which on a position counts: the default cut-off of DeepLabCut's plots."""


def mask_unsure(node: Node, series: Series, *, rows: np.ndarray | None) -> Series:
    """A pose series with its confidence, samples of a low one masked; any other as it is.

    Parameters
    ----------
    rows
        Row of the file that each sample comes from; None: sample k lies in row k.

    Raises
    ------
    DataError
        There is not one confidence for each sample.
    """
    confidence = node.dataset("confidence")
    if not node.is_a(POSE) or confidence is None:
        return series
    where, data = f"{node.where}/confidence", node.dataset("data")
    values = read_all(confidence, where)
    if values.dtype.kind not in "iuf" or values.shape != data.shape[:1]:
        raise DataError(
            f"confidence of shape {values.shape}, type {values.dtype}, for {data.shape[0]} samples",
            where=where,
            fix="write the pose again with one confidence for each sample",
        )
    # A confidence that is no number is none. Of float32, 0.9 must stay at least 0.9.
    sure = np.nan_to_num(values if rows is None else values[rows], nan=0.0, posinf=0.0)
    sure = sure if sure.dtype.kind == "f" else sure.astype(np.float64)
    told = series._replace(confidence=_of_channels(series, sure))
    n_unsure = int((sure < SURE).sum())
    if not n_unsure:
        return told
    masked = keep_sure(told, at_least=SURE)
    return masked._replace(notes=(*masked.notes, f"{n_unsure} {BELOW} {SURE:g} were masked"))


def _of_channels(
    series: Series, sure: Float[np.ndarray, " sample"]
) -> LazyArray | Float[np.ndarray, "sample channel"]:
    """The confidence of each coordinate: that of its sample where it is a number, else 0."""

    def load(key: Any) -> np.ndarray:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        return np.where(series.valid[rows], sure[rows, None], 0.0)[..., columns]

    if not isinstance(series.values, LazyArray):
        return load(slice(None))
    return LazyArray(load, shape=series.values.shape, dtype=sure.dtype)
