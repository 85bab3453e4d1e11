"""A NIfTI header is read as nibabel reads it, and refused where it makes no sense."""

from __future__ import annotations

import gzip
import os

import nibabel as nib
import numpy as np
import pytest

from neurodsr.errors import DataError
from neurodsr.sources.nifti_header import is_nifti, read_header

AFFINE = np.array([[-2.0, 0, 0, 30], [0, 2.0, 0.1, -40], [0, -0.1, 3.0, 5], [0, 0, 0, 1]])


@pytest.fixture
def save(tmp_path):
    """A function that writes an image, after `change` was done to its header's fields."""

    def write(name="run.nii", *, kind=nib.Nifti1Image, affine=AFFINE, dtype=np.int16, **change):
        image = kind(np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).astype(dtype), affine)
        image.header.set_xyzt_units("mm", "sec")
        path = tmp_path / name
        nib.save(image, path)
        opened = gzip.open if name.endswith(".gz") else open
        raw = opened(path, "rb").read()
        size = kind.header_class.sizeof_hdr
        header = kind.header_class(raw[:size], check=False)
        for field, value in change.items():
            header[field] = value
        with opened(path, "wb") as file:
            file.write(header.binaryblock + raw[size:])
        return path

    return write


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("name", ["run.nii", "run.nii.gz"])
def test_both_versions_are_read_plain_and_compressed(save, kind, name):
    path = save(name, kind=kind)
    header, image = read_header(path), nib.load(path)
    assert is_nifti(path)
    assert header.shape == image.shape == (2, 3, 4, 5)
    assert header.dtype == image.get_data_dtype()
    assert header.offset == image.dataobj.offset
    assert (header.n_volumes, header.n_voxels, header.volume_bytes) == (5, 24, 48)
    np.testing.assert_allclose(header.affine, image.affine)
    assert (header.length_unit, header.time_unit) == ("mm", "sec")


def test_a_big_endian_file_is_read_as_such(tmp_path):
    image = nib.Nifti1Image(np.ones((2, 2, 2, 3), dtype=">i2"), AFFINE)
    image = nib.Nifti1Image(image.dataobj, AFFINE, image.header.as_byteswapped(">"))
    nib.save(image, tmp_path / "big.nii")
    header = read_header(tmp_path / "big.nii")
    assert header.dtype.byteorder == ">" or header.dtype == np.dtype(">i2")
    assert header.shape == (2, 2, 2, 3)


def test_the_content_and_not_the_name_says_that_a_file_is_nifti(save, tmp_path):
    os.rename(save(), tmp_path / "scan.dat")
    (tmp_path / "text.nii").write_text("no image " * 100)
    (tmp_path / "text.nii.gz").write_bytes(gzip.compress(b"no image " * 100))
    assert is_nifti(tmp_path / "scan.dat")
    assert not is_nifti(tmp_path / "text.nii")
    assert not is_nifti(tmp_path / "text.nii.gz")
    assert not is_nifti(tmp_path / "absent.nii")


def test_a_repetition_time_stored_as_float32_is_the_number_that_was_written(save):
    step = np.array([1, 2, 2, 3, 1.35, 0, 0, 0], dtype=np.float32)
    assert read_header(save(pixdim=step)).time_step == 1.35


def test_the_sform_is_preferred_and_names_the_space(save):
    header = read_header(save(sform_code=4, qform_code=1))
    assert (header.space, header.notes) == ("MNI152", ())


def test_the_qform_is_used_where_there_is_no_sform(save):
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    header = read_header(save(affine=affine, sform_code=0, qform_code=1, quatern_b=0))
    np.testing.assert_allclose(header.affine, affine)
    assert header.space == "scanner"


def test_without_either_form_nothing_is_placed_and_a_note_says_so(save):
    header = read_header(save(sform_code=0, qform_code=0))
    assert header.space == ""
    assert header.notes == ("neither sform nor qform is set: the voxels' positions are unknown",)


def test_forms_of_one_space_that_disagree_are_noted(save):
    header = read_header(save(sform_code=1, qform_code=1, qoffset_x=100.0))
    assert header.notes == ("sform and qform differ by up to 70; the sform was used",)
    assert header.affine[0, 3] == 30


def test_an_unknown_unit_is_unknown(save):
    header = read_header(save(xyzt_units=0))
    assert (header.length_unit, header.time_unit) == ("unknown", "unknown")
    assert read_header(save(xyzt_units=7)).length_unit == "unknown"


NAN_ROW = np.array([np.nan, 0, 0, 1], dtype=np.float32)


@pytest.mark.parametrize(
    ("change", "fix"),
    [
        ({"srow_x": [0, 0, 0, 30]}, "fix: write the image again with the affine"),
        ({"srow_x": NAN_ROW}, "singular or no number\n  fix: write the image again"),
        ({"dim": [4, 2, 3, 0, 5, 1, 1, 1]}, "fix: its first entry counts the axes"),
        ({"dim": [9, 2, 3, 4, 5, 1, 1, 1]}, "fix: its first entry counts the axes"),
        ({"dim": [4, 32767, 32767, 32767, 5, 1, 1, 1]}, "more than 2 GiB\n  fix: check dim"),
        ({"datatype": 77}, "datatype 77 is unknown\n  fix: write numbers"),
        ({"datatype": 128, "bitpix": 24}, "fix: write real numbers"),
        ({"bitpix": 8}, "int16 with 8 bits a voxel\n  fix: write real numbers"),
        ({"vox_offset": 0}, "begin at byte 0\n  fix: write it again: they begin at byte 352"),
        ({"scl_slope": 2.0, "scl_inter": np.inf}, "scl_inter is inf\n  fix: write a number"),
        ({"sform_code": 0, "qform_code": 1, "quatern_b": 3.0}, "fix: write the affine"),
        ({"magic": b"ni1"}, r"fix: write it as one file: nibabel\.save"),
        ({"magic": b"xyz"}, r"magic text is b'xyz\\x00'\n  fix: give a NIfTI-1 or NIfTI-2"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(save, change, fix):
    with pytest.raises(DataError, match=fix):
        read_header(save(**change))


def test_a_file_that_ends_within_its_header_is_refused(save):
    path = save()
    os.truncate(path, 100)
    with pytest.raises(DataError, match="fix: give a NIfTI-1"):
        read_header(path)


def test_gzip_data_that_end_within_the_header_are_refused(save):
    path = save("run.nii.gz")
    os.truncate(path, 40)
    with pytest.raises(DataError, match=r"within the header.*\n  fix: copy or download"):
        read_header(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "absent.nii", tmp_path):
        with pytest.raises(DataError, match="fix: "):
            read_header(path)
