"""What inspect finds, and the run and the text that are made of it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from ruamel.yaml import YAML

from neurodsr.errors import DataError
from neurodsr.ingest.init_text import SCHEMA, config_text
from neurodsr.ingest.inspect import inspect_file
from neurodsr.ingest.inspection import Inspection, StreamInspection
from neurodsr.ingest.propose import Candidate, propose_bin_width, propose_config, stream_names
from neurodsr.run_config import RunConfig


def parse(text: str) -> dict:
    return YAML(typ="safe", pure=True).load(text)


def write(path, *things: TimeSeries, trials: tuple[dict, ...] = ()):
    nwbfile = NWBFile(
        session_description="A session.",
        identifier="a\nb: # [\x07]",
        session_start_time=datetime(2025, 1, 15, 12, 0, tzinfo=UTC),
    )
    module = nwbfile.create_processing_module(name="behavior", description="Behavior.")
    for thing in things:
        module.add(thing)
    for name in set(trials[0]) - {"start_time", "stop_time"} if trials else ():
        nwbfile.add_trial_column(name=name, description=f"The {name}.")
    for row in trials:
        nwbfile.add_trial(**row)
    with NWBHDF5IO(path, mode="w") as io:
        io.write(nwbfile)
    return path


def trial(i: int, **columns: object) -> dict:
    return {"start_time": float(i), "stop_time": i + 0.5, **columns}


def rated(median_rate: float) -> list[StreamInspection]:
    stream = StreamInspection(
        path="units", kind="events", neurodata_type="Units", n_channels=1, n_samples=1, start=0.0,
        stop=1.0, rate=0.0, median_rate=median_rate, unit="count",
    )  # fmt: skip
    return [stream]


def test_the_demo_session_is_found_whole(demo):
    found = inspect_file(demo)
    by_path = {s.path: s for s in found.streams}
    units = by_path["units"]
    assert (units.proposed, units.n_channels) == ("spikes", 6)
    assert units.regions == ("CA1", "MOs", "VISp")
    assert units.median_rate == pytest.approx(units.n_samples / 60, rel=0.5)
    assert by_path["processing/behavior/Position/position"].proposed == "behavior"
    assert by_path["processing/simulation/state"].proposed == ""
    assert found.sha256 == hashlib.sha256(demo.read_bytes()).hexdigest()
    assert found.species == "Mus musculus"
    assert Inspection.from_plain(found.to_plain()) == found


def test_the_truth_of_a_simulated_session_is_found(demo):
    truth = inspect_file(demo).truth
    assert truth is not None
    assert truth.path == "processing/simulation/state"
    assert truth.exponent == pytest.approx(0.906, abs=0.01)


def test_the_demo_session_proposes_the_run_that_it_was_made_for(demo):
    proposed = propose_config(inspect_file(demo), root=demo.parent)
    assert proposed["file"] == "demo.nwb"
    assert proposed["streams"] == {
        "units": {"kind": "spikes", "path": "units"},
        "choice": {
            "kind": "behavior",
            "path": "processing/behavior/BehavioralTimeSeries/choice",
            "observation": "categorical",
        },
        "position": {"kind": "behavior", "path": "processing/behavior/Position/position"},
    }
    assert proposed["grid"] == {"bin_width": 0.02}
    assert proposed["dynamics"]["latent_dim"] == 3
    assert proposed["truth"]["reference"] == "processing/simulation/reference"
    RunConfig.from_plain(proposed)


def test_the_written_configuration_parses_back_to_the_proposed_run(demo):
    found = inspect_file(demo)
    proposed = propose_config(found, root=demo.parent)
    text = config_text(proposed, found)
    assert text.startswith(f"# yaml-language-server: $schema={SCHEMA}\n")
    assert parse(text) == proposed
    assert "0.02  # s; the median neuron fires at" in text
    assert "regions CA1, MOs, VISp" in text


def test_odd_text_from_the_file_cannot_leave_its_comment_or_string(tmp_path):
    name = 'we"ird \x07 \u202e name'
    path = write(
        tmp_path / "odd: # file.nwb",
        TimeSeries(name=name, data=np.arange(40.0), rate=10.0, unit="m\nkey: value"),
    )
    found = inspect_file(path)
    proposed = propose_config(found, root=tmp_path)
    text = config_text(proposed, found)
    assert parse(text) == proposed
    assert all(c.isprintable() or c == "\n" for c in text)
    RunConfig.from_plain(parse(text))


@pytest.mark.parametrize(
    ("rate", "width"), [(8, 0.02), (5, 0.02), (2, 0.05), (1.5, 0.05), (1, 0.1)]
)
def test_the_bin_width_follows_the_median_rate_of_the_units(rate, width):
    assert propose_bin_width(rated(rate)) == width


def test_without_units_every_bin_holds_a_sample(tmp_path):
    path = write(
        tmp_path / "slow.nwb",
        TimeSeries(name="speed", data=np.arange(90.0), timestamps=np.arange(90) / 7, unit="m/s"),
    )
    assert propose_config(inspect_file(path))["grid"]["bin_width"] == 0.2


def test_a_choice_like_column_of_the_trials_is_proposed_as_labels(tmp_path):
    rows = [
        trial(i, choice=["left", "right"][i % 2], outcome=i % 3, contrast=i % 2, response=f"r{i}")
        for i in range(20)
    ]
    proposed = propose_config(inspect_file(write(tmp_path / "trials.nwb", trials=tuple(rows))))
    paths = {s["path"]: s["observation"] for s in proposed["streams"].values()}
    assert paths == {
        "intervals/trials/choice": "categorical",
        "intervals/trials/outcome": "categorical",
    }


def test_a_label_with_one_level_or_many_is_not_proposed(tmp_path):
    rows = [trial(i, choice="left", response=f"r{i}") for i in range(20)]
    with pytest.raises(DataError, match=r"nothing that a built-in modality takes"):
        propose_config(inspect_file(write(tmp_path / "trials.nwb", trials=tuple(rows))))


def test_streams_that_share_no_time_with_the_first_are_left_out(tmp_path):
    speed, later = (
        TimeSeries(name=n, data=np.arange(50.0), rate=10.0, starting_time=t, unit="m/s")
        for n, t in (("speed", 0.0), ("tail", 900.0))
    )
    found = inspect_file(write(tmp_path / "apart.nwb", speed, later))
    proposed = propose_config(found)
    assert list(proposed["streams"]) == ["speed"]
    assert "# not used: processing/behavior/tail" in config_text(proposed, found)


def test_nothing_usable_is_refused_with_the_reason(shared_file):
    found = inspect_file(shared_file("behavior/DLC2NWB_openfield_pose.nwb"))
    with pytest.raises(DataError, match=r"frame numbers.*\n  fix: `neurodsr inspect` shows"):
        propose_config(found)


def test_values_that_are_missing_show_in_the_problems(tmp_path):
    data = np.where(np.arange(40) % 4, np.arange(40.0), np.nan)
    path = write(tmp_path / "lost.nwb", TimeSeries(name="x", data=data, rate=10.0, unit="m"))
    (stream,) = inspect_file(path).streams
    assert stream.problems == (
        "warning: 25.000% of the values are NaN or infinite and were masked",
    )


def test_names_are_short_and_unique():
    paths = ["processing/behavior/Position/Left Paw", "acquisition/left_paw", "units"]
    chosen = [Candidate(p, {}, 0, 1) for p in paths]
    assert stream_names(chosen) == ["left-paw", "left-paw-2", "units"]


@pytest.mark.parametrize(
    "name",
    [
        "spikes/nelpy_linear-track.nwb",
        "opto/sub-anm00239123_ses-20170627T093549_ecephys+ogen.nwb",
    ],
)
def test_real_recordings_propose_a_valid_run(shared_file, name):
    found = inspect_file(shared_file(name))
    proposed = propose_config(found)
    assert parse(config_text(proposed, found)) == proposed
    RunConfig.from_plain(proposed)


def test_a_file_of_calcium_traces_only_is_inspected(shared_file):
    found = inspect_file(shared_file("calcium/neuroconv_ophys_nwb_test.nwb"))
    assert {s.neurodata_type for s in found.streams} == {"RoiResponseSeries"}
    assert not any(s.proposed for s in found.streams)
