"""A plausible finished run made of Lorenz orbits, without any training."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.evaluation.results import (
    Check,
    CrossModalScore,
    Evaluation,
    Measure,
    MemberSummary,
    StreamFit,
    Verdict,
)
from neurodsr.report.build import build_report
from neurodsr.report.model import Provenance

BIN = 0.02


def lorenz_orbit(n, *, rho=28.0, start=(1.0, 2.0, 20.0), step=0.005, every=4):
    x, y, z = start
    orbit = np.empty((n, 3))
    for k in range(-2000, n * every):
        slope = (10 * (y - x), x * (rho - z) - y, x * y - 8 / 3 * z)
        x, y, z = x + step * slope[0], y + step * slope[1], z + step * slope[2]
        if k >= 0 and k % every == 0:
            orbit[k // every] = x, y, z
    return orbit


def sample_recording(*, spikes_name="ca1-probe", n_bins=2000, n_cells=40):
    rng = np.random.default_rng(0)
    orbit = lorenz_orbit(n_bins) / 10
    rate = np.exp(0.6 * orbit @ rng.normal(size=(3, n_cells)) - 3.0).clip(0, 3)
    counts = rng.poisson(rate)
    seen = np.ones(counts.shape, dtype=bool)
    seen[300:340] = False
    streams = {
        spikes_name: Stream(
            np.where(seen, counts, 0),
            seen,
            Channels(
                ids=tuple(f"u{c}" for c in range(n_cells)),
                regions=("CA1", "CA3", "VISp") * (n_cells // 3) + ("",) * (n_cells % 3),
            ),
            "count",
            notes=("3 spikes before the first observed interval were dropped",),
        ),
        "position": Stream(
            orbit[:, :2] + 0.05 * rng.normal(size=(n_bins, 2)),
            np.ones((n_bins, 2), dtype=bool),
            Channels(ids=("x", "y")),
            "m",
        ),
        "choice": Stream(
            np.digitize(orbit[:, :1], [-0.6, 0.6]),
            np.ones((n_bins, 1), dtype=bool),
            Channels(ids=("choice",), levels=("left", "none", "right")),
            "",
        ),
    }
    ends = np.array([0.0, n_bins * BIN])
    return Recording(
        id="sub-01_ses-03",
        grid=TimeGrid(0.0, BIN, n_bins),
        streams=streams,
        segments=Intervals(ends[:1], ends[1:], {}),
        notes=("position: 12 samples with the same time stamp were averaged",),
    )


def sample_config(recording):
    kinds = {"position": "behavior", "choice": "behavior"}
    window = {"window": 100}
    return {
        "schema_version": 1,
        "file": "session.nwb",
        "grid": {"bin_width": BIN, "start": None, "stop": None},
        "streams": {
            name: {"kind": kinds.get(name, "spikes"), "path": f"/{name}", "weight": 1.0}
            for name in recording.streams
        },
        "split": {"validation": 0.1, "test": 0.2},
        "encoder": {"width": 16, "kernel": 21, "n_steps": 8000, **window}
        | {"drop_bins": 0.3, "drop_streams": 0.1},
        "dynamics": {"family": "clipped-shallow", "latent_dim": 3, "hidden_dim": 100, **window}
        | {"n_steps": 6000, "alphas": [0.15]},
        "ensemble": {"n_encoders": 2, "n_kept": 1, "n_members": 4, "n_starts": 32}
        | {"n_bins": 100_000},
        "truth": {"path": "/truth", "reference": "/reference", "exponent": 0.906},
        "seed": 7,
    }


def sample_history():
    step = list(range(0, 6000, 60))
    rng = np.random.default_rng(1)

    def loss(high, low):
        decay = low + (high - low) * np.exp(-np.array(step) / 900)
        return [float(x) for x in decay * np.exp(0.06 * rng.normal(size=len(step)))]

    return {
        "encoders": [
            {"seed": 0, "step": step, "loss": loss(2, 0.9), "held_out": 0.913, "kept": True},
            {"seed": 1, "step": step, "loss": loss(2, 1.1), "held_out": 1.042, "kept": False},
        ],
        "members": [
            {"seed": s, "encoder": 0, "alpha": 0.15, "step": step, "loss": loss(0.5, 0.01)}
            for s in range(4)
        ],
    }


def sample_measures():
    return (
        Measure(
            name="state-space divergence (aligned)",
            value=1.83,
            low=1.52,
            high=2.2,
            floor=0.12,
            baselines={"linear autoregression": 9.4, "repeated context": 3.9},
            unit="nats",
            better="lower",
            convention="30 bins a dimension, range of the data plus 0.1 sd, 100,000 bins",
        ),
        Measure(
            name="power-spectrum distance",
            value=0.084,
            low=0.071,
            high=0.102,
            floor=0.057,
            baselines={"linear autoregression": 0.41},
            better="lower",
            convention="Hellinger, smoothing 20 bins",
        ),
        Measure(
            name="forecast gain at 0.5 s",
            value=1.31,
            baselines={"persistence": 0.22},
            unit="nats per bin",
            better="higher",
        ),
        Measure(name="entropy rate", value=None, unit="1/s", better="equal"),
    )


def sample_verdict(reconstructed):
    return Verdict(
        reconstructed=reconstructed,
        sentence="Run on its own, the surrogate has the shape, the rhythm and the sensitivity of "
        "the recorded system."
        if reconstructed
        else "Run on its own, the surrogate settles on a cycle that the data do not have.",
        checks=(
            Check(
                name="Shape of the attractor",
                value=1.83,
                rule="aligned divergence at most 4",
                passed=True,
                meaning="Free runs visit other states than the data, or in other proportions.",
            ),
            Check(
                name="Rhythm",
                value=0.084 if reconstructed else 0.44,
                rule="spectral distance at most 0.15",
                passed=reconstructed,
                meaning="Free runs are faster, slower or more regular than the data.",
            ),
            Check(
                name="Dead starts",
                value=0.0,
                rule="none of 32",
                passed=True,
                meaning="Some free runs end on a fixed point or a cycle.",
            ),
        ),
    )


def sample_evaluation(*, reconstructed=True):
    common = {"encoder": 0, "alpha": 0.15, "consistency": 0.0062}
    found = (
        {"seed": 2, "self_divergence": 0.34, "self_spectrum": 0.08, "exponent": 0.94, "dead": 0.0},
        {"seed": 0, "self_divergence": 0.53, "self_spectrum": 0.12, "exponent": 1.02, "dead": 0.0},
        {"seed": 3, "self_divergence": 2.7, "self_spectrum": 0.19, "exponent": 0.05, "dead": 0.5},
        {"seed": 1, "self_divergence": 13.0, "self_spectrum": 0.71, "exponent": -0.68, "dead": 1.0},
    )
    return Evaluation(
        members=tuple(MemberSummary(member=k, **common, **m) for k, m in enumerate(found)),
        measures=sample_measures(),
        exponents=(0.94, 0.003, -13.9),
        exponents_sd=(0.06, 0.004, 0.3),
        streams=(
            StreamFit(
                stream="ca1-probe",
                kind="spikes",
                task="hidden bins",
                scores={"bits_per_spike": 0.412, "log_likelihood": -0.31},
                baselines={"bits_per_spike: smoothed rate": 0.288},
            ),
            StreamFit(
                stream="position",
                kind="behavior",
                task="whole stream from the others",
                scores={"r2": 0.87},
                baselines={"r2: smoothing + ridge": 0.79},
            ),
        ),
        cross_modal=sample_crossing(),
        verdict=sample_verdict(reconstructed),
        notes=("calibration of the choice stream: fewer than 20 events in the test stretch",),
    )


def sample_crossing():
    found = {
        ("ca1-probe", "position"): ("r2", 0.87, 0.0),
        ("ca1-probe", "choice"): ("accuracy", 0.91, 0.6),
        ("position", "ca1-probe"): ("bits_per_spike", 0.1, 0.0),
        ("choice", "choice"): ("accuracy", None, 0.6),
    }
    return tuple(
        CrossModalScore(
            given=(given,),
            predicted=predicted,
            score=score,
            better="higher",
            value=value,
            constant=constant,
        )
        for (given, predicted), (score, value, constant) in found.items()
    )


def sample_provenance():
    return Provenance(
        versions={"neurodsr": "0.1.0", "numpy": "2.3.0", "torch": "2.13.0"},
        file="session.nwb",
        sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        seed=7,
        command="neurodsr run session.yaml -o out --set seed=7",
        seconds={"recording": 3.2, "surrogate": 171.0, "evaluation": 44.0},
    )


def sample_arrays(recording):
    frequency = np.linspace(0, 25, 400)
    bump = np.exp(-((frequency[:, None] - [1.2, 1.4, 2.6]) ** 2) / 1.5)
    floor = np.exp(-frequency / 3)[:, None]
    time = np.arange(1, 301) * 10.0
    horizon = np.arange(1, 101) * BIN
    window = slice(200, 700)
    arrays = {
        "attractor/data": lorenz_orbit(4000),
        "attractor/generated": lorenz_orbit(4000, start=(-3.0, 1.0, 25.0), rho=28.4),
        "spectrum/frequency": frequency,
        "spectrum/data": bump + 0.3 * floor + 1e-4,
        "spectrum/generated": 1.1 * bump + 0.25 * floor + 1e-4,
        "lyapunov/time": time,
        "lyapunov/running": np.array([0.94, 0.0, -13.9]) + np.array([3, 1, 4]) / time[:, None],
        "raster/time": recording.grid.centers[window],
        "forecast/horizon": horizon,
        "forecast/gain": 3.2 * np.exp(-horizon / 0.9) - 0.05,
        "forecast/shuffled": -0.6 + 0.02 * np.sin(horizon * 20),
    }
    kernel = np.hanning(9) / np.hanning(9).sum()
    for name, stream in recording.streams.items():
        values = np.asarray(stream.values[window], dtype=float)
        smooth = np.stack([np.convolve(c, kernel, mode="same") for c in values.T], axis=1)
        arrays[f"raster/{name}/values"] = values
        arrays[f"raster/{name}/mask"] = np.asarray(stream.mask[window])
        arrays[f"raster/{name}/predicted"] = smooth
    return arrays


def sample_report(recording, *, reconstructed=True):
    return build_report(
        sample_config(recording),
        recording,
        sample_history(),
        sample_evaluation(reconstructed=reconstructed),
        sample_provenance(),
    )


@pytest.fixture(scope="module")
def shared_sample():
    """The functions of this file, for tests that vary an input."""
    return SimpleNamespace(
        recording=sample_recording,
        config=sample_config,
        history=sample_history,
        evaluation=sample_evaluation,
        provenance=sample_provenance,
        arrays=sample_arrays,
        report=sample_report,
    )


@pytest.fixture
def sample(shared_sample):
    return shared_sample
