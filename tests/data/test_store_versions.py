"""Recordings of an earlier layout are read as they are; saving them again gives the new one."""

import json
import shutil

import numpy as np
import pytest
import zarr
from zarr.codecs import ZstdCodec

from neurodsr.data.store import open_recording, save_recording
from neurodsr.errors import IntegrityError
from neurodsr.storage.manifest import MANIFEST, write_manifest

# What channels did not tell in schema 1.
NEW_OF_CHANNELS = (
    "raw_regions",
    "position_units",
    "spaces",
    "hemispheres",
    "cell_types",
    "anatomy_sources",
    "sessions",
)


def rewrite_as_version_1(folder):
    """Unsharded arrays in chunks of 1024 bins, and attributes without the newer fields."""
    for document in sorted(folder.rglob("values/zarr.json")) + sorted(
        folder.rglob("mask/zarr.json")
    ):
        where = document.parent
        old = zarr.open_array(where, mode="r")
        values, fill = old[:], old.fill_value
        shutil.rmtree(where)
        zarr.create_array(
            where,
            data=values,
            chunks=(1024, max(1, values.shape[1])),
            fill_value=fill,
            compressors=[ZstdCodec(level=3, checksum=True)],
            config={"write_empty_chunks": True},
        )
    root = folder / "zarr.json"
    document = json.loads(root.read_text())
    attributes = document["attributes"]
    attributes["schema"] = "neurodsr/recording/1"
    for stream in [*attributes["streams"], attributes["inputs"]]:
        for field in NEW_OF_CHANNELS:
            del stream["channels"][field]
    root.write_text(json.dumps(document))
    write_manifest(folder)


@pytest.fixture
def old(saved, tmp_path):
    folder = tmp_path / "old.zarr"
    shutil.copytree(saved, folder)
    rewrite_as_version_1(folder)
    return folder


def test_a_recording_of_version_1_is_read_whole(recording, old):
    found = open_recording(old)
    for name, stream in recording.streams.items():
        np.testing.assert_array_equal(found.streams[name].values[:], stream.values)
        np.testing.assert_array_equal(found.streams[name].mask[:], stream.mask)
        assert found.streams[name].channels.ids == stream.channels.ids


def test_what_version_1_did_not_say_of_channels_is_unknown(old):
    channels = open_recording(old).streams["v1/probe"].channels
    assert channels.raw_regions == channels.regions == ("VISp", "", "CA1")
    assert channels.position_units == ("unknown",) * 3


def test_a_recording_of_version_1_saved_again_is_one_of_version_2(saved, old, tmp_path):
    save_recording(open_recording(old), tmp_path / "again")
    assert (tmp_path / "again" / MANIFEST).read_bytes() == (saved / MANIFEST).read_bytes()


def test_a_missing_chunk_of_version_1_is_an_error(old):
    mask = open_recording(old).streams["v1/probe"].mask
    (old / "streams/0/mask/c/3/0").unlink()
    with pytest.raises(IntegrityError, match=r"chunk streams/0/mask/c/3/0 is missing"):
        mask[3072:3080]


@pytest.mark.parametrize("schema", ["neurodsr/recording/1", "neurodsr/recording/2"])
def test_the_layout_of_one_version_is_not_taken_for_the_other(saved, old, schema):
    folder = saved if schema.endswith("1") else old
    root = folder / "zarr.json"
    document = json.loads(root.read_text())
    document["attributes"]["schema"] = schema
    root.write_text(json.dumps(document))
    write_manifest(folder)
    with pytest.raises(IntegrityError, match=f"is not laid out as {schema} says"):
        open_recording(folder)
