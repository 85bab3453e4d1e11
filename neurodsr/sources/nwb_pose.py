"""Pose estimates: positions that the tracker was not sure of are masked."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from neurodsr.data.lazy import LazyArray, lazy_pair
from neurodsr.data.streams import Series
from neurodsr.errors import DataError
from neurodsr.sources.nwb_nodes import Node, read_all

POSE = "PoseEstimationSeries"
SURE = 0.6
"""Confidence from which on a position counts: the default cut-off of DeepLabCut's plots."""


def mask_unsure(node: Node, series: Series, *, rows: np.ndarray | None) -> Series:
    """A pose series without the samples of low confidence; any other series as it is.

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
    # A confidence that is no number compares as False, so it is masked too.
    sure = (values if rows is None else values[rows]) >= SURE
    if sure.all():
        return series
    note = f"{int((~sure).sum())} samples of a confidence below {SURE:g} were masked"
    return _masked(series, sure)._replace(notes=(*series.notes, note))


def _masked(series: Series, sure: Bool[np.ndarray, " sample"]) -> Series:
    def part(first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        valid = np.asarray(series.valid[first:stop]) & sure[first:stop, None]
        return np.where(valid, series.values[first:stop], 0.0), valid

    if isinstance(series.values, LazyArray):
        values, valid = lazy_pair(part, shape=series.values.shape, dtype=np.float64)
    else:
        values, valid = part(0, len(sure))
    return series._replace(values=values, valid=valid)
