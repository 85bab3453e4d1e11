"""Parcel means are exact, on the run's own voxels, with names, sides and places."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from neurodsr.errors import DataError
from neurodsr.sources.nifti_header import read_header
from neurodsr.sources.parcel_names import hemisphere
from neurodsr.sources.parcels import average, read_parcels, varying_voxels

SHAPE = (4, 5, 3)
AFFINE = np.array([[-3.0, 0, 0, 10], [0, 3.0, 0, -20], [0, 0, 4.0, 7], [0, 0, 0, 1]])
RUN = np.random.default_rng(1).integers(0, 4096, (*SHAPE, 8)).astype(np.int16)
LABELS = np.zeros(SHAPE, dtype=np.uint8)
LABELS[0, :, :], LABELS[1:3, 1, 2], LABELS[3, 4, 0] = 2, 7, 40


@pytest.fixture
def save(tmp_path):
    """A function that writes an image of mm and gives its path."""

    def write(data, name, *, affine=AFFINE):
        image = nib.Nifti1Image(data, affine)
        image.header.set_xyzt_units("mm", "sec")
        nib.save(image, tmp_path / name)
        return str(tmp_path / name)

    return write


@pytest.fixture
def run(save):
    return read_header(save(RUN, "run.nii.gz"))


@pytest.fixture
def labels(save):
    return save(LABELS, "atlas.nii.gz")


def parcels(path, run):
    return read_parcels(path, run, space="scanner")


# Means


def test_parcel_means_are_those_of_their_voxels(run, labels):
    values, valid, notes = average(run, parcels(labels, run))
    expected = np.stack([RUN[n == LABELS].mean(axis=0) for n in (2, 7, 40)], axis=1)
    np.testing.assert_array_equal(values, expected.astype(np.float32))
    assert values.dtype == np.float32
    assert valid.all()
    assert notes == ()


def test_the_scaling_of_the_header_is_applied(save, labels):
    image = nib.Nifti1Image(RUN, AFFINE)
    image.header.set_slope_inter(0.25, -100.0)
    path = labels.replace("atlas", "scaled")
    nib.save(image, path)
    values, _, _ = average(read_header(path), parcels(labels, read_header(path)))
    np.testing.assert_array_equal(values[:, 2], RUN[3, 4, 0] * 0.25 - 100)


def test_nan_voxels_are_left_out_and_counted_and_a_parcel_of_nan_is_masked(save, labels):
    data = RUN.astype(np.float32)
    data[0, 0, 0, 3], data[3, 4, 0, 5] = np.nan, np.inf
    header = read_header(save(data, "holes.nii.gz"))
    values, valid, notes = average(header, parcels(labels, header))
    inside = LABELS == 2
    inside[0, 0, 0] = False
    assert values[3, 0] == np.float32(RUN[inside].mean(axis=0)[3])
    assert np.argwhere(~valid).tolist() == [[5, 2]]
    assert values[5, 2] == 0
    assert notes == ("2 voxel values that are NaN or infinite were left out",)


def test_a_constant_parcel_is_noted(save, labels):
    data = RUN.copy()
    data[3, 4, 0] = 100
    header = read_header(save(data, "flat.nii.gz"))
    assert average(header, parcels(labels, header))[2] == ("constant throughout: label-40",)


# Names and places


def test_a_table_of_the_image_s_name_names_the_labels(run, labels, tmp_path):
    (tmp_path / "atlas.tsv").write_text(
        "index\tname\n2\t7Networks_LH_Vis_1\n7\tRight-Amygdala\n9\tGone_L\n"
    )
    found = parcels(labels, run)
    assert found.channels.ids == ("7Networks_LH_Vis_1", "Right-Amygdala", "label-40")
    assert found.channels.regions == ("7Networks_LH_Vis_1", "Right-Amygdala", "")
    assert found.channels.hemispheres == ("left", "right", "")
    assert found.channels.anatomy_sources == ("label image atlas.nii.gz",) * 3
    assert found.notes == ("labels without voxels: Gone_L", "labels without a name: label-40")


def test_without_a_table_labels_are_numbered_and_regions_unknown(run, labels):
    found = parcels(labels, run)
    assert found.channels.ids == ("label-2", "label-7", "label-40")
    assert found.channels.regions == ("", "", "")
    assert found.notes == ()


def test_names_that_occur_twice_are_told_apart_by_their_labels(run, labels, tmp_path):
    (tmp_path / "atlas.tsv").write_text("index\tname\themi\n2\tV1\tL\n7\tV1\tR\n40\tn/a\tn/a\n")
    found = parcels(labels, run).channels
    assert found.ids == ("V1 label-2", "V1 label-7", "label-40")
    assert found.regions == ("V1", "V1", "")
    assert found.hemispheres == ("left", "right", "")


def test_parcels_lie_at_the_centers_of_their_voxels_in_the_header_s_unit(run, labels):
    found = parcels(labels, run).channels
    # (1..2, 1, 2) in the mean, and the one voxel (3, 4, 0), through the affine.
    np.testing.assert_allclose(found.positions[1:], [[5.5, -17, 15], [1, -8, 7]])
    assert found.located.all()
    assert found.position_units == ("mm",) * 3
    assert found.spaces == ("scanner",) * 3


def test_without_a_declared_space_nothing_is_located(save, labels):
    image = nib.Nifti1Image(RUN, None)
    image.header.set_qform(None, 0)
    path = labels.replace("atlas", "nowhere")
    nib.save(image, path)
    header = read_header(path)
    nib.save(nib.Nifti1Image(LABELS, header.affine), labels)
    found = parcels(labels, header).channels
    assert not found.located.any()
    assert found.position_units == found.spaces == ("unknown",) * 3


@pytest.mark.parametrize(
    ("name", "side"),
    [("7Networks_LH_Vis_1", "left"), ("17Networks_RH_DefaultA_PFCd_1", "right"), ("V1_R", "right"),
     ("ctx-lh-bankssts", "left"), ("Left-Thalamus", "left"), ("left amygdala", "left"),
     ("Vermis", ""), ("Lingual", ""), ("L_to_R", "")],
)  # fmt: skip
def test_the_side_is_read_from_a_name_only_where_it_says_one(name, side):
    assert hemisphere(name) == side


# Label images


def test_labels_stored_as_whole_floats_in_one_volume_of_four_axes_are_labels(run, save):
    path = save(LABELS.astype(np.float32)[..., None], "float.nii.gz")
    assert parcels(path, run).channels.ids == ("label-2", "label-7", "label-40")


@pytest.mark.parametrize("shape", [(4, 5, 4), (*SHAPE, 2)])
def test_a_label_image_of_another_shape_is_refused_with_both_shapes(run, save, shape):
    path = save(np.ones(shape, dtype=np.uint8), "other.nii")
    with pytest.raises(DataError) as caught:
        parcels(path, run)
    assert str(shape) in caught.value.what
    assert str(SHAPE) in caught.value.what
    assert "resample it to the run, with nearest neighbors" in caught.value.fix


def test_a_label_image_with_another_affine_is_refused_with_both(run, save):
    moved = AFFINE.copy()
    moved[0, 3] = 10.01
    with pytest.raises(DataError, match=r"10\.01.*, the run .*10\.0.*\n  fix: resample it"):
        parcels(save(LABELS, "moved.nii", affine=moved), run)
    moved[0, 3] = 10.0005
    assert len(parcels(save(LABELS, "close.nii", affine=moved), run).channels) == 3


@pytest.mark.parametrize(
    ("data", "fix"),
    [
        (np.full(SHAPE, 0.5, dtype=np.float32), "such as 0.5\n  fix: .*probabilities"),
        (np.full(SHAPE, -1, dtype=np.int16), "such as -1\n  fix: give a label image"),
        (np.zeros(SHAPE, dtype=np.int16), "0 labels;.*\n  fix: give a label image: whole numbers"),
    ],
)
def test_what_is_no_label_image_is_refused(run, save, data, fix):
    with pytest.raises(DataError, match=fix):
        parcels(save(data, "wrong.nii"), run)


def test_an_image_of_intensities_is_no_label_image(save):
    data = np.arange(30**3, dtype=np.int32).reshape(30, 30, 30)
    run = read_header(save(data[..., None].repeat(2, axis=3), "large.nii"))
    with pytest.raises(DataError, match=r"26999 labels.*\n  fix: give a label image"):
        parcels(save(data, "intensities.nii"), run)


def test_a_table_without_index_and_name_is_refused(run, labels, tmp_path):
    (tmp_path / "atlas.tsv").write_text("label\tregion\n2\tV1\n")
    with pytest.raises(DataError, match="label, region\n  fix: give it the columns index"):
        parcels(labels, run)


# Voxels


def test_every_voxel_that_changes_is_a_channel_named_by_its_indices(save):
    data = np.zeros((*SHAPE, 4), dtype=np.int16)
    data[1, 2, 0, 2], data[3, 4, 2, :] = 5, [1, 2, 3, 4]
    header = read_header(save(data, "few.nii"))
    found = varying_voxels(header, space="scanner")
    values, _, _ = average(header, found)
    assert found.channels.ids == ("1,2,0", "3,4,2")
    assert values.T.tolist() == [[0, 0, 5, 0], [1, 2, 3, 4]]
    np.testing.assert_allclose(found.channels.positions[0], [7, -14, 7])


def test_more_than_2000_voxels_are_refused(save):
    header = read_header(save(np.zeros((20, 20, 6, 2), dtype=np.int16), "many.nii"))
    with pytest.raises(DataError, match=r"2400 voxels.*\n  fix: average them within parcels: path"):
        varying_voxels(header, space="scanner")


def test_an_image_in_which_nothing_changes_is_refused(save):
    header = read_header(save(np.ones((*SHAPE, 3), dtype=np.int16), "still.nii"))
    with pytest.raises(DataError, match=r"no voxel changes.*\n  fix: check how the image"):
        varying_voxels(header, space="scanner")
