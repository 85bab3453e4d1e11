"""From a file to a recording: one clock, masks, notes, segments, errors that name the stream."""

from __future__ import annotations

import hashlib
from typing import Literal

import h5py
import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Stream
from neurodsr.errors import DataError, PluginError
from neurodsr.ingest.ingest import ingest
from neurodsr.modalities.base import Modality
from neurodsr.run_config import RunConfig
from neurodsr.testing.sessions import demo_config, demo_session

UNITS = {"units": {"kind": "spikes", "path": "units"}}


class Watched(Modality):
    """Follows the units, but sees nothing in the stretches [2, 4) and [6, 6.1) s."""

    kind: Literal["watched"] = "watched"

    def load(self, source, grid):
        mask = np.ones((grid.n_bins, 1), dtype=bool)
        centers = grid.centers
        mask[((centers > 2) & (centers < 4)) | ((centers > 6) & (centers < 6.1)), 0] = False
        values = np.where(mask, np.arange(grid.n_bins)[:, None], 0.0)
        return Stream(values, mask, Channels(("only",)), "m", ("read by a test",))

    def build_decoder(self, channels, latent_dim, *, bin_width):
        raise NotImplementedError


class Failing(Watched):
    """Breaks while loading, as a plug-in may."""

    def load(self, source, grid):
        raise ZeroDivisionError("no filter taps")


def with_modality(config: RunConfig, **streams: Modality) -> RunConfig:
    return config.model_copy(update={"streams": streams})


@pytest.fixture(scope="module")
def recording(demo):
    config = RunConfig.from_plain(demo_config(file=demo.name))
    return ingest(config, root=demo.parent)


def test_every_stream_is_on_the_one_grid(recording):
    assert recording.grid.n_bins == 500
    assert recording.grid.start == pytest.approx(0.0, abs=1e-9)
    assert {name: s.values.shape for name, s in recording.streams.items()} == {
        "units": (500, 6),
        "position": (500, 2),
        "choice": (500, 1),
    }
    assert all(np.asarray(s.mask).all() for s in recording.streams.values())


def test_the_recording_holds_what_was_simulated(recording):
    truth = demo_session(seed=0, n_bins=500, n_units=6, n_reference=400)
    np.testing.assert_array_equal(recording.streams["units"].values, truth.counts)
    np.testing.assert_allclose(recording.streams["position"].values, truth.position, rtol=1e-6)
    np.testing.assert_array_equal(recording.streams["choice"].values[:, 0], truth.choice)


def test_regions_and_positions_reach_the_recording(recording):
    channels = recording.streams["units"].channels
    assert set(channels.regions) == {"VISp", "CA1", "MOs"}
    assert channels.located.all()


def test_the_recording_says_where_it_came_from(recording, demo):
    assert recording.source == {
        "name": "demo.nwb",
        "sha256": hashlib.sha256(demo.read_bytes()).hexdigest(),
    }
    assert recording.sessions == (f"simulated-0/{recording.id}",)


def test_a_session_watched_throughout_is_one_segment(recording):
    assert recording.segments.starts.tolist() == [recording.grid.start]
    assert recording.segments.stops.tolist() == [recording.grid.stop]


def test_segments_end_where_nothing_is_observed_for_more_than_a_bin(demo, run_on):
    config = run_on(demo, UNITS, start=0.0, stop=10.0)
    recording = ingest(with_modality(config, only=Watched(path="units")), root=demo.parent)
    np.testing.assert_allclose(recording.segments.starts, [0, 4])
    np.testing.assert_allclose(recording.segments.stops, [2, 10])
    assert len(recording.sessions) == 2
    assert recording.notes == (
        "only: read by a test",
        "nothing is observed in 1 gaps, the longest 2 s: segments end there",
    )


def test_dropped_channels_are_noted_under_the_stream_s_name(demo, run_on, tmp_path):
    path = tmp_path / "silent.nwb"
    path.write_bytes(demo.read_bytes())
    with h5py.File(path, "a") as file:
        first = file["units/spike_times_index"][0]
        file["units/spike_times"][:first] = np.linspace(-9, -8, first)
        file["units/obs_intervals"][:, 0] = -10.0
    recording = ingest(run_on(path, UNITS, start=0.0), root=tmp_path)
    assert recording.streams["units"].channels.ids == ("1", "2", "3", "4", "5")
    assert "units: 1 channel was dropped, silent: 0" in recording.notes


def test_progress_is_told_for_every_stream(demo, run_on):
    told = []
    ingest(run_on(demo, UNITS), root=demo.parent, progress=lambda *step: told.append(step))
    assert told == [("ingest", 0, 1), ("ingest", 1, 1)]


def test_a_missing_file_is_refused_with_its_path(demo, run_on, tmp_path):
    with pytest.raises(DataError, match=r"no such file\n  fix: check the path") as caught:
        ingest(run_on(demo, UNITS), root=tmp_path)
    assert str(tmp_path / "demo.nwb") in caught.value.where


def test_a_path_that_is_not_in_the_file_gets_the_nearest_one(demo, run_on):
    streams = {"pos": {"kind": "behavior", "path": "processing/behavior/Position/positions"}}
    with pytest.raises(DataError, match="did you mean 'processing/behavior/Position/position'"):
        ingest(run_on(demo, streams), root=demo.parent)


def test_a_modality_that_fails_to_load_is_named_with_its_stream(demo, run_on):
    config = with_modality(run_on(demo, UNITS), lfp=Failing(path="units"))
    with pytest.raises(PluginError, match="fix: report it to the package's authors") as caught:
        ingest(config, root=demo.parent)
    assert caught.value.exit_code == 4
    assert caught.value.what.startswith("loading fails\n")
    assert caught.value.what.endswith("ZeroDivisionError: no filter taps")
    assert caught.value.where == f"stream 'lfp', kind 'watched' of {__name__}"


def test_the_linear_track_recording_becomes_a_recording(shared_file, run_on):
    path = shared_file("spikes/nelpy_linear-track.nwb")
    streams = UNITS | {
        "position": {"kind": "behavior", "path": "processing/behavior/Position/position"}
    }
    recording = ingest(run_on(path, streams), root=path.parent)
    assert recording.grid.start == pytest.approx(4397.0317)
    assert recording.grid.n_bins == 19_824
    assert recording.streams["units"].n_channels == 31
    # Five spikes at most lie after the last whole bin or outside their observed intervals.
    assert 28_829 - recording.streams["units"].values.sum() <= 5
    assert np.asarray(recording.streams["position"].mask).mean() > 0.99
