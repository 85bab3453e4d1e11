"""Recognizing files and folders: every format by its bytes, and a way out for everything else."""

from __future__ import annotations

import gzip
import json
import os
import zipfile

import numpy as np
import pytest
import scipy.io

from neurodsr.errors import DataError
from neurodsr.sources.recognize import recognize


def write_npz(path):
    with open(path, "wb") as file:
        np.savez(file, x=np.zeros(3))


def write_npy(path):
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))


def write_mat(path):
    scipy.io.savemat(path, {"x": np.zeros((4, 2))}, appendmat=False)


def write_csv(path):
    path.write_text("a,b\n1,2\n3,4\n")


@pytest.mark.parametrize(
    ("write", "expected"),
    [(write_npz, "npz"), (write_npy, "npy"), (write_mat, "mat"), (write_csv, "csv")],
)
def test_a_file_is_known_by_its_bytes(tmp_path, write, expected):
    write(tmp_path / "data.dat")
    assert recognize(tmp_path / "data.dat") == expected


@pytest.mark.parametrize(
    "text",
    [
        "t\tx\n0.1\t1\n0.2\t2\n",
        "t;x\n0,1;1\n0,2;2\n",
        "# speed over time\n0.1 1\n0.2 2\n",
        "\ufeffµV,x\n1,2\n3,4\n",
        "x\n1\n2\n3\n",
        "1.5\n2.5\n",
    ],
    ids=["tab", "semicolon", "spaces", "byte-order mark", "one column", "no header"],
)
def test_text_with_columns_is_a_table(tmp_path, text):
    (tmp_path / "a").write_text(text, encoding="utf-8")
    assert recognize(tmp_path / "a") == "csv"


@pytest.mark.parametrize(
    "text",
    ["these are notes, not a recording", "Dear lab,\nthe file is\nattached.\n", "{\n}\n"],
)
def test_text_without_columns_is_no_table(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=r"unknown format(.|\n)*fix: formats understood: NWB 2 on"):
        recognize(tmp_path / "a.csv")


def test_the_first_bytes_of_an_unknown_file_are_shown(tmp_path):
    (tmp_path / "a").write_bytes(b"\x00\x01strange" * 100)
    with pytest.raises(DataError, match=r"begins with b'\\x00\\x01strang'.*\n  fix: .*MATLAB"):
        recognize(tmp_path / "a")


def test_an_office_document_is_told_how_to_become_a_table(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "")
    with pytest.raises(DataError, match="a sheet can be saved as CSV"):
        recognize(tmp_path / "a.xlsx")


def test_a_zip_archive_of_other_things_is_to_be_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", "x\n1\n")
    with pytest.raises(DataError, match=r"a zip archive of a\.csv; unpack it"):
        recognize(tmp_path / "a.zip")


def test_gzip_that_is_no_image_is_to_be_unpacked(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with pytest.raises(DataError, match="unpack it with gunzip"):
        recognize(tmp_path / "a.csv.gz")


def test_text_in_utf16_is_to_be_saved_in_utf8(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n", encoding="utf-16")
    with pytest.raises(DataError, match="save it in UTF-8"):
        recognize(tmp_path / "a.csv")


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="a pipe, socket or device"):
        recognize(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("name", "document", "expected"),
    [
        (".zattrs", {"nwb_version": "2.7.0"}, "nwb-zarr"),
        ("zarr.json", {"attributes": {"nwb_version": "2.8.0"}}, "nwb-zarr"),
        ("zarr.json", {"attributes": {}}, "zarr"),
        ("zarr.json", {"attributes": None}, "zarr"),
        ("zarr.json", [], "zarr"),
    ],
)
def test_a_zarr_folder_is_nwb_if_it_says_so(tmp_path, name, document, expected):
    (tmp_path / ".zgroup").write_text("{}")
    (tmp_path / name).write_text(json.dumps(document))
    assert recognize(tmp_path) == expected


def test_a_folder_of_something_else_gets_the_kinds_that_are_understood(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"with notes\.txt\n  fix: .*a BIDS dataset.*suite2p"):
        recognize(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_says_how_to_allow_it(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(DataError, match=r"fix: chmod u\+rx closed"):
        recognize(tmp_path / "closed")
