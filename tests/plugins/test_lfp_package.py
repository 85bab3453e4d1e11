"""neurodsr-lfp installs on its own, and a kind `lfp` is there without a line changed elsewhere."""

import json

import numpy as np
import pytest
from scipy.signal import welch

from neurodsr.data.store import open_recording

pytestmark = pytest.mark.slow

SMALL = [
    "encoder.n_steps=40", "encoder.width=4", "encoder.kernel=5", "ensemble.n_encoders=1",
    "ensemble.n_members=1", "ensemble.n_bins=1000", "dynamics.n_steps=40", "dynamics.hidden_dim=8",
]  # fmt: skip


@pytest.fixture(scope="module")
def installed(install):
    return install("neurodsr-lfp")


@pytest.fixture(scope="module")
def example(installed, tmp_path_factory):
    """The example's configuration beside 200 s of four electrodes."""
    folder = tmp_path_factory.mktemp("example")
    return installed.example("lfp", folder, "n_bins=2000, n_electrodes=4")


def test_the_kind_is_listed_shown_and_healthy(installed):
    listed = {p["kind"]: p["distribution"] for p in installed.json("plugins", "list")["plugins"]}
    assert listed["lfp"] == "neurodsr-lfp"
    shown = installed.json("plugins", "show", "lfp")
    assert shown["modality"]["properties"]["bands"]["default"] == [[4, 8], [30, 80]]
    health = {p["kind"]: p["state"] for p in installed.json("plugins", "doctor")["plugins"]}
    assert health["lfp"] == health["spikes"]


def test_the_kind_is_in_the_schema_of_a_run(installed, tmp_path):
    installed.neurodsr("schema", "--installed", "--write", tmp_path)
    run = json.loads((tmp_path / "run.json").read_text())
    kinds = run["properties"]["streams"]["additionalProperties"]["oneOf"]
    assert {"$ref": "#/$defs/stream-lfp"} in kinds
    assert (tmp_path / "modality" / "lfp.json").exists()


def test_its_own_tests_pass_where_it_is_installed(installed, tmp_path):
    alone = ["-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", installed.source]
    installed.python("-m", "pytest", *alone, installed.source / "tests", cwd=tmp_path)


def test_an_electrical_series_is_proposed_as_lfp(installed, example):
    found = installed.json("inspect", example.with_suffix(".nwb"))
    proposed = {s["path"]: s["proposed"] for s in found["files"][0]["streams"]}
    assert proposed["processing/ecephys/LFP/lfp"] == "lfp"


def test_the_example_runs(installed, example, tmp_path):
    out = tmp_path / "out"
    sets = [word for pair in SMALL for word in ("--set", pair)]
    installed.neurodsr("run", example, "-o", out, *sets)
    report = json.loads((out / "report.json").read_text())
    assert report["provenance"]["versions"]["neurodsr-lfp"] == "0.1.0"
    stream = open_recording(out / "recording").streams["rhythms"]
    assert stream.channels.ids[:2] == ("lfp[0]/15-30 Hz", "lfp[1]/15-30 Hz")
    assert stream.channels.regions == ("VISp", "VISp", "CA1", "CA1") * 2
    assert stream.unit == "dB re volts^2"


def test_the_power_of_the_example_follows_the_state_that_sets_it(installed, example, tmp_path):
    out = tmp_path / "recording"
    installed.neurodsr("ingest", example, "-o", out)
    recording = open_recording(out)
    state = np.asarray(recording.truth.state.values[:])
    stream = recording.streams["rhythms"]
    seen = np.asarray(stream.mask[:]).all(axis=1)
    x = np.column_stack([np.ones(seen.sum()), state[seen]])
    power = np.asarray(stream.values[:])[seen]
    residual = power - x @ np.linalg.lstsq(x, power, rcond=None)[0]
    explained = 1 - residual.var(axis=0) / power.var(axis=0)
    # 3.5 dB of modulation; estimates of beta and gamma from some four and six independent squares
    # scatter by about as much, and a tenth of beta's power is background.
    assert (explained > 0.25).all()


def test_a_real_field_potential_has_the_power_that_scipy_finds(installed, shared_file, tmp_path):
    path = shared_file("lfp/neurodsp_sample_data_1.npy")
    stream = {"kind": "lfp", "path": "table", "clock": {"rate": 1000.0}, "scale": "linear"}
    config = {"file": str(path), "grid": {"bin_width": 0.1}, "streams": {"potential": stream}}
    found = open_recording(installed.recording(tmp_path, config)).streams["potential"]
    assert found.channels.ids == ("table/4-8 Hz", "table/30-80 Hz")
    mean = np.ma.masked_array(found.values[:], ~np.asarray(found.mask[:])).mean(axis=0)
    frequencies, density = welch(np.load(path), fs=1000.0, nperseg=1000)
    for power, (low, high) in zip(mean, [(4, 8), (30, 80)], strict=True):
        inside = (low <= frequencies) & (frequencies < high)
        # One taper on the same ten seconds, at other places: a standard error of some 10 %, and the
        # frequencies on the edges count differently.
        np.testing.assert_allclose(power, density[inside].sum(), rtol=0.4)
