"""Centers of cells from their masks: weighted means, empty masks, masks too large to read."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from neurodsr.sources import nwb_masks
from neurodsr.sources.hdf5_tree import Hdf5Tree
from neurodsr.sources.nwb_masks import mask_centers, stored_centers
from neurodsr.sources.nwb_nodes import Node

PIXEL = [("x", "u4"), ("y", "u4"), ("weight", "f4")]
VOXEL = [("x", "u4"), ("y", "u4"), ("z", "u4"), ("weight", "f4")]


@pytest.fixture
def segmented(tmp_path):
    """A function that writes datasets of a segmentation and gives its node."""
    trees = []

    def write(**datasets):
        path = tmp_path / "cells.nwb"
        with h5py.File(path, "w") as file:
            for name, values in datasets.items():
                file[f"cells/{name}"] = values
        trees.append(Hdf5Tree(str(path)))
        tree = trees[-1]
        return Node("cells", ("PlaneSegmentation",), tree.get("cells"), tree)

    yield write
    for tree in trees:
        tree.close()


def test_pixels_count_by_their_weight_and_a_cell_without_any_has_no_center(segmented):
    pixels = np.array([(2, 4, 1), (4, 4, 3), (9, 9, 0)], dtype=PIXEL)
    node = segmented(pixel_mask=pixels, pixel_mask_index=np.array([2, 2, 3], dtype=np.uint8))
    centers = mask_centers(node, 3)
    assert centers[0].tolist() == [3.5, 4, 0]
    assert np.isnan(centers[1:, :2]).all()


def test_voxels_have_three_coordinates(segmented):
    voxels = np.array([(1, 2, 3, 1), (3, 4, 5, 1)], dtype=VOXEL)
    node = segmented(voxel_mask=voxels, voxel_mask_index=np.array([2]))
    assert mask_centers(node, 1).tolist() == [[2, 3, 4]]


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 3)])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_the_center_of_an_image_is_its_mean_pixel(segmented, shape, seed):
    images = np.random.default_rng(seed).random((5, *shape)).astype(np.float32)
    images[2] = 0
    centers = mask_centers(segmented(image_mask=images), 5)
    axes = np.meshgrid(*map(np.arange, shape), indexing="ij")
    for image, center in zip(images[[0, 1, 3, 4]], centers[[0, 1, 3, 4]], strict=True):
        mean = [np.average(axis, weights=image) for axis in axes]
        # float32 masks: a relative rounding of 2^-24 a pixel.
        np.testing.assert_allclose(center[: len(shape)], mean, rtol=1e-5)
    assert np.isnan(centers[2, 0])


def test_masks_that_are_too_large_are_not_read(segmented, monkeypatch):
    monkeypatch.setattr(nwb_masks, "MAX_BYTES", 100)
    assert mask_centers(segmented(image_mask=np.ones((5, 6, 4))), 5) is None


@pytest.mark.parametrize(
    "datasets",
    [
        {},
        {"image_mask": np.ones((4, 6, 4))},
        {"image_mask": np.ones((5, 6))},
        {"pixel_mask": np.ones((5, 3))},
        {"pixel_mask": np.zeros(5, dtype=PIXEL)},
    ],
    ids=["none", "another number", "no images", "no pixels", "no index"],
)
def test_what_is_no_mask_of_each_cell_tells_nothing(segmented, datasets):
    assert mask_centers(segmented(id=np.arange(5), **datasets), 5) is None


@pytest.mark.parametrize("name", ["RoiCentroid", "centroid"])
def test_centers_that_a_file_lists_itself_are_taken_as_they_are(segmented, name):
    node = segmented(**{name: np.array([[86, 58], [1, 2]])})
    assert stored_centers(node, 2).tolist() == [[86, 58, 0], [1, 2, 0]]
    assert stored_centers(node, 3) is None
