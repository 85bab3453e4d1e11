"""Zarr format 3 as hdmf-zarr from 0.14 on writes it: links, references, scalars, texts, shards."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, GzipCodec, TransposeCodec, ZstdCodec

from neurodsr.errors import DataError, IntegrityError
from neurodsr.sources.zarr3_tree import open_zarr3
from neurodsr.sources.zarr_open import open_zarr_tree

GRID = np.arange(35.0).reshape(7, 5)


@pytest.fixture
def root(tmp_path):
    """An empty group of format 3."""
    return zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)


@pytest.fixture
def tree(tmp_path):
    """A function that opens what was written."""
    return lambda: open_zarr3(str(tmp_path / "a.zarr"))


def write_texts(group, name, values, **attributes):
    array = group.create_array(name, shape=np.shape(values), dtype=str, attributes=attributes)
    array[...] = np.array(values, dtype="T")


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (3, 2)},
        {"chunks": (7, 5), "compressors": None},
        {"chunks": (2, 5), "compressors": [GzipCodec()]},
        {"chunks": (2, 5), "compressors": [BloscCodec(), ZstdCodec(checksum=True)]},
        {"chunks": (2, 5), "filters": [TransposeCodec(order=(1, 0))]},
        {"chunks": (1, 5), "shards": (4, 5)},
    ],
    ids=["chunks", "plain", "gzip", "blosc and zstd", "transposed", "shards"],
)
def test_rows_are_read_from_chunks_and_shards(root, tree, options, tmp_path):
    root.create_array("x", data=GRID, **options)
    open_zarr_tree(str(tmp_path / "a.zarr"))  # nothing in it is refused
    data = tree().root["x"]
    assert (data.shape, data.dtype, data.kind) == ((7, 5), np.float64, "number")
    np.testing.assert_array_equal(data[()], GRID)
    np.testing.assert_array_equal(data[1:6:2], GRID[1:6:2])
    np.testing.assert_array_equal(data[::-1], GRID[::-1])
    np.testing.assert_array_equal(data[[0, 3, 6]], GRID[[0, 3, 6]])
    np.testing.assert_array_equal(data[GRID[:, 0] > 12], GRID[3:])
    np.testing.assert_array_equal(data[-2, 1:], GRID[-2, 1:])
    assert data[5:2].shape == (0, 5)
    with pytest.raises(IndexError, match="row 7 of 7"):
        data[7]


@pytest.mark.filterwarnings("ignore:Numcodecs codecs")
def test_what_was_converted_from_format_2_keeps_its_codecs(root, tree, tmp_path):
    from zarr.codecs.numcodecs import Zlib

    root.create_array("x", data=GRID, compressors=[Zlib(level=1)])
    np.testing.assert_array_equal(open_zarr_tree(str(tmp_path / "a.zarr")).root["x"][:], GRID)


def test_texts_come_as_texts_of_any_length_or_of_one(root, tree):
    write_texts(root, "x", ["left", "", "ümlaut"])
    data = tree().root["x"]
    assert (data.kind, data[:].tolist()) == ("text", ["left", "", "ümlaut"])
    assert data[1:].tolist() == ["", "ümlaut"]


def test_a_scalar_has_no_axes(root, tree):
    root.create_array("x", data=np.array(2.5))
    write_texts(root, "y", "mouse")
    root.create_array("z", data=np.array([3]), attributes={"zarr_dtype": "scalar"})
    found = tree().root
    assert (found["x"].shape, float(found["x"][()])) == ((), 2.5)
    assert (found["y"].shape, str(found["y"][()])) == ((), "mouse")
    assert (found["z"].shape, int(found["z"][()])) == ((), 3)


def test_references_are_the_paths_they_lead_to(root, tree):
    table = {"_REFERENCE": {"source": ".", "path": "/general/electrodes"}}
    write_texts(root, "x", ["/a/b", "/c"], _DTYPE="object_reference", table=table)
    data = tree().root["x"]
    assert (data.kind, data[:].tolist()) == ("reference", ["a/b", "c"])
    assert data.attributes["table"] == "general/electrodes"


@pytest.mark.filterwarnings("ignore:The data type .* does not have a Zarr V3 specification")
def test_records_are_listed_and_not_taken_apart(root, tree):
    kind = np.dtype([("x", "<i4"), ("weight", "<f8")])
    root.create_array("mask", shape=(3,), dtype=kind)
    assert tree().root["mask"].kind == "other"


def test_links_lead_to_other_places_in_the_tree(root, tree):
    root.create_group("a").create_array("x", data=GRID)
    root.attrs["_LINKS"] = [{"name": "y", "path": "/a/x", "source": "."}]
    found = tree().root
    assert found.names() == ("a", "y")
    assert (found.is_link("y"), found.is_link("a")) == (True, False)
    assert found["y"].path == "a/x"
    assert "_LINKS" not in found.attributes
    with pytest.raises(KeyError):
        tree().get("a/x/nothing")


def test_a_link_by_the_folders_own_path_stays_inside(root, tree, tmp_path):
    root.create_group("a")
    own = str(tmp_path / "a.zarr")
    root.attrs["_LINKS"] = [{"name": "y", "path": "/a", "source": own}]
    assert open_zarr_tree(own).root["y"].path == "a"


@pytest.mark.parametrize("source", ["../b.zarr", "/etc", "b.zarr"])
def test_a_link_out_of_the_folder_is_refused_before_anything_is_read(root, tmp_path, source):
    root.create_group("a").attrs["_LINKS"] = [{"name": "y", "path": "/x", "source": source}]
    with pytest.raises(IntegrityError, match="or export a self-contained copy") as caught:
        open_zarr_tree(str(tmp_path / "a.zarr"))
    assert caught.value.exit_code == 8
    assert f"a/y (link to {source}:/x)" in caught.value.what


def test_a_reference_out_of_the_folder_is_refused_when_it_is_read(root, tree):
    root.attrs["table"] = {"_REFERENCE": {"source": "../b.zarr", "path": "/x"}}
    with pytest.raises(IntegrityError, match=r"\.\./b\.zarr:/x\n  fix: export a self-contained"):
        tree().root.attributes["table"]


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def test_consolidated_metadata_are_not_believed(root, tree, tmp_path):
    root.create_array("x", data=GRID)
    zarr.consolidate_metadata(root.store)
    root.create_array("y", data=GRID)
    assert tree().root.names() == ("x", "y")


def test_an_array_that_is_written_to_meanwhile_is_refused(root, tree):
    array = root.create_array("x", shape=(8,), chunks=(4,), dtype="f8")
    array[:4] = 1
    data = tree().root["x"]
    np.testing.assert_array_equal(data[:4], 1)
    array[4:] = 2
    with pytest.raises(DataError, match=r"modified while.*\n  fix: wait until"):
        data[4:]


def test_a_chunk_of_text_that_is_cut_is_no_silent_success(root, tree, tmp_path):
    write_texts(root, "x", ["left", "right"])
    (chunk,) = (tmp_path / "a.zarr" / "x" / "c").iterdir()
    chunk.write_bytes(chunk.read_bytes()[:-3])
    with pytest.raises((ValueError, RuntimeError)):
        tree().root["x"][:]


def test_one_metadata_document_is_read_for_each_object_and_no_chunk(root, tree, tmp_path):
    group = root.create_group("a")
    group.create_array("x", data=GRID)
    (tmp_path / "a.zarr" / "a" / "x" / "c").rename(tmp_path / "gone")
    document = json.loads((tmp_path / "a.zarr" / "a" / "x" / "zarr.json").read_text("utf-8"))
    data = tree().get("a/x")
    assert (list(data.shape), data.attributes) == (document["shape"], {})
