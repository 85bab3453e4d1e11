"""A small simulated session on disk, and runs on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Stream
from neurodsr.run_config import RunConfig
from neurodsr.testing.sessions import demo_session
from neurodsr.testing.write_nwb import write_session


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Path:
    """A simulated session of 10 s with 6 units, position, choice, and its truth."""
    path = tmp_path_factory.mktemp("demo") / "demo.nwb"
    write_session(path, demo_session(seed=0, n_bins=500, n_units=6, n_reference=400))
    return path


@pytest.fixture
def run_on() -> Callable[..., RunConfig]:
    """A function that makes a run on a file with the given streams and grid."""

    def make(path: Path, streams: dict, **grid: float) -> RunConfig:
        return RunConfig.from_plain(
            {
                "schema_version": 1,
                "file": path.name,
                "grid": {"bin_width": 0.1, **grid},
                "streams": streams,
            }
        )

    return make


@pytest.fixture
def make_stream() -> Callable[..., Stream]:
    """A function that makes a stream from columns of values, None where nothing was observed."""

    def make(*columns: list[float | None], unit: str = "m") -> Stream:
        values = np.array([[0.0 if v is None else v for v in c] for c in columns]).T
        mask = np.array([[v is not None for v in c] for c in columns]).T
        return Stream(values, mask, Channels(tuple(f"c{i}" for i in range(len(columns)))), unit)

    return make
