"""A session of many kinds of streams: init gives each its modality, and all of it is ingested."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.behavior import BehavioralEvents, CompassDirection, Position, SpatialSeries
from pynwb.ophys import Fluorescence, ImageSegmentation, OpticalChannel

from neurodsr.ingest.ingest import ingest
from neurodsr.ingest.init_text import config_text
from neurodsr.ingest.inspect import inspect_file
from neurodsr.ingest.propose import propose_config
from neurodsr.run_config import RunConfig

N_FRAMES, RATE = 400, 20.0
LASTS = N_FRAMES / RATE


def add_cells(file: NWBFile, indicator: str) -> None:
    """Three cells that are imaged in a plane with an indicator."""
    channel = OpticalChannel(name="green", description="d", emission_lambda=510.0)
    plane = file.create_imaging_plane(
        name="plane", optical_channel=channel, description="d", indicator=indicator,
        device=file.create_device(name="microscope"), excitation_lambda=920.0, location="VISp",
        imaging_rate=RATE,
    )  # fmt: skip
    segmentation = ImageSegmentation()
    segments = segmentation.create_plane_segmentation(
        name="cells", description="d", imaging_plane=plane
    )
    for i in range(3):
        segments.add_roi(pixel_mask=[(i, i, 1.0)])
    module = file.create_processing_module(name="ophys", description="d")
    module.add(segmentation)
    rois = segments.create_roi_table_region(region=[0, 1, 2], description="d")
    light = np.abs(np.random.default_rng(0).standard_normal((N_FRAMES, 3)))
    fluorescence = Fluorescence()
    fluorescence.create_roi_response_series(
        name="traces", data=light, rois=rois, unit="a.u.", rate=RATE
    )
    module.add(fluorescence)


def add_behavior(file: NWBFile) -> None:
    """A place, a heading, licks and rewards; and the times of licks in each trial."""
    times = np.arange(N_FRAMES) / RATE
    heading = (40.0 * times) % 360
    module = file.create_processing_module(name="behavior", description="d")
    where = {"reference_frame": "the box", "rate": RATE}
    place = np.c_[np.sin(times), np.cos(times)]
    series = {
        Position: SpatialSeries(name="place", data=place, unit="m", **where),
        CompassDirection: SpatialSeries(name="head", data=heading, unit="degrees", **where),
    }
    for container, signal in series.items():
        module.add(container(spatial_series=signal))
    happened = np.arange(0.5, LASTS, 1.0)
    events = BehavioralEvents()
    for name in ("licks", "reward"):
        events.add_timeseries(
            TimeSeries(name=name, data=np.ones(len(happened)), timestamps=happened, unit="1")
        )
    module.add(events)
    file.add_trial_column("poke_times", "pokes", index=True)
    for start in range(0, int(LASTS), 5):
        file.add_trial(start_time=float(start), stop_time=start + 4.0,
                       poke_times=[start + 1.0, start + 2.0])  # fmt: skip


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("session") / "session.nwb"
    file = NWBFile(
        session_description="d",
        identifier="a",
        session_start_time=datetime(2025, 1, 15, 12, 0, tzinfo=UTC),
    )
    add_cells(file, "GCaMP6f")
    add_behavior(file)
    with NWBHDF5IO(path, mode="w") as io:
        io.write(file)
    return path


def test_every_stream_gets_its_modality_and_kind_of_values(session):
    streams = propose_config(inspect_file(session))["streams"].values()
    assert {s["path"].rpartition("/")[2]: {k: s[k] for k in s if k != "path"} for s in streams} == {
        "traces": {"kind": "calcium", "indicator": "GCaMP6f"},
        "place": {"kind": "behavior"},
        "head": {"kind": "behavior", "observation": "angle"},
        "licks": {"kind": "behavior", "observation": "events"},
        "poke_times": {"kind": "behavior", "observation": "events"},
    }


def test_all_of_it_is_ingested_in_bins_of_a_frame(session):
    proposed = propose_config(inspect_file(session), root=session.parent)
    assert proposed["grid"] == {"bin_width": 0.05}
    recording = ingest(RunConfig.from_plain(proposed), root=session.parent)
    assert {name: s.unit for name, s in recording.streams.items()} == {
        "traces": "a.u.", "place": "m", "head": "rad", "licks": "event", "poke-times": "event"
    }  # fmt: skip
    assert recording.streams["licks"].values.sum() == pytest.approx(LASTS, abs=2)


def test_the_reward_is_listed_as_not_used(session):
    inspection = inspect_file(session)
    text = config_text(propose_config(inspection), inspection)
    assert "# not used: processing/behavior/BehavioralEvents/reward (TimeSeries" in text
