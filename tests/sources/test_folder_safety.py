"""Zarr folders that lead out, lie about their size, or are damaged: each refused by its class."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import zarr

from neurodsr.errors import DataError, IntegrityError
from neurodsr.sources.folder_safety import scan_zarr_folder
from neurodsr.sources.zarr_open import open_zarr_tree


@pytest.fixture
def folder(tmp_path):
    """A folder of format 2 with one small array `x`."""
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    root.create_array("x", data=np.arange(8.0), chunks=(4,))
    return tmp_path / "a.zarr"


@pytest.fixture
def folder3(tmp_path):
    """The same of format 3."""
    root = zarr.open_group(tmp_path / "b.zarr", mode="w", zarr_format=3)
    root.create_array("x", data=np.arange(8.0), chunks=(4,))
    return tmp_path / "b.zarr"


GONE = object()


def edit(path, **fields):
    """Change fields of a metadata document, or take them out."""
    document = json.loads(path.read_text("utf-8")) | fields
    document = {name: value for name, value in document.items() if value is not GONE}
    path.write_text(json.dumps(document), encoding="utf-8")


def test_a_sound_folder_passes(folder, folder3):
    scan_zarr_folder(str(folder))
    scan_zarr_folder(str(folder3))


def refuse_link(folder):
    with pytest.raises(IntegrityError, match="or export a self-contained copy") as e:
        scan_zarr_folder(str(folder))
    assert e.value.exit_code == 8
    return e.value.what


def test_a_link_to_a_file_is_refused_by_name(folder):
    (folder / "x" / "9").symlink_to("/etc/hostname")
    assert refuse_link(folder) == "1 objects lead out of the folder: x/9"


def test_a_link_to_a_folder_is_refused(folder, tmp_path):
    (folder / "elsewhere").symlink_to(tmp_path)
    assert "elsewhere" in refuse_link(folder)


def test_a_broken_link_is_refused(folder):
    (folder / "x" / "9").symlink_to("nowhere")
    assert "x/9" in refuse_link(folder)


def test_a_pipe_is_refused_and_never_opened(folder):
    os.mkfifo(folder / "x" / "9")
    assert "x/9" in refuse_link(folder)


def test_of_many_links_ten_are_named(folder):
    for i in range(12):
        (folder / f"link{i:02}").symlink_to("nowhere")
    assert refuse_link(folder).endswith("link09 and 2 more")


@pytest.mark.parametrize("target", ["../secrets", "/a/../../b"])
@pytest.mark.parametrize("source", [".", "../other.zarr"])
def test_a_link_inside_the_attributes_that_leads_out_is_refused(folder, target, source):
    link = {"name": "y", "path": target, "source": source}
    (folder / ".zattrs").write_text(json.dumps({"zarr_link": [link]}), encoding="utf-8")
    with pytest.raises(IntegrityError, match="or export a self-contained copy"):
        open_zarr_tree(str(folder)).root.names()


def refuse_data(folder, fix):
    with pytest.raises(DataError, match=f"fix: {fix}") as e:
        scan_zarr_folder(str(folder))
    assert e.value.exit_code == 3
    return e.value.what


def test_eight_terabytes_in_two_kilobytes_are_refused(folder):
    edit(folder / "x" / ".zarray", shape=[10**12], chunks=[10**6])
    assert "declares 7450.6 GiB" in refuse_data(folder, "write the array again with its real shape")


def test_eight_terabytes_in_two_kilobytes_are_refused_of_format_3(folder3):
    edit(folder3 / "x" / "zarr.json", shape=[10**12])
    assert "declares 7450.6 GiB" in refuse_data(
        folder3, "write the array again with its real shape"
    )


def test_a_chunk_of_two_gib_is_refused(folder):
    edit(folder / "x" / ".zarray", chunks=[2**28])
    assert "one chunk" in refuse_data(folder, "write the array again with smaller")


def test_attributes_of_fifty_megabytes_are_refused_unread(folder):
    (folder / ".zattrs").write_bytes(b'{"a": "' + b"x" * 50 * 10**6 + b'"}')
    assert "48 MiB of metadata, more than 16 MiB" in refuse_data(
        folder, "write the object again: attributes are no"
    )


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a": ' * 100_000, "{", "", "\x00", "[]", "3", '{"a": 1} {}']
)
def test_metadata_that_are_no_object_are_refused(folder, text):
    (folder / "x" / ".zarray").write_text(text, encoding="utf-8")
    assert "the metadata are damaged" in refuse_data(folder, "copy or download the folder again")


def test_metadata_that_are_no_text_are_refused(folder):
    (folder / ".zattrs").write_bytes(b"\xff\xfe\x80")
    refuse_data(folder, "copy or download the folder again")


@pytest.mark.parametrize(
    "fields",
    [
        {"shape": [-1]},
        {"shape": [8, 8]},
        {"shape": "long"},
        {"shape": GONE},
        {"shape": [None]},
        {"shape": [1e400]},
        {"chunks": [0]},
        {"chunks": [-4]},
        {"chunks": GONE},
        {"chunks": 4},
        {"dtype": GONE},
    ],
)
def test_a_shape_or_chunk_that_cannot_be_is_refused(folder, fields):
    edit(folder / "x" / ".zarray", **fields)
    refuse_data(folder, "copy or download the folder again")


@pytest.mark.parametrize("field", ["shape", "data_type", "codecs", "chunk_grid"])
def test_a_missing_key_of_format_3_is_refused(folder3, field):
    edit(folder3 / "x" / "zarr.json", **{field: GONE})
    refuse_data(folder3, "copy or download the folder again")


@pytest.mark.parametrize("outer", [False, True])
def test_a_foreign_codec_of_format_3_is_refused_even_inside_of_shards(folder3, outer):
    foreign = {"name": "numcodecs.pickle", "configuration": {}}
    shards = {"name": "sharding_indexed", "configuration": {"codecs": [foreign]}}
    edit(folder3 / "x" / "zarr.json", codecs=[foreign if outer else shards])
    with pytest.raises(IntegrityError, match=r"numcodecs\.pickle") as e:
        scan_zarr_folder(str(folder3))
    assert (e.value.exit_code, e.value.fix) == (8, "write the array again with zstd, gzip or blosc")


def test_a_folder_without_a_group_is_refused(tmp_path):
    assert refuse_data(tmp_path, "give the folder that holds .zgroup") == (
        "the folder is no Zarr group"
    )


# ---- chunks: where they are looked for, and how many


@pytest.mark.parametrize("separator", ["/../", "/../../../etc/", "", "\\"])
def test_chunks_that_would_be_looked_for_elsewhere_are_refused(folder, folder3, separator):
    edit(folder / "x" / ".zarray", dimension_separator=separator)
    keys = {"name": "default", "configuration": {"separator": separator}}
    edit(folder3 / "x" / "zarr.json", chunk_key_encoding=keys)
    for path in (folder, folder3):
        with pytest.raises(IntegrityError, match="fix: write the array again with the separator"):
            scan_zarr_folder(str(path))


def test_a_hundred_million_missing_chunks_are_refused_before_they_are_looked_for(folder):
    edit(folder / "x" / ".zarray", shape=[10**8], chunks=[1])
    found = refuse_data(folder, "write the array again with its real shape and larger chunks")
    assert found == "declares 100000000 chunks but has 4 files"


def test_shards_of_too_many_chunks_are_refused(folder3):
    options = {"chunk_shape": [1], "codecs": ["bytes"], "index_codecs": ["bytes"]}
    grid = {"name": "regular", "configuration": {"chunk_shape": [2**22]}}
    codecs = [{"name": "sharding_indexed", "configuration": options}]
    edit(folder3 / "x" / "zarr.json", chunk_grid=grid, codecs=codecs)
    assert "divided into chunks of (1,)" in refuse_data(folder3, "write the array again with up to")


@pytest.mark.parametrize("dtype", ["<U999999999", "|V99999999999999999999", "|S" + "9" * 4000])
def test_elements_of_gigabytes_are_refused(folder, dtype):
    edit(folder / "x" / ".zarray", dtype=dtype)
    assert "elements of" in refuse_data(folder, "copy or download the folder again")


def test_folders_without_end_are_refused(folder):
    deep = folder.joinpath(*["a"] * 70)
    deep.mkdir(parents=True)
    assert "more than 64 folders lie in one another" in refuse_data(folder, "copy or download")


def test_a_hard_link_is_a_file_like_any_other(folder):
    os.link(folder / "x" / "0", folder / "x" / "1.bak")
    scan_zarr_folder(str(folder))


@pytest.mark.parametrize("links", [3, [3], [{"path": "/x", "source": "."}], ["x"], {"a": 1}])
def test_links_that_are_none_are_refused(folder, links):
    (folder / ".zattrs").write_text(json.dumps({"zarr_link": links}), encoding="utf-8")
    assert "links are malformed" in refuse_data(folder, "copy or download the folder again")


def test_each_folder_is_looked_at_once_whatever_the_number_of_others(tmp_path):
    (tmp_path / ".zgroup").write_text('{"zarr_format": 2}', encoding="utf-8")
    layout = {"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "<f8", "order": "C"}
    for i in range(2000):
        (tmp_path / f"x{i}").mkdir()
        (tmp_path / f"x{i}" / ".zarray").write_text(json.dumps(layout), encoding="utf-8")
    looked, original = [], os.scandir
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", lambda path: (looked.append(path), original(path))[1])
        scan_zarr_folder(str(tmp_path))
    assert len(looked) == 2001
