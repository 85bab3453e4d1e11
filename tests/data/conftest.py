"""A recording with everything that can be in one, in memory and saved."""

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.store import save_recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid

N_BINS = 40_000  # two whole shards and a part of a third


def spikes():
    rng = np.random.default_rng(0)
    mask = rng.random((N_BINS, 3)) < 0.9
    counts = np.where(mask, rng.integers(0, 8, (N_BINS, 3)), 0)
    channels = Channels(
        ids=("n0", "../../etc/passwd", "ü\n<b>"),
        regions=("VISp", "", "CA1"),
        positions=np.array([[0.1, 1 / 3, -2e-300], [0, 0, 0], [1, 2, 3]]),
        located=np.array([True, False, True]),
    )
    return Stream(counts, mask, channels, "count", notes=("2 units had no spikes",))


def position():
    values = np.random.default_rng(1).normal(size=(N_BINS, 2)).astype(np.float32)
    return Stream(values, np.ones((N_BINS, 2), bool), Channels(("x", "y")), "m")


def choice():
    values = np.arange(N_BINS).reshape(-1, 1) % 3
    channels = Channels(("choice",), levels=("left", "right", "none"))
    return Stream(values, np.ones((N_BINS, 1), bool), channels, "")


@pytest.fixture
def recording():
    columns = {
        "correct": np.array([True, False]),
        "stop_cue": np.array([np.nan, 1.5]),
        "reward": np.array([np.inf, -np.inf], dtype=np.float32),
        "side": np.array(["left", "ü"], dtype=object),
        "block": np.array([[1, 2], [3, 4]], dtype=np.int16),
    }
    return Recording(
        id="sub-01/ses 01",
        grid=TimeGrid(start=0.1, bin_width=1 / 30, n_bins=N_BINS),
        streams={"v1/probe": spikes(), "..": position(), "choice": choice()},
        segments=Intervals(np.array([0.1, 7.0]), np.array([5.0, 1 / 3 + 9]), columns),
        inputs=Stream(np.zeros((N_BINS, 1)), np.zeros((N_BINS, 1), bool), Channels(("s",)), "V"),
        sessions=("ses-01", "ses-01"),
        notes=("dropped 3 spikes before the start",),
        source={"name": "a.nwb", "sha256": "00"},
    )


@pytest.fixture
def saved(recording, tmp_path):
    save_recording(recording, tmp_path / "rec.zarr")
    return tmp_path / "rec.zarr"
