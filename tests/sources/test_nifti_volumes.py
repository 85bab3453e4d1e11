"""Volumes are read one by one as nibabel gives them, and a file that lacks bytes is refused."""

from __future__ import annotations

import gzip
import os
import tracemalloc

import nibabel as nib
import numpy as np
import pytest

from neurodsr.errors import DataError
from neurodsr.sources.nifti_header import read_header
from neurodsr.sources.nifti_volumes import check_stored, read_volumes

NOISE = np.random.default_rng(0).integers(-1000, 1000, (5, 4, 3, 6)).astype(np.int16)
EXTRA = ("bytes follow the last volume: is the number of volumes in the header right?",)


@pytest.fixture(params=["run.nii", "run.nii.gz"])
def path(request, tmp_path):
    image = nib.Nifti1Image(NOISE, np.eye(4))
    image.header.set_slope_inter(0.5, 3.0)
    nib.save(image, tmp_path / request.param)
    return tmp_path / request.param


def damage(path, change):
    path.write_bytes(change(path.read_bytes()))


def test_volumes_are_scaled_and_in_order(path):
    volumes = list(read_volumes(read_header(path)))
    expected = np.asarray(nib.load(path).dataobj)
    assert len(volumes) == 6
    for t, volume in enumerate(volumes):
        np.testing.assert_array_equal(volume.reshape((5, 4, 3), order="F"), expected[..., t])


def test_a_whole_file_passes_without_a_note(path):
    assert check_stored(read_header(path)) == ()


@pytest.mark.parametrize("kept", [0.9, 0.99])
def test_missing_bytes_are_refused_with_both_sizes(path, kept):
    damage(path, lambda raw: raw[: int(kept * len(raw))])
    header = read_header(path)
    with pytest.raises(DataError, match=r"declares 1072 bytes, it holds \d+\n  fix: copy or down"):
        check_stored(header)
    with pytest.raises(DataError, match=r"(of|declares) 1072 bytes(.|\n)*fix: copy or download"):
        list(read_volumes(header))


def test_a_compressed_file_cut_before_its_first_volume_is_refused(path, tmp_path):
    raw = (gzip.open if path.suffix == ".gz" else open)(path, "rb").read()
    short = tmp_path / "short.nii.gz"
    short.write_bytes(gzip.compress(raw[:400]))
    header = read_header(short)
    with pytest.raises(DataError, match="declares 1072 bytes, it holds 400\n  fix: copy"):
        check_stored(header)
    with pytest.raises(DataError, match="declares 1072 bytes, it holds 400\n  fix: copy"):
        list(read_volumes(header))


def test_more_than_deflate_can_hold_is_refused_without_inflating(tmp_path):
    """65 GB in less than 1 kB of gzip: the header alone says that this cannot be."""
    image = nib.Nifti1Image(np.zeros((100, 100, 100, 1), dtype=np.int16), np.eye(4))
    header = image.header
    header["dim"][4], header["vox_offset"], header["magic"] = 32767, 352, b"n+1"
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(header.binaryblock + bytes(1000)))
    with pytest.raises(
        DataError, match=r"declares 65534000352 bytes.*cannot hold them\n  fix: copy"
    ):
        check_stored(read_header(path))


def test_bytes_after_the_last_volume_are_noted_and_not_read(path):
    if path.suffix == ".gz":
        damage(path, lambda raw: gzip.compress(gzip.decompress(raw) + bytes(50_000_000)))
    else:
        damage(path, lambda raw: raw + bytes(100))
    header = read_header(path)
    assert check_stored(header) == EXTRA
    assert len(list(read_volumes(header))) == 6


def test_a_file_of_several_gzip_members_is_whole(path):
    if path.suffix != ".gz":
        path = path.rename(path.with_suffix(".nii.gz"))
        damage(path, gzip.compress)
    damage(path, lambda raw: raw[:0].join(_members(gzip.decompress(raw))))
    header = read_header(path)
    assert check_stored(header) == ()
    assert len(list(read_volumes(header))) == 6


def _members(raw):
    return [gzip.compress(raw[i : i + 500]) for i in range(0, len(raw), 500)]


def test_a_flipped_bit_in_compressed_data_is_found(tmp_path):
    path = tmp_path / "run.nii.gz"
    nib.save(nib.Nifti1Image(NOISE, np.eye(4)), path)
    raw = bytearray(path.read_bytes())
    raw[-8] ^= 1  # of the checksum
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"damaged after 1072 of 1072 bytes.*\n  fix: copy or down"):
        list(read_volumes(read_header(path)))


def test_a_file_that_changes_while_it_is_read_is_refused(path):
    volumes = read_volumes(read_header(path))
    next(volumes)
    os.utime(path, ns=(0, 0))
    with pytest.raises(DataError, match=r"modified while.*\n  fix: wait until the program"):
        list(volumes)


@pytest.mark.parametrize("name", ["long.nii", "long.nii.gz"])
def test_a_long_run_is_read_with_few_volumes_in_memory(tmp_path, name):
    """A run of 39 MB, whose volumes are 0.13 MB each, and 0.5 MB in float64."""
    path = tmp_path / name
    data = np.zeros((64, 64, 16, 300), dtype=np.int16, order="F")
    image = nib.Nifti1Image(data, np.diag([1.0, 2, 3, 1]))
    nib.save(image, path)
    header = read_header(path)
    tracemalloc.start()
    check_stored(header)
    total = sum(volume.sum() for volume in read_volumes(header))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 0
    assert peak < 20 * header.volume_bytes
