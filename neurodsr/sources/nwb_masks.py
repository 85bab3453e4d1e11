"""Centers of regions of interest, from the pixels that each one covers."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from neurodsr.sources.nwb_columns import ragged_bounds
from neurodsr.sources.nwb_nodes import Node, read_all, reading
from neurodsr.sources.tree import Dataset

CENTROIDS = ("RoiCentroid", "centroid", "roi_centroid")
PIXELS = ("pixel_mask", "voxel_mask")
AXES = ("x", "y", "z")
MAX_BYTES = 256 * 2**20
"""Size up to which masks are read to find where ROIs lie."""

Centers = Float[np.ndarray, "roi 3"]


def stored_centers(node: Node, n: int) -> Centers | None:
    """The centers that a segmentation lists itself, in pixels; None if it lists none."""
    for name in CENTROIDS:
        data = node.dataset(name)
        if data is not None and data.kind == "number" and data.shape in ((n, 2), (n, 3)):
            return _three(read_all(data, f"{node.where}/{name}").astype(float))
    return None


def mask_centers(node: Node, n: int) -> Centers | None:
    """The weighted mean pixel of each ROI's mask, NaN where it is empty; None without masks.

    Masks of more than 256 MiB are not read for this.
    """
    for name in PIXELS:
        data = node.dataset(name)
        if data is not None and _lists_pixels(data) and _is_small(data):
            return _of_pixels(node, name, n)
    data = node.dataset("image_mask")
    if data is None or data.kind != "number" or data.ndim not in (3, 4) or len(data) != n:
        return None
    return _of_images(data, f"{node.where}/image_mask") if _is_small(data) else None


def _of_pixels(node: Node, name: str, n: int) -> Centers | None:
    """From lists of pixels with weights, one list a ROI."""
    bounds = ragged_bounds(node, name, n=n)
    pixels = read_all(node.dataset(name), f"{node.where}/{name}")
    if bounds is None or pixels.dtype.names is None:
        return None
    axes = [pixels[axis].astype(float) for axis in AXES if axis in pixels.dtype.names]
    weight = np.nan_to_num(pixels["weight"].astype(float))
    centers = np.full((n, len(axes)), np.nan)
    for roi, (a, b) in enumerate(pairwise(bounds)):
        if total := weight[a:b].sum():
            centers[roi] = [(axis[a:b] * weight[a:b]).sum() / total for axis in axes]
    return _three(centers)


def _of_images(data: Dataset, where: str) -> Centers:
    """From one image a ROI, whose axes are x, y (and z) as the schema has it."""
    centers = np.full((len(data), data.ndim - 1), np.nan)
    for roi in range(len(data)):
        with reading(where):
            image = np.nan_to_num(np.asarray(data[roi], dtype=float))
        if not (total := image.sum()):
            continue
        for axis, length in enumerate(image.shape):
            others = tuple(k for k in range(image.ndim) if k != axis)
            centers[roi, axis] = image.sum(axis=others) @ np.arange(length) / total
    return _three(centers)


def _lists_pixels(data: Dataset) -> bool:
    names = data.dtype.names or ()
    return {"x", "y", "weight"} <= set(names) and all(data.dtype[n].kind in "biuf" for n in names)


def _is_small(data: Dataset) -> bool:
    return math.prod(data.shape) * data.dtype.itemsize <= MAX_BYTES


def _three(centers: np.ndarray) -> Centers:
    """x, y, z; a plane has z = 0."""
    full = np.zeros((len(centers), 3))
    full[:, : centers.shape[1]] = centers
    return full
