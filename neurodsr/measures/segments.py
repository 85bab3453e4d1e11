"""Trajectories as contiguous segments: the one place that looks at what a measure was given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from torch import Tensor

from neurodsr.errors import DataError

# Underscored axes are not bound: data and generated states may differ in length.
Trajectory: TypeAlias = (
    Float[np.ndarray | Tensor, "... _time _dim"]
    | Sequence[Float[np.ndarray | Tensor, "_time _dim"]]
)
# `segments_of` is the gate that tells other shapes apart, so it must let them in.
AnyShape: TypeAlias = (
    Float[np.ndarray | Tensor, "..."] | Sequence[Float[np.ndarray | Tensor, "..."]]
)


def segments_of(x: AnyShape) -> list[np.ndarray]:
    """A trajectory as the list of its contiguous segments, each [time, dim], dtype kept.

    Parameters
    ----------
    x
        One segment [time, dim], a stack [segment, time, dim], or a list of segments whose
        lengths may differ.

    Raises
    ------
    DataError
        Another number of axes, no time bins, or segments of different dimension.
    """
    pieces = [_to_numpy(piece) for piece in (x if isinstance(x, Sequence) else [x])]
    segments = [s for piece in pieces for s in (piece if piece.ndim == 3 else [piece])]
    shapes = sorted({s.shape for s in segments})
    if not segments or any(len(shape) != 2 or 0 in shape for shape in shapes):
        raise DataError(
            f"a trajectory of shapes {shapes} cannot be measured",
            fix="give non-empty segments of shape [time, dim]; x[:, None] makes one dimension",
        )
    if len({s.shape[1] for s in segments}) > 1:
        raise DataError(
            f"segments differ in dimension: shapes {shapes}", fix="give all segments the same axes"
        )
    return segments


def segments_of_both(
    x: Trajectory, x_generated: Trajectory
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The segments of the data, checked to be finite, and of what is compared with them.

    Raises
    ------
    DataError
        The two differ in dimension, or the data contain NaN or infinity.
    """
    data, generated = segments_of(x), segments_of(x_generated)
    if data[0].shape[1] != generated[0].shape[1]:
        raise DataError(
            f"data [time, dim] {data[0].shape} and generated {generated[0].shape} differ in dim",
            fix="compare both in the same space (both latent, or both decoded)",
        )
    require_finite(data)
    return data, generated


def require_finite(segments: list[np.ndarray]) -> None:
    """Refuse segments that contain NaN or infinity.

    Raises
    ------
    DataError
        Some value is not finite; the first one is named.
    """
    for i, segment in enumerate(segments):
        if not np.isfinite(segment).all():
            time, dim = np.argwhere(~np.isfinite(segment))[0]
            raise DataError(
                f"segment {i} is {segment[time, dim]} at bin {time}, dimension {dim}",
                fix="cut the trajectory around masked bins, or impute them first",
            )


def stretches(segments: list[np.ndarray], length: int) -> list[np.ndarray]:
    """Disjoint stretches of equal length; none crosses a segment's edge, rests are left out."""
    return [
        segment[start : start + length]
        for segment in segments
        for start in range(0, len(segment) - length + 1, length)
    ]


def _to_numpy(piece: np.ndarray | Tensor) -> np.ndarray:
    return piece.detach().cpu().numpy() if isinstance(piece, Tensor) else np.asarray(piece)
