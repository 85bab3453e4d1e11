"""A recording on disk is whole, equal to the one saved, lazy, and every damage is told."""

import json
from pathlib import Path

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.store import open_recording, save_recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import IntegrityError
from neurodsr.storage.manifest import MANIFEST


def tree(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()
    }


def assert_same_stream(found, stream):
    np.testing.assert_array_equal(found.values[:], stream.values)
    np.testing.assert_array_equal(found.mask[:], stream.mask, strict=True)
    assert found.channels == stream.channels
    np.testing.assert_array_equal(found.channels.positions, stream.channels.positions)
    np.testing.assert_array_equal(found.channels.located, stream.channels.located)
    assert (found.unit, found.notes) == (stream.unit, stream.notes)


# ---- what goes in comes out


def test_a_recording_comes_back_as_it_was_saved(recording, saved):
    found = open_recording(saved)
    for field in ("id", "grid", "sessions", "notes", "source"):
        assert getattr(found, field) == getattr(recording, field)
    assert list(found.streams) == list(recording.streams)
    for name, stream in recording.streams.items():
        assert_same_stream(found.streams[name], stream)
    assert_same_stream(found.inputs, recording.inputs)


def test_segments_come_back_with_all_their_columns(recording, saved):
    found = open_recording(saved).segments
    np.testing.assert_array_equal(found.starts, recording.segments.starts, strict=True)
    np.testing.assert_array_equal(found.stops, recording.segments.stops, strict=True)
    assert list(found.columns) == list(recording.segments.columns)
    for name, column in recording.segments.columns.items():
        np.testing.assert_array_equal(found.columns[name], column)
    assert found.columns["reward"].dtype == np.float32
    assert found.columns["block"].dtype == np.int16


def test_a_recording_without_inputs_streams_segments_or_channels_comes_back(tmp_path):
    nothing = Stream(np.zeros((5, 0)), np.zeros((5, 0), bool), Channels(()), "V")
    for streams in ({}, {"empty": nothing}):
        bare = Recording("r", TimeGrid(0.0, 0.1, 5), streams, Intervals(*np.zeros((2, 0)), {}))
        save_recording(bare, tmp_path / "bare", force=True)
        found = open_recording(tmp_path / "bare")
        assert list(found.streams) == list(streams)
        assert found.inputs is None
        assert found.source is None
        assert found.segments.starts.shape == (0,)


def test_the_same_recording_gives_the_same_bytes(recording, saved, tmp_path):
    save_recording(recording, tmp_path / "again")
    assert tree(tmp_path / "again") == tree(saved)


def test_saving_the_opened_recording_gives_the_same_bytes(saved, tmp_path):
    save_recording(open_recording(saved), tmp_path / "again")
    assert tree(tmp_path / "again") == tree(saved)


def test_an_opened_recording_can_be_saved_over_itself(saved):
    before = tree(saved)
    save_recording(open_recording(saved), saved, force=True)
    assert tree(saved) == before


@pytest.mark.parametrize(
    ("largest", "dtype"), [(0, "u1"), (255, "u1"), (256, "u2"), (65536, "u4"), (2**40, "u8")]
)
def test_counts_are_stored_in_the_smallest_type_that_holds_them(tmp_path, largest, dtype):
    counts = np.zeros((5, 1), dtype=np.int64)
    counts[3] = largest
    found = resaved(counts, tmp_path)
    assert found.dtype == dtype
    assert found[3] == largest


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([-1, 200], "i2"), ([-128, 127], "i1"), ([True, False], "u1"), ([0.1, 1e300 * 0], "f4")],
)
def test_other_numbers_keep_their_value_and_kind(tmp_path, values, dtype):
    found = resaved(np.array(values).reshape(-1, 1), tmp_path)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[:, 0], np.array(values).astype(dtype))


def test_counts_held_as_float_are_stored_as_integers_and_other_floats_are_not(tmp_path):
    counts = np.array([[0.0], [3.0]], dtype=np.float32)
    assert resaved(counts, tmp_path, unit="count").dtype == "u1"
    assert resaved(counts, tmp_path, unit="V").dtype == "f4"
    assert resaved(counts + 0.5, tmp_path, unit="count").dtype == "f4"


def resaved(values, tmp_path, *, unit=""):
    stream = Stream(values, np.ones(values.shape, bool), Channels(("a",)), unit)
    grid = TimeGrid(0.0, 0.1, len(values))
    one = Recording("r", grid, {"s": stream}, Intervals(*np.zeros((2, 0)), {}))
    save_recording(one, tmp_path / "typed", force=True)
    return open_recording(tmp_path / "typed").streams["s"].values


def test_names_of_the_lab_never_become_names_of_files(saved):
    names = {part for name in tree(saved) for part in Path(name).parts}
    assert names == {
        *("zarr.json", MANIFEST, "streams", "inputs", "values", "mask", "c", "0", "1", "2")
    }


# ---- lazy


def test_a_slice_reads_only_the_shards_it_touches(recording, saved):
    values = open_recording(saved).streams[".."].values
    expected = recording.streams[".."].values
    (saved / "streams/1/values/c/0/0").unlink()
    (saved / "streams/1/values/c/2/0").unlink()
    np.testing.assert_array_equal(values[17000:17010], expected[17000:17010])


@pytest.mark.parametrize("array", ["0/values", "0/mask", "1/values"])
def test_a_shard_lost_after_opening_is_an_error_and_never_reads_as_numbers(saved, array):
    recording = open_recording(saved, verify=False)
    name, part = ("v1/probe", "..")[int(array[0])], array[2:]
    (saved / "streams" / array / "c/1/0").unlink()
    stored = getattr(recording.streams[name], part)
    assert len(stored[:16384]) == 16384
    with pytest.raises(IntegrityError, match="lists every damaged file") as caught:
        stored[16384:16390]
    assert f"stream {name!r}" in caught.value.what
    assert f"chunk streams/{array}/c/1/0 is missing" in caught.value.what


def test_every_shard_is_written_also_one_that_equals_the_fill_value(saved):
    assert len(list((saved / "inputs/mask/c").glob("*/*"))) == 3


def test_every_array_is_sharded_and_checksummed_by_its_codecs(saved):
    found = [json.loads(p.read_text()) for p in saved.glob("**/values/zarr.json")]
    assert len(found) == 4
    for document in found:
        (sharding,) = document["codecs"]
        assert sharding["name"] == "sharding_indexed"
        assert sharding["configuration"]["codecs"][-1] == {
            "name": "zstd",
            "configuration": {"level": 3, "checksum": True},
        }
        assert sharding["configuration"]["index_codecs"][-1]["name"] == "crc32c"
