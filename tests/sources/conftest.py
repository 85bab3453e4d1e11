"""Small NWB files with known content, and the same files tampered with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.behavior import Position, SpatialSeries

from neurodsr.sources.nwb import NwbSource

Fill = Callable[[NWBFile], None]


@pytest.fixture
def write_nwb(tmp_path) -> Callable[..., Path]:
    """A function that writes an NWB file which `fill` has put something into."""

    def write(fill: Fill | None = None, name: str = "session.nwb") -> Path:
        nwbfile = NWBFile(
            session_description="A small test session.",
            identifier="test-session",
            session_start_time=datetime(2025, 1, 15, 12, 0, tzinfo=UTC),
        )
        if fill is not None:
            fill(nwbfile)
        path = tmp_path / name
        with NWBHDF5IO(path, mode="w") as io:
            io.write(nwbfile)
        return path

    return write


@pytest.fixture
def units_file(write_nwb) -> Callable[..., Path]:
    """A function that writes a file of units, one row a spike train."""

    def write(*trains: list[float], **columns: list) -> Path:
        def fill(nwbfile: NWBFile) -> None:
            for i, train in enumerate(trains):
                own = {name: values[i] for name, values in columns.items()}
                nwbfile.add_unit(spike_times=np.asarray(train, dtype=float), **own)

        return write_nwb(fill)

    return write


@pytest.fixture
def series_file(write_nwb) -> Callable[..., Path]:
    """A function that writes one series "speed" to acquisition."""

    def write(data: object, **fields: object) -> Path:
        fields = {"unit": "m/s", "name": "speed", **fields}
        return write_nwb(lambda f: f.add_acquisition(TimeSeries(data=data, **fields)))

    return write


@pytest.fixture
def trials_file(write_nwb) -> Callable[..., Path]:
    """A function that writes trials, one dict a row, all with the same keys."""

    def write(*rows: dict) -> Path:
        def fill(nwbfile: NWBFile) -> None:
            for name in set(rows[0]) - {"start_time", "stop_time"}:
                nwbfile.add_trial_column(name=name, description=f"The {name}.")
            for row in rows:
                nwbfile.add_trial(**row)

        return write_nwb(fill)

    return write


def add_position(nwbfile: NWBFile) -> None:
    """Ten 2-D samples at 10 Hz from 0.5 s on, in processing/behavior/Position/position."""
    position = SpatialSeries(
        name="position",
        data=np.arange(20.0).reshape(10, 2),
        reference_frame="the arena",
        starting_time=0.5,
        rate=10.0,
    )
    module = nwbfile.create_processing_module(name="behavior", description="What it did.")
    module.add(Position(spatial_series=position))


@pytest.fixture
def position_file(write_nwb) -> Path:
    """A file with a position and nothing else."""
    return write_nwb(add_position)


@pytest.fixture
def opened():
    """A function that opens a file and closes it after the test."""
    sources = []

    def open_it(path: Path) -> NwbSource:
        sources.append(NwbSource(path))
        return sources[-1]

    yield open_it
    for source in sources:
        source.close()
