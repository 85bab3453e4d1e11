"""An exposure on disk: whole, checked, told to older versions, and nothing changed without one."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from neurodsr.data.recording import Recording
from neurodsr.data.store import open_recording, save_recording
from neurodsr.errors import IntegrityError
from neurodsr.storage.manifest import MANIFEST, write_manifest


def tree(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def attributes(folder):
    return json.loads((folder / "zarr.json").read_text())["attributes"]


def watched_in_part(stream):
    """The stream with fractions of 1/4 to 1 where it was observed."""
    quarters = np.random.default_rng(2).integers(1, 5, stream.values.shape) / 4
    return replace(stream, exposure=np.where(stream.mask, quarters, 0))


@pytest.fixture
def exposed(recording) -> Recording:
    """The recording, in two streams of which bins were watched in part."""
    names = ("v1/probe", "..")
    partly = {name: watched_in_part(recording.streams[name]) for name in names}
    return replace(recording, streams={**recording.streams, **partly})


@pytest.fixture
def kept(exposed, tmp_path):
    save_recording(exposed, tmp_path / "exposed.zarr")
    return tmp_path / "exposed.zarr"


# ---- what goes in comes out


def test_an_exposure_comes_back_as_it_was_saved(exposed, kept):
    found = open_recording(kept).streams
    assert found["choice"].exposure is None
    for name in ("v1/probe", ".."):
        expected = exposed.streams[name].exposure.astype(np.float32)
        np.testing.assert_array_equal(found[name].exposure[:], expected, strict=True)
        np.testing.assert_array_equal(found[name].values[:], exposed.streams[name].values)
        np.testing.assert_array_equal(found[name].mask[:], exposed.streams[name].mask, strict=True)


def test_an_exposure_of_the_inputs_comes_back(recording, tmp_path):
    inputs = replace(recording.inputs, mask=np.ones(recording.inputs.mask.shape, bool))
    save_recording(replace(recording, inputs=watched_in_part(inputs)), tmp_path / "inputs")
    found = open_recording(tmp_path / "inputs").inputs.exposure
    np.testing.assert_array_equal(found[:], watched_in_part(inputs).exposure)


def test_saving_the_opened_recording_gives_the_same_bytes(kept, tmp_path):
    save_recording(open_recording(kept), tmp_path / "again")
    assert tree(tmp_path / "again") == tree(kept)


def test_an_exposure_is_a_sharded_and_checksummed_float32_array(kept):
    document = json.loads((kept / "streams/0/exposure/zarr.json").read_text())
    assert (document["data_type"], document["shape"]) == ("float32", [40_000, 3])
    (sharding,) = document["codecs"]
    assert sharding["name"] == "sharding_indexed"
    assert sharding["configuration"]["codecs"][-1]["configuration"]["checksum"] is True
    assert len(list((kept / "streams/0/exposure/c").glob("*/*"))) == 3


# ---- versions


def test_without_an_exposure_the_folder_says_nothing_of_one(saved):
    plain = attributes(saved)
    assert plain["schema"] == "neurodsr/recording/2"
    for stream in [*plain["streams"], plain["inputs"]]:
        assert set(stream) == {"name", "channels", "unit", "notes"}
    assert not list(saved.rglob("exposure"))


def test_an_exposure_changes_no_byte_of_other_streams_nor_of_wide_values(saved, kept):
    before, after = tree(saved), tree(kept)
    # Of float32 as the exposure is, so that all arrays are cut as without it.
    same = [name for name in before if name.startswith(("streams/1/", "streams/2/", "inputs/"))]
    assert same
    assert all(after[name] == before[name] for name in same)
    new = {name.rpartition("/exposure/")[0] for name in after.keys() - before.keys()}
    assert new == {"streams/0", "streams/1"}


def test_a_neurodsr_that_knows_no_exposure_refuses_the_recording_by_its_version(kept):
    assert attributes(kept)["schema"] == "neurodsr/recording/3"


def test_dropping_the_exposure_gives_the_bytes_of_before(kept, saved, tmp_path):
    found = open_recording(kept)
    bare = {name: replace(stream, exposure=None) for name, stream in found.streams.items()}
    save_recording(replace(found, streams=bare), tmp_path / "bare")
    assert tree(tmp_path / "bare") == tree(saved)


# ---- what may not go in


@pytest.mark.parametrize("wrong", [0.0, -0.5, 1.001, 1e39, 1e-42, np.nan, np.inf])
def test_an_exposure_that_is_no_fraction_of_an_observed_bin_is_a_bug(recording, tmp_path, wrong):
    position = recording.streams[".."]
    exposure = np.ones(position.values.shape)
    exposure[20_000, 1] = wrong
    odd = replace(recording, streams={"pos": replace(position, exposure=exposure)})
    with pytest.raises(AssertionError, match=r"'pos' has exposures that are not in \(0, 1\]"):
        save_recording(odd, tmp_path / "rec")
    assert os.listdir(tmp_path) == []


def test_an_exposure_under_a_false_mask_is_a_bug(recording, tmp_path):
    units = recording.streams["v1/probe"]
    odd = replace(units, exposure=np.ones(units.values.shape, dtype=np.float32))
    with pytest.raises(AssertionError, match="other than 0 where it is False"):
        save_recording(replace(recording, streams={"units": odd}), tmp_path / "rec")


# ---- damage


def test_a_flipped_bit_of_an_exposure_is_told(kept):
    path = kept / "streams/1/exposure/c/1/0"
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    with pytest.raises(IntegrityError, match="restore it from a backup"):
        open_recording(kept)


def test_a_shard_of_an_exposure_lost_after_opening_never_reads_as_numbers(kept):
    exposure = open_recording(kept).streams[".."].exposure
    (kept / "streams/1/exposure/c/1/0").unlink()
    assert len(exposure[:16384]) == 16384
    with pytest.raises(IntegrityError, match="lists every damaged file"):
        exposure[16384:16390]


@pytest.mark.parametrize("field", [("data_type", "float64"), ("shape", [40_000, 2])])
def test_an_exposure_laid_out_otherwise_is_refused_before_zarr_sees_it(kept, field):
    path = kept / "streams/0/exposure/zarr.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | dict([field])))
    (kept / MANIFEST).unlink()
    write_manifest(kept)
    with pytest.raises(IntegrityError, match="make it again with neurodsr ingest"):
        open_recording(kept)
