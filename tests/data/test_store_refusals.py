"""What may not enter a recording, and every damage of a saved one, is told."""

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodsr.data.channels import Channels
from neurodsr.data.store import open_recording, save_recording
from neurodsr.data.streams import Stream
from neurodsr.errors import DataError, IntegrityError, OutputError, ResourceError
from neurodsr.storage.manifest import MANIFEST, write_manifest

# ---- what may not go in


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_values_that_are_not_finite_in_float32_are_a_bug(tmp_path, recording, bad):
    position = recording.streams[".."]
    values = position.values.astype(float)
    values[2000, 1] = bad
    wrong = replace(recording, streams={"pos": replace(position, values=values)})
    with pytest.raises(AssertionError, match="'pos' holds NaN, an infinity"):
        save_recording(wrong, tmp_path / "rec")
    assert os.listdir(tmp_path) == []


def test_a_value_under_a_false_mask_is_a_bug(tmp_path, recording):
    position = recording.streams[".."]
    mask = position.mask.copy()
    mask[5] = False
    wrong = replace(recording, streams={"pos": replace(position, mask=mask)})
    with pytest.raises(AssertionError, match="other than 0 where its mask is False"):
        save_recording(wrong, tmp_path / "rec")


def test_inputs_on_another_grid_are_a_bug(tmp_path, recording):
    short = Stream(np.zeros((7, 1)), np.ones((7, 1), bool), Channels(("s",)), "V")
    with pytest.raises(AssertionError, match="inputs on another grid"):
        save_recording(replace(recording, inputs=short), tmp_path / "rec")


def test_a_segments_column_that_cannot_be_stored_is_named(tmp_path, recording):
    column = np.array([{"a": 1}, None], dtype=object)
    wrong = replace(recording, segments=recording.segments._replace(columns={"odd": column}))
    with pytest.raises(DataError, match="leave that column out") as caught:
        save_recording(wrong, tmp_path / "rec")
    assert "'odd'" in caught.value.what


# ---- refusals on writing


def test_a_recording_that_stands_is_not_overwritten(recording, saved):
    with pytest.raises(OutputError, match="pass --force to replace it"):
        save_recording(recording, saved)


