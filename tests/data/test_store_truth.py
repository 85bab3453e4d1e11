"""The truth behind a simulated recording survives the disk, and is as well guarded as the data."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.store import open_recording, save_recording
from neurodsr.data.streams import Stream
from neurodsr.data.truth import Truth
from neurodsr.errors import IntegrityError
from neurodsr.storage.manifest import MANIFEST, write_manifest
from neurodsr.testing.lorenz import EXPONENT

N_REFERENCE = 40_961  # more bins than the recording, and no multiple of a shard


def tree(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()
    }


@pytest.fixture
def known(recording):
    """The recording with its truth; values that float32 holds exactly, as ingest makes them."""
    rng, n_bins = np.random.default_rng(4), recording.grid.n_bins
    values = rng.normal(size=(n_bins, 3)).astype(np.float32)
    state = Stream(values, np.ones((n_bins, 3), bool), Channels(("x", "y", "z")), "sd", ("noted",))
    reference = rng.normal(size=(N_REFERENCE, 3)).astype(np.float32).astype(float)
    return dataclasses.replace(recording, truth=Truth(state, reference, EXPONENT))


@pytest.fixture
def saved(known, tmp_path):
    save_recording(known, tmp_path / "known")
    return tmp_path / "known"


def test_the_truth_comes_back_as_it_was_saved(known, saved):
    found, truth = open_recording(saved).truth, known.truth
    np.testing.assert_array_equal(found.state.values[:], truth.state.values, strict=True)
    np.testing.assert_array_equal(found.state.mask[:], truth.state.mask, strict=True)
    assert found.state.channels == truth.state.channels
    assert (found.state.unit, found.state.notes) == ("sd", ("noted",))
    np.testing.assert_array_equal(found.reference, truth.reference, strict=True)
    assert found.exponent == EXPONENT


def test_a_recording_of_which_nothing_is_known_comes_back_without_truth(recording, tmp_path):
    save_recording(recording, tmp_path / "plain")
    assert open_recording(tmp_path / "plain").truth is None
    assert not (tmp_path / "plain" / "truth").exists()


def test_the_same_truth_gives_the_same_bytes(known, saved, tmp_path):
    save_recording(known, tmp_path / "again")
    assert tree(tmp_path / "again") == tree(saved)


def test_saving_the_opened_recording_gives_the_same_bytes(saved, tmp_path):
    save_recording(open_recording(saved), tmp_path / "again")
    assert tree(tmp_path / "again") == tree(saved)


def test_the_truth_changes_nothing_of_the_streams_on_disk(recording, saved, tmp_path):
    save_recording(recording, tmp_path / "plain")
    without = {k: v for k, v in tree(saved).items() if not k.startswith("truth")}
    plain = tree(tmp_path / "plain")
    assert without.keys() == plain.keys()
    differing = {k for k in plain if plain[k] != without[k]}
    assert differing == {"zarr.json", MANIFEST}


@pytest.mark.parametrize("array", ["state/values", "state/mask", "reference/values"])
def test_one_flipped_bit_of_the_truth_is_refused(saved, array):
    path = saved / "truth" / array / "c/1/0"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(IntegrityError, match=rf"truth/{array}/c/1/0[\s\S]*restore it"):
        open_recording(saved)


def test_a_reference_of_another_length_than_noted_is_refused(saved):
    path = saved / "zarr.json"
    document = json.loads(path.read_text())
    document["attributes"]["truth"]["n_reference"] -= 1
    path.write_text(json.dumps(document))
    write_manifest(saved)
    with pytest.raises(IntegrityError, match=r"truth/reference[\s\S]*again with neurodsr ingest"):
        open_recording(saved)
