"""Several sessions of a run become one recording: end to end, channels apart, gaps masked."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from neurodsr.data.store import open_recording, save_recording
from neurodsr.errors import DataError
from neurodsr.ingest.ingest import ingest
from neurodsr.run_config import RunConfig
from neurodsr.testing.sessions import demo_session
from neurodsr.testing.write_nwb import write_session

POSITION = "processing/behavior/Position/position"
CHOICE = "processing/behavior/BehavioralTimeSeries/choice"
STREAMS = {
    "units": {"kind": "spikes", "path": "units"},
    "position": {"kind": "behavior", "path": POSITION},
    "choice": {"kind": "behavior", "path": CHOICE, "observation": "categorical"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two sessions of 10 s with 6 and 4 units; the second lacks the position."""
    folder = tmp_path_factory.mktemp("sessions")
    for seed, n_units in ((0, 6), (1, 4)):
        session = demo_session(seed=seed, n_bins=500, n_units=n_units, n_reference=400)
        write_session(folder / f"day{seed}.nwb", session)
    with h5py.File(folder / "day1.nwb", "a") as file:
        del file["processing/behavior/Position"]
    return folder


def config(file, streams=STREAMS, **more):
    return RunConfig.from_plain(
        {
            "schema_version": 1,
            "file": file,
            "grid": {"bin_width": 0.02},
            "streams": streams,
            **more,
        }
    )


@pytest.fixture(scope="module")
def both(folder):
    return ingest(config("day*.nwb"), root=folder)


def test_the_sessions_follow_one_another_and_stay_apart(both):
    assert both.grid.n_bins == 1000
    assert both.segments.starts.tolist() == [both.grid.edges[0], both.grid.edges[500]]
    assert both.segments.stops.tolist() == [both.grid.edges[500], both.grid.edges[1000]]
    assert len(set(both.sessions)) == 2
    np.testing.assert_allclose(both.segments.columns["source_start"], 0, atol=1e-9)


def test_neurons_are_named_by_session_and_hold_their_own_counts(both):
    units = both.streams["units"]
    assert units.n_channels == 10
    assert [i.rpartition("/")[0] for i in units.channels.ids] == [both.sessions[0]] * 6 + [
        both.sessions[1]
    ] * 4
    for seed, rows, columns in (
        (0, slice(0, 500), slice(0, 6)),
        (1, slice(500, 1000), slice(6, 10)),
    ):
        truth = demo_session(seed=seed, n_bins=500, n_units=6 - 2 * seed, n_reference=400)
        np.testing.assert_array_equal(units.values[rows][:, columns], truth.counts)
    mask = np.asarray(units.mask)
    assert mask[:500, :6].all()
    assert not mask[:500, 6:].any()
    assert not mask[500:, :6].any()


def test_a_position_is_the_same_variable_every_day_and_masked_where_it_is_missing(both):
    position = both.streams["position"]
    assert position.channels.ids == ("x", "y")
    assert np.asarray(position.mask)[:500].all()
    assert not np.asarray(position.mask)[500:].any()


def test_labels_have_the_same_codes_in_every_session(both):
    for seed, rows in ((0, slice(0, 500)), (1, slice(500, 1000))):
        truth = demo_session(seed=seed, n_bins=500, n_units=6, n_reference=400).choice
        codes = np.asarray(both.streams["choice"].values[rows])[:, 0].astype(int)
        levels = np.array([float(v) for v in both.streams["choice"].channels.levels])
        np.testing.assert_array_equal(levels[codes], truth)


def test_where_each_session_lies_is_noted_and_every_file_named(both):
    assert sum(" s are " in note for note in both.notes) == 2
    assert both.source["name"] == "day0.nwb, day1.nwb"
    assert len(both.source["sha256 of day1.nwb"]) == 64


def test_a_joined_recording_is_saved_and_opened_unchanged(both, tmp_path):
    save_recording(both, tmp_path / "both.zarr")
    opened = open_recording(tmp_path / "both.zarr")
    for name, stream in both.streams.items():
        np.testing.assert_array_equal(np.asarray(opened.streams[name].values), stream.values)
        np.testing.assert_array_equal(np.asarray(opened.streams[name].mask), stream.mask)
        assert opened.streams[name].channels.sessions == stream.channels.sessions
    assert opened.sessions == both.sessions


def test_one_session_alone_may_not_lack_a_stream(folder):
    with pytest.raises(DataError, match="is not in the file"):
        ingest(config("day1.nwb"), root=folder)


def test_a_stream_that_no_session_has_is_refused(folder):
    streams = STREAMS | {"pupil": {"kind": "behavior", "path": "processing/pupil"}}
    with pytest.raises(DataError, match="none of the 2 sessions has the stream"):
        ingest(config(["day0.nwb", "day1.nwb"], streams), root=folder)


def test_a_truth_of_several_sessions_is_refused(folder):
    truth = {"path": "a", "reference": "b", "exponent": 1.0}
    with pytest.raises(DataError, match="fix: leave the truth section out"):
        ingest(config("day*.nwb", truth=truth), root=folder)


def test_a_stream_may_come_from_a_file_of_its_own(folder, tmp_path):
    table = folder / "speed.csv"
    times = np.arange(0, 10, 0.02) + 0.01
    rows = "\n".join(f"{t:.6f},{k}" for k, t in enumerate(times))
    table.write_text(f"time,speed\n{rows}\n", encoding="utf-8")
    streams = {
        "units": STREAMS["units"],
        "speed": {"kind": "behavior", "path": "speed", "file": "speed.csv"},
    }
    recording = ingest(config("day0.nwb", streams), root=folder)
    speed = np.asarray(recording.streams["speed"].values)[:, 0]
    np.testing.assert_allclose(
        speed[np.asarray(recording.streams["speed"].mask)[:, 0]][:5], range(5)
    )


def test_a_shifted_clock_shifts_the_stream_by_whole_bins(folder):
    def position(clock):
        streams = {"units": STREAMS["units"], "position": STREAMS["position"] | {"clock": clock}}
        return ingest(
            config("day0.nwb", streams, grid={"bin_width": 0.02, "start": 0.0, "stop": 10.0}),
            root=folder,
        ).streams["position"]

    still, moved = position({}), position({"offset": 0.2})
    np.testing.assert_allclose(moved.values[10:], still.values[:-10], atol=1e-5)
    assert not np.asarray(moved.mask)[:10].any()