def test_a_full_disk_is_a_resource_error_and_the_partial_is_removed(
    recording, tmp_path, monkeypatch
):
    def fail(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(zarr.Array, "__setitem__", fail)
    with pytest.raises(ResourceError, match="free some space or quota"):
        save_recording(recording, tmp_path / "rec.zarr")
    assert os.listdir(tmp_path) == []


def test_a_file_size_limit_met_by_zarr_itself_is_a_resource_error(tmp_path):
    script = """
import resource, signal, sys
import numpy as np
from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.store import save_recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import ResourceError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
noise = np.random.default_rng(0).normal(size=(2000, 50))
ids = tuple(map(str, range(50)))
stream = Stream(noise, np.ones(noise.shape, bool), Channels(ids), "V")
none = Intervals(*np.zeros((2, 0)), {})
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save_recording(Recording("r", TimeGrid(0.0, 0.1, 2000), {"s": stream}, none), sys.argv[1])
except ResourceError as error:
    sys.exit(error.exit_code)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "rec.zarr")]
    assert subprocess.run(command).returncode == 7
    assert os.listdir(tmp_path) == []


# ---- refusals on reading


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_every_flipped_bit_of_every_file_is_told(saved, data):
    path = data.draw(st.sampled_from(sorted(p for p in saved.rglob("*") if p.is_file())))
    whole = path.read_bytes()
    position = data.draw(st.integers(0, 8 * len(whole) - 1))
    flipped = bytearray(whole)
    flipped[position // 8] ^= 1 << position % 8
    path.write_bytes(flipped)
    try:
        with pytest.raises(IntegrityError) as caught:
            open_recording(saved)
        assert caught.value.exit_code == 8
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize(
    "member",
    ["zarr.json", "streams/0/values/c/1/0", "inputs/mask/zarr.json", "streams/0/zarr.json"],
)
def test_a_missing_member_is_named_also_without_verifying(saved, member, verify):
    (saved / member).unlink()
    with pytest.raises(IntegrityError, match="restore it from a backup") as caught:
        open_recording(saved, verify=verify)
    assert f"1 missing ('{member}')" in caught.value.what


@pytest.mark.parametrize("verify", [True, False])
def test_a_link_inside_is_refused(saved, verify):
    (saved / "streams/0/values/c/1/0").unlink()
    (saved / "streams/0/values/c/1/0").symlink_to("/etc/hostname")
    with pytest.raises(IntegrityError, match="put a copy of the file in its place"):
        open_recording(saved, verify=verify)


def test_a_recording_without_its_manifest_was_never_finished(saved):
    (saved / MANIFEST).unlink()
    with pytest.raises(IntegrityError, match="make it again with the command that wrote it"):
        open_recording(saved)


def test_a_recording_of_a_newer_neurodsr_says_what_it_needs(saved):
    edit(saved / "zarr.json", lambda d: d["attributes"].update(schema="neurodsr/recording/4"))
    with pytest.raises(IntegrityError, match="pip install -U neurodsr"):
        open_recording(saved)


def test_what_is_no_recording_says_how_to_make_one(tmp_path):
    (tmp_path / "file.nwb").write_bytes(b"\x89HDF")
    (tmp_path / "folder").mkdir()
    zarr.create_group(store=tmp_path / "other.zarr", zarr_format=3)
    zarr.create_group(store=tmp_path / "old.zarr", zarr_format=2)
    for name in ("file.nwb", "folder", "other.zarr", "old.zarr", "nothing"):
        with pytest.raises(DataError, match=r"neurodsr ingest run.yaml -o") as caught:
            open_recording(tmp_path / name)
        assert caught.value.exit_code == 3


def test_another_output_of_neurodsr_is_no_recording(tmp_path):
    (tmp_path / "x.surrogate").mkdir()
    (tmp_path / "x.surrogate" / "surrogate.json").write_text("{}")
    write_manifest(tmp_path / "x.surrogate")
    with pytest.raises(DataError, match="neurodsr ingest run"):
        open_recording(tmp_path / "x.surrogate")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["attributes"].pop("grid"),
        lambda d: d["attributes"].pop("notes"),
        lambda d: d["attributes"].update(streams=3),
        lambda d: d["attributes"]["grid"].update(n_bins=10**12),
        lambda d: d["attributes"]["grid"].update(n_bins="many"),
        lambda d: d["attributes"]["streams"][0]["channels"]["ids"].pop(),
        lambda d: d["attributes"]["segments"]["starts"].update(shape=[99]),
        lambda d: d["attributes"]["segments"]["starts"].update(dtype="object"),
    ],
)
def test_attributes_that_make_no_recording_are_refused(saved, change):
    edit(saved / "zarr.json", change)
    with pytest.raises(IntegrityError, match="make it again with neurodsr ingest"):
        open_recording(saved)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(shape=[10**12, 10**12]),
        lambda d: d["chunk_grid"]["configuration"].update(chunk_shape=[10**12, 3]),
        lambda d: d.update(data_type="complex128"),
        lambda d: d.update(data_type={"name": "struct"}),
        lambda d: d["codecs"].insert(0, {"name": "some.plugin"}),
        lambda d: d.update(codecs=[{"name": "numcodecs.pickle"}]),
        lambda d: d.pop("codecs"),
        lambda d: d["codecs"][0].update(name="some.plugin"),
        lambda d: sharding(d)["codecs"].append({"name": "some.plugin"}),
        lambda d: sharding(d)["codecs"][-1].update(name="numcodecs.pickle"),
        lambda d: sharding(d)["index_codecs"].pop(),
        lambda d: sharding(d).update(chunk_shape=[10**12, 3]),
        lambda d: sharding(d).update(index_location="start"),
        lambda d: d["chunk_grid"].update(name="some.plugin"),
        lambda d: d["chunk_key_encoding"].update(name="some.plugin"),
        lambda d: d.update(storage_transformers=[{"name": "some.plugin"}]),
    ],
)
def test_an_array_laid_out_otherwise_is_refused_before_zarr_sees_it(saved, change):
    edit(saved / "streams/0/values/zarr.json", change)
    with pytest.raises(IntegrityError, match="make it again with neurodsr ingest"):
        open_recording(saved)


def sharding(document):
    return document["codecs"][0]["configuration"]


def edit(path, change):
    """Change a JSON file of a recording, and its manifest with it, as an attacker would."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    root = next(p for p in path.parents if (p / MANIFEST).exists())
    write_manifest(root)
