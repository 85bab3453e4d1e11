"""What the scan refuses before any NWB reader opens a file, with fix and exit code."""

from __future__ import annotations

import os

import h5py
import numpy as np
import pytest

from neurodsr.errors import DataError, IntegrityError
from neurodsr.sources.safety import scan_hdf5


@pytest.fixture
def hdf5(tmp_path):
    """An HDF5 file that says it is NWB 2, open for tampering."""
    with h5py.File(tmp_path / "odd.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        yield file


def scan(file: h5py.File) -> str:
    path = file.filename
    file.close()
    return scan_hdf5(path)


def refusal(file: h5py.File, kind: type[Exception] = IntegrityError):
    with pytest.raises(kind) as caught:
        scan(file)
    return caught.value


def test_a_sound_nwb_file_gives_its_version(position_file):
    assert scan_hdf5(position_file).startswith("2.")


def test_links_within_the_file_and_cycles_are_fine(hdf5):
    hdf5["a"] = np.arange(3)
    hdf5["same"] = h5py.SoftLink("/a")
    hdf5["loop"] = hdf5["/"]
    assert scan(hdf5) == "2.7.0"


def test_an_empty_dataset_without_a_shape_is_fine(hdf5):
    hdf5["nothing"] = h5py.Empty("f8")
    assert scan(hdf5) == "2.7.0"


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="fix: check the path") as caught:
        scan_hdf5(tmp_path / "nowhere.nwb")
    assert caught.value.exit_code == 3


def test_a_broken_link_is_named_as_one(tmp_path):
    (tmp_path / "a.nwb").symlink_to(tmp_path / "gone.nwb")
    with pytest.raises(DataError, match="a link to a file that does not exist"):
        scan_hdf5(tmp_path / "a.nwb")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"a folder, not a file\n  fix: give the path of one NWB"):
        scan_hdf5(tmp_path)


@pytest.mark.timeout(10)
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.nwb")
    with pytest.raises(DataError, match="a pipe, socket or device, not a file"):
        scan_hdf5(tmp_path / "pipe.nwb")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.nwb").touch()
    with pytest.raises(DataError, match=r"is empty\n  fix: copy or download it again"):
        scan_hdf5(tmp_path / "empty.nwb")


def test_a_file_that_is_not_hdf5_is_refused(tmp_path):
    (tmp_path / "notes.nwb").write_text("time,value\n" * 200)
    with pytest.raises(DataError, match=r"not HDF5.*\n  fix: give an NWB file"):
        scan_hdf5(tmp_path / "notes.nwb")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused_with_both_sizes(position_file, part):
    content = position_file.read_bytes()
    position_file.write_bytes(content[: int(part * len(content))])
    with pytest.raises(DataError, match=r"truncated: \d+ bytes of the \d+.*\n  fix: copy or down"):
        scan_hdf5(position_file)


def test_a_damaged_superblock_is_refused(position_file):
    content = bytearray(position_file.read_bytes())
    content[8:64] = b"\xff" * 56
    position_file.write_bytes(content)
    with pytest.raises(DataError, match="fix: copy or download it again"):
        scan_hdf5(position_file)


def test_an_external_link_is_refused_and_named(hdf5):
    hdf5["acquisition/raw"] = h5py.ExternalLink("/etc/passwd", "/x")
    error = refusal(hdf5)
    assert "acquisition/raw (external link to /etc/passwd:/x)" in error.what
    assert "self-contained copy" in error.fix
    assert error.exit_code == 8


def test_external_storage_is_refused_and_named(hdf5):
    hdf5.create_dataset("stolen", (5,), "u1", external=[("/etc/passwd", 0, 5)])
    assert "stolen (external storage in /etc/passwd)" in refusal(hdf5).what


def test_a_virtual_dataset_is_refused_and_named(hdf5):
    layout = h5py.VirtualLayout((10,), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "x", (10,))
    hdf5.create_virtual_dataset("v", layout)
    assert "v (virtual dataset)" in refusal(hdf5).what


def test_a_soft_link_to_nowhere_in_the_file_is_refused(hdf5):
    hdf5["lost"] = h5py.SoftLink("/../../other")
    assert "lost (soft link to /../../other" in refusal(hdf5).what


def test_all_objects_that_point_outside_are_listed(hdf5):
    for i in range(12):
        hdf5[f"link{i:02d}"] = h5py.ExternalLink("other.h5", "/x")
    error = refusal(hdf5)
    assert "12 objects" in error.what
    assert error.what.endswith("and 2 more")


def test_a_dataset_of_8_tb_in_a_small_file_is_refused_before_it_is_read(hdf5):
    hdf5.create_dataset("bomb", (10**12,), "f8", chunks=(1000,))
    error = refusal(hdf5, DataError)
    assert "declares 7450.6 GiB" in error.what
    assert "bomb" in error.where
    assert "real shape" in error.fix
    assert error.exit_code == 3


def test_a_chunk_of_more_than_1_gib_is_refused(hdf5):
    hdf5.create_dataset("wide", (2**28,), "f8", chunks=(2**28,))
    assert "h5repack" in refusal(hdf5, DataError).fix


def test_hdf5_that_is_not_nwb_is_refused_naming_what_its_root_holds(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["spikes"] = [1.0]
    with pytest.raises(DataError, match=r"root holds spikes\n  fix: convert it to NWB 2"):
        scan_hdf5(tmp_path / "other.h5")


def test_nwb_1_is_refused_naming_its_version(tmp_path):
    with h5py.File(tmp_path / "old.nwb", "w") as file:
        file["nwb_version"] = "NWB-1.0.6"
    with pytest.raises(DataError, match=r"version 'NWB-1.0.6'.*\n  fix: ask for an NWB 2 copy"):
        scan_hdf5(tmp_path / "old.nwb")
