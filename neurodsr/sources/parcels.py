"""Parcels of a label image on the voxels of a run, and their mean signal volume by volume."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from neurodsr.data.channels import Channels
from neurodsr.errors import DataError
from neurodsr.sources.nifti_header import NiftiHeader, read_header
from neurodsr.sources.nifti_volumes import check_stored, read_volumes
from neurodsr.sources.nwb_nodes import name_some
from neurodsr.sources.parcel_names import name_labels

MAX_PARCELS = 10_000
MAX_VOXELS = 2_000
SAME_PLACE = 1e-3
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Parcels:
    """Which voxels are averaged into which channel.

    Parameters
    ----------
    voxels
        Flat index of each voxel that is used, first axis fastest.
    members
        Channel that each of these voxels belongs to.
    channels
        Names and places of the parcels.
    notes
        What of the label image or its table was not used.
    """

    voxels: Int[np.ndarray, " voxel"]
    members: Int[np.ndarray, " voxel"]
    channels: Channels
    notes: tuple[str, ...] = ()


def read_parcels(path: str, run: NiftiHeader, *, space: str) -> Parcels:
    """The parcels of a label image on the voxels of a run; 0 is background.

    Nothing is resampled: a label image on other voxels is refused.

    Parameters
    ----------
    run
        Header of the run; the label image must have its shape and, to 0.001, its affine.
    space
        Coordinate space of the run.

    Raises
    ------
    DataError
        Another shape or affine, labels that are no whole numbers, none, or more than 10,000.
    """
    header = read_header(path)
    _refuse_other_voxels(header, run)
    check_stored(header)
    labels = _whole_labels(next(read_volumes(header)), path)
    voxels = np.flatnonzero(labels)
    numbers, members = np.unique(labels[voxels], return_inverse=True)
    if not 1 <= len(numbers) <= MAX_PARCELS:
        raise DataError(
            f"{len(numbers)} labels; a parcellation has 1 to {MAX_PARCELS}",
            where=path,
            fix="give a label image: whole numbers, 0 outside the parcels",
        )
    names, members = name_labels(path, numbers), members.reshape(-1)
    channels = Channels(
        ids=names.ids,
        regions=names.regions,
        hemispheres=names.hemispheres,
        anatomy_sources=(f"label image {os.path.basename(path)}",) * len(numbers),
        **_places(voxels, members, run, space=space),
    )
    return Parcels(voxels, members, channels, names.notes)


def varying_voxels(run: NiftiHeader, *, space: str) -> Parcels:
    """Every voxel whose value changes, as a channel named x,y,z; for images of few voxels only.

    Raises
    ------
    DataError
        The run has more than 2,000 voxels, or none of them changes.
    """
    if run.n_voxels > MAX_VOXELS:
        raise DataError(
            f"{run.n_voxels} voxels; at most {MAX_VOXELS} are read one by one",
            where=run.path,
            fix="average them within parcels: path: bold@LABELS.nii.gz",
        )
    low, high = np.full(run.n_voxels, np.inf), np.full(run.n_voxels, -np.inf)
    for volume in read_volumes(run):
        low, high = np.fmin(low, volume), np.fmax(high, volume)
    voxels = np.flatnonzero(low < high)
    if not len(voxels):
        raise DataError(
            "no voxel changes over the run", where=run.path, fix="check how the image was written"
        )
    members = np.arange(len(voxels))
    xyz = np.column_stack(np.unravel_index(voxels, run.shape[:3], order="F"))
    ids = tuple(",".join(map(str, v)) for v in xyz)
    return Parcels(voxels, members, Channels(ids, **_places(voxels, members, run, space=space)))


def average(
    run: NiftiHeader, parcels: Parcels
) -> tuple[Float[np.ndarray, "volume parcel"], Bool[np.ndarray, "volume parcel"], tuple[str, ...]]:
    """Mean of each parcel in every volume, as float32, in one pass over the file.

    Sums are float64. NaN and infinite voxels are left out of the means and counted; a parcel
    without any number in a volume is masked there.

    Returns
    -------
    Values, which of them are valid, and notes.
    """
    n_parcels = len(parcels.channels)
    values = np.zeros((run.n_volumes, n_parcels), dtype=np.float32)
    valid = np.zeros(values.shape, dtype=bool)
    n_lost = 0
    for t, volume in enumerate(read_volumes(run)):
        inside = volume[parcels.voxels]
        finite = np.isfinite(inside)
        n_lost += int((~finite).sum())
        number = np.bincount(parcels.members[finite], minlength=n_parcels)
        total = np.bincount(parcels.members[finite], inside[finite], minlength=n_parcels)
        means = total / np.maximum(number, 1)
        valid[t] = (number > 0) & (np.abs(means) <= LARGEST)
        values[t] = np.where(valid[t], means, 0.0)
    notes = [f"{n_lost} voxel values that are NaN or infinite were left out"] if n_lost else []
    flat = np.ptp(np.where(valid, values, values.max(axis=0)), axis=0) == 0
    if flat.any() and run.n_volumes > 1:
        ids = [parcels.channels.ids[i] for i in np.flatnonzero(flat)]
        notes.append(f"constant throughout: {name_some(ids, limit=5)}")
    return values, valid, tuple(notes)


def _refuse_other_voxels(labels: NiftiHeader, run: NiftiHeader) -> None:
    resample = "resample it to the run, with nearest neighbors: nilearn.image.resample_to_img"
    single = len(labels.shape) == 3 or labels.shape[3:] == (1,)
    if not single or labels.shape[:3] != run.shape[:3]:
        raise DataError(
            f"the label image has shape {labels.shape}, the run {run.shape[:3]} and time",
            where=labels.path,
            fix=resample,
        )
    if not np.abs(labels.affine - run.affine).max() <= SAME_PLACE:
        both = (np.round(h.affine[:3], 4).tolist() for h in (labels, run))
        raise DataError(
            "the label image has the affine {}, the run {}".format(*both),
            where=labels.path,
            fix=resample,
        )


def _whole_labels(stored: Float[np.ndarray, " voxel"], path: str) -> Int[np.ndarray, " voxel"]:
    labels = np.where(np.isfinite(stored), stored, 0.0)
    wrong = np.flatnonzero((labels != np.round(labels)) | (labels < 0) | (labels > 2**53))
    if len(wrong):
        raise DataError(
            f"{len(wrong)} labels are no whole numbers from 0, such as {labels[wrong[0]]:g}",
            where=path,
            fix="give a label image; one of probabilities must be thresholded first",
        )
    return labels.astype(np.int64)


def _places(
    voxels: Int[np.ndarray, " voxel"],
    members: Int[np.ndarray, " voxel"],
    run: NiftiHeader,
    *,
    space: str,
) -> dict[str, Any]:
    """Mean position of each parcel's voxels, through the affine, if that places anything."""
    n = int(members.max()) + 1
    if not run.space:
        return {}
    xyz = np.column_stack(np.unravel_index(voxels, run.shape[:3], order="F"))
    totals = np.column_stack([np.bincount(members, axis) for axis in xyz.T])
    means = totals / np.bincount(members)[:, None]
    return {
        "positions": means @ run.affine[:3, :3].T + run.affine[:3, 3],
        "located": np.ones(n, dtype=bool),
        "position_units": (run.length_unit,) * n,
        "spaces": (space,) * n,
    }
