"""A small recording and a configuration that trains in seconds."""

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.run_config import RunConfig
from neurodsr.training.train import train

N_BINS = 1500


@pytest.fixture(scope="session")
def small_recording():
    """Two units and a position that turn with a noisy rotation."""
    rng = np.random.default_rng(5)
    phase = 0.2 * np.arange(N_BINS)
    state = np.stack([np.cos(phase), np.sin(phase)], axis=1)
    counts = rng.poisson(np.exp(state - 0.5)).astype(np.float32)
    position = (state + 0.1 * rng.normal(size=state.shape)).astype(np.float32)
    seen = np.ones((N_BINS, 2), dtype=bool)
    grid = TimeGrid(0.0, 0.02, N_BINS)
    return Recording(
        id="small",
        grid=grid,
        streams={
            "units": Stream(counts, seen, Channels(ids=("0", "1")), "count"),
            "position": Stream(position, seen, Channels(ids=("x", "y")), "m"),
        },
        segments=Intervals(np.array([0.0]), np.array([grid.stop]), {}),
    )


def small_settings(**changes):
    """Plain configuration of a training that takes seconds; `changes` replace its sections."""
    return {
        "schema_version": 1,
        "file": "small.nwb",
        "grid": {"bin_width": 0.02},
        "streams": {
            "units": {"kind": "spikes"},
            "position": {"kind": "behavior", "path": "position"},
        },
        "encoder": {"width": 4, "kernel": 5, "n_steps": 200, "window": 30, "batch_size": 4},
        "dynamics": {
            "latent_dim": 2,
            "hidden_dim": 8,
            "n_steps": 200,
            "window": 20,
            "batch_size": 4,
        },
        "ensemble": {
            "n_encoders": 2,
            "n_members": 3,
            "n_starts": 4,
            "n_bins": 2000,
        },
    } | changes


@pytest.fixture(scope="session")
def settings():
    """The function that makes the plain configuration."""
    return small_settings


@pytest.fixture(scope="session")
def small_config():
    return RunConfig.from_plain(small_settings())


@pytest.fixture(scope="session")
def trained(small_recording, small_config):
    """The small ensemble, trained in this process."""
    return train(small_recording, small_config, n_workers=1)
