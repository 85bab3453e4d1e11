"""neurodsr-keypoints installs on its own, and a kind `keypoints` is there without more ado."""

import json

import h5py
import numpy as np
import pytest

from neurodsr.data.store import open_recording

pytestmark = pytest.mark.slow

SMALL = [
    "encoder.n_steps=40", "encoder.width=4", "encoder.kernel=5", "ensemble.n_encoders=1",
    "ensemble.n_members=1", "ensemble.n_bins=1000", "dynamics.n_steps=40", "dynamics.hidden_dim=8",
]  # fmt: skip
POSE = "processing/behavior/PoseEstimation"


@pytest.fixture(scope="module")
def installed(install):
    return install("neurodsr-keypoints")


@pytest.fixture(scope="module")
def example(installed, tmp_path_factory):
    """The example's configuration beside 40 s of its pose."""
    return installed.example("keypoints", tmp_path_factory.mktemp("example"), "n_frames=2000")


def test_the_kind_is_listed_shown_and_healthy(installed):
    listed = {p["kind"]: p["distribution"] for p in installed.json("plugins", "list")["plugins"]}
    assert listed["keypoints"] == "neurodsr-keypoints"
    shown = installed.json("plugins", "show", "keypoints")
    assert shown["modality"]["properties"]["min_confidence"]["default"] == 0.6
    health = {p["kind"]: p["state"] for p in installed.json("plugins", "doctor")["plugins"]}
    assert health["keypoints"] == health["spikes"]


def test_the_kind_is_in_the_schema_of_a_run(installed, tmp_path):
    installed.neurodsr("schema", "--installed", "--write", tmp_path)
    run = json.loads((tmp_path / "run.json").read_text())
    kinds = run["properties"]["streams"]["additionalProperties"]["oneOf"]
    assert {"$ref": "#/$defs/stream-keypoints"} in kinds
    assert (tmp_path / "modality" / "keypoints.json").exists()


def test_its_own_tests_pass_where_it_is_installed(installed, tmp_path):
    alone = ["-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", installed.source]
    installed.python("-m", "pytest", *alone, installed.source / "tests", cwd=tmp_path)


def test_the_example_runs_and_its_tracker_is_heeded(installed, example, tmp_path):
    out = tmp_path / "out"
    sets = [word for pair in SMALL for word in ("--set", pair)]
    installed.neurodsr("run", example, "-o", out, *sets)
    report = json.loads((out / "report.json").read_text())
    assert report["provenance"]["versions"]["neurodsr-keypoints"] == "0.1.0"
    stream = open_recording(out / "recording").streams["pose"]
    assert len(stream.channels.ids) == 10
    assert not any(name.startswith("body.") for name in stream.channels.ids)
    # The animal walks through 640 pixels; its parts stay around its body.
    assert np.abs(stream.values[:]).max() < 200
    assert 0.8 < np.mean(stream.mask[:]) < 1


@pytest.mark.parametrize("min_confidence", [0.3, 0.95])
def test_a_real_pose_is_masked_where_its_tracker_was_less_sure(
    installed, shared_file, tmp_path, min_confidence
):
    path = shared_file("behavior/DLC2NWB_openfield_pose.nwb")
    pose = {
        "kind": "keypoints",
        "path": POSE,
        "clock": {"rate": 30.0},
        "min_confidence": min_confidence,
        "max_missing": 0.9,
    }
    config = {"file": str(path), "grid": {"bin_width": 1 / 30}, "streams": {"pose": pose}}
    recording = open_recording(installed.recording(tmp_path, config))
    mask = np.asarray(recording.streams["pose"].mask[:])
    parts = [name.removesuffix(".x") for name in recording.streams["pose"].channels.ids[::2]]
    with h5py.File(path, "r") as file:
        sure = np.stack([file[POSE][p]["confidence"][:] >= min_confidence for p in parts], axis=1)
    # Every frame opens a bin.
    np.testing.assert_array_equal(mask, np.repeat(sure, 2, axis=1))
