"""Light as inputs, proposed from each of the four layouts that files keep it in."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile
from pynwb.ogen import OptogeneticSeries

from neurodsr.run_config import InputConfig
from neurodsr.sources.hdf5_tree import Hdf5Tree
from neurodsr.sources.nwb_nodes import Node, index_nodes
from neurodsr.sources.nwb_ogen import propose_inputs
from neurodsr.sources.nwb_tables import load_intervals

OPTO = "opto/sub-anm00239123_ses-20170627T093549_ecephys+ogen.nwb"
EPOCHS = "intervals/opto_epochs"
TAGGING = "processing/optotagging/optogenetic_stimulation"
TRIALS = "intervals/trials"


@pytest.fixture
def nodes_of():
    """A function that gives the nodes of a file, closed after the test."""
    trees = []

    def opened(path: Path) -> dict[str, Node]:
        trees.append(Hdf5Tree(str(path)))
        return index_nodes(trees[-1])

    yield opened
    for tree in trees:
        tree.close()


@pytest.fixture
def tables(tmp_path, nodes_of) -> Callable[..., dict[str, Node]]:
    """A function that writes tables of intervals by hand: path -> (type, columns)."""

    def write(described: dict[str, str] | None = None, **by_path) -> dict[str, Node]:
        path = tmp_path / "tables.nwb"
        with h5py.File(path, "w") as file:
            for place, (kind, columns) in by_path.pop("at").items():
                group = file.create_group(place)
                group.attrs["neurodata_type"] = kind
                for name, values in columns.items():
                    group[name] = values
                    group[name].attrs["description"] = (described or {}).get(name, "")
                group["id"] = np.arange(len(columns["start_time"]))
            spec = [
                {"neurodata_type_def": c, "neurodata_type_inc": "TimeIntervals"}
                for c in ("OptogeneticEpochsTable", "OptogeneticPulsesTable")
            ]
            cached = file.create_group("specifications/ndx-optogenetics/1")
            cached["ndx"] = json.dumps({"groups": spec})
        return nodes_of(path)

    return write


def fields(proposal: dict) -> InputConfig:
    """What a run would take of a proposal; fails if it would refuse it."""
    plain = {k: v for k, v in proposal.items() if k not in ("name", "reason")}
    return InputConfig.from_plain(plain)


def sampled(path: Path, **clock) -> None:
    file = NWBFile("light", "l", datetime(2024, 1, 1, tzinfo=UTC))
    device = file.create_device(name="laser")
    site = file.create_ogen_site(
        name="site", device=device, description="d", excitation_lambda=473.0, location="ALM"
    )
    file.add_stimulus(OptogeneticSeries(name="Blue Laser", site=site, **clock))
    with NWBHDF5IO(str(path), "w") as io:
        io.write(file)


def test_a_series_of_light_is_proposed_as_it_is(tmp_path, nodes_of):
    sampled(tmp_path / "light.nwb", data=[0.0, 0.01, 0.0], rate=1000.0)
    (found,) = propose_inputs(nodes_of(tmp_path / "light.nwb"))
    assert found["name"] == "blue-laser"
    assert fields(found) == InputConfig(path="stimulus/presentation/Blue Laser")
    assert "went off" not in found["reason"]


def test_one_sample_a_pulse_is_doubted(tmp_path, nodes_of):
    sampled(tmp_path / "light.nwb", data=[0.01, 0.01], timestamps=[1.0, 2.0])
    (found,) = propose_inputs(nodes_of(tmp_path / "light.nwb"))
    assert "not say when the light went off: check before use" in found["reason"]


def epochs(**changed):
    return {
        "start_time": [0.0, 10.0],
        "stop_time": [1.0, 11.0],
        "stimulation_on": [True, False],
        "power_in_mW": [5.0, np.nan],
        "pulse_length_in_ms": [5.0, np.nan],
        "period_in_ms": [50.0, np.nan],
        "number_pulses_per_pulse_train": [20, -1],
        "number_trains": [1, -1],
        **changed,
    }


def test_a_table_of_pulse_trains_gives_power_pulses_and_the_rows_that_are_on(tables):
    (found,) = propose_inputs(tables(at={EPOCHS: ("OptogeneticEpochsTable", epochs())}))
    assert fields(found) == InputConfig(
        path=EPOCHS,
        value="power_in_mW",
        unit="mW",
        where={"stimulation_on": True},
        pulse=("pulse_length_in_ms", "period_in_ms"),
    )
    assert "do not fill" not in found["reason"]


@pytest.mark.parametrize(
    "changed",
    [{"number_trains": [3, -1]}, {"number_pulses_per_pulse_train": [4, -1]}],
    ids=["several trains", "a short train"],
)
def test_trains_with_pauses_are_told(tables, changed):
    given = epochs(**changed)
    (found,) = propose_inputs(tables(at={EPOCHS: ("OptogeneticEpochsTable", given)}))
    assert "in 1 rows the pulses do not fill the row" in found["reason"]
    assert "write each train as a row of its own" in found["reason"]


def test_steady_light_has_no_pulses(tables):
    given = epochs(period_in_ms=[np.nan, np.nan])
    (found,) = propose_inputs(tables(at={EPOCHS: ("OptogeneticEpochsTable", given)}))
    assert fields(found).pulse is None


PULSES = {"start_time": [0.0, 0.05], "stop_time": [0.005, 0.055], "power_in_mW": [5.0, 5.0]}


def test_a_table_with_a_row_a_pulse_gives_its_power(tables):
    (found,) = propose_inputs(tables(at={"intervals/pulses": ("OptogeneticPulsesTable", PULSES)}))
    assert fields(found) == InputConfig(path="intervals/pulses", value="power_in_mW", unit="mW")
    assert found["reason"] == "each row is a pulse"


def test_pulses_beside_their_epochs_are_told_to_be_one_light_perhaps(tables):
    at = {
        EPOCHS: ("OptogeneticEpochsTable", epochs()),
        "intervals/pulses": ("OptogeneticPulsesTable", PULSES),
    }
    found = propose_inputs(tables(at=at))
    assert [f["path"] for f in found] == [EPOCHS, "intervals/pulses"]
    assert all("keep one if they are the same light" in f["reason"] for f in found)


def test_a_table_without_power_says_what_its_input_is(tables):
    given = {k: v for k, v in epochs().items() if k != "power_in_mW"}
    (found,) = propose_inputs(tables(at={EPOCHS: ("OptogeneticEpochsTable", given)}))
    assert fields(found).value is None
    assert "fraction of time lit" in found["reason"]


def test_each_condition_of_optotagging_is_an_input(tables):
    columns = {
        "start_time": [0.0, 1.0, 2.0],
        "stop_time": [0.01, 1.5, 2.01],
        "level": [1.2, 1.2, 0.8],
        "condition": ["pulse", "cosine wave", "pulse"],
    }
    wave, pulse = propose_inputs(tables(at={TAGGING: ("TimeIntervals", columns)}))
    assert (wave["name"], pulse["name"]) == ("cosine-wave", "pulse")
    assert fields(pulse) == InputConfig(path=TAGGING, value="level", where={"condition": "pulse"})
    assert "whose unit the file does not say" in pulse["reason"]
    assert "told in words only, and taken as steady (cosine wave)" in wave["reason"]


def trials(**columns):
    return {"start_time": [0.0, 10.0, 20.0], "stop_time": [9.0, 19.0, 29.0], **columns}


def test_columns_of_trials_with_the_lights_own_times_bound_it(tables):
    given = trials(
        photostim_power=[0.0, 2.0, 2.0],
        photostim_onset=[np.nan, 12.0, 22.0],
        photostim_offset=[np.nan, 13.0, 23.0],
        photostim_duration=[np.nan, 1.0, 1.0],
    )
    (found,) = propose_inputs(
        tables({"photostim_power": "power in mW/mm2"}, at={TRIALS: ("TimeIntervals", given)})
    )
    assert fields(found) == InputConfig(
        path=TRIALS,
        value="photostim_power",
        unit="mW/mm2",
        start="photostim_onset",
        stop="photostim_offset",
    )
    assert found["reason"] == (
        "light in 2 rows; photostim_onset and photostim_offset say when it is on"
    )


def test_times_of_light_that_count_from_their_trial_are_doubted(tables):
    given = trials(
        laser_power=[0.0, 2.0, 2.0],
        laser_start_time=[np.nan, 2.0, 2.0],
        laser_stop_time=[np.nan, 3.0, 3.0],
    )
    (found,) = propose_inputs(tables(at={TRIALS: ("TimeIntervals", given)}))
    assert "do they count from each row's start?" in found["reason"]


def test_each_epoch_that_is_named_is_an_input_within_its_bounds(tables):
    given = trials(
        photo_stim_power=[1.5, 1.5, 1.5],
        photo_stim_period=["sample", "delay", "N/A"],
        pole_in_time=[1.0, 11.0, 21.0],
        pole_out_time=[2.0, 12.0, 22.0],
        cue_start_time=[4.0, 14.0, 24.0],
    )
    delay, sample = propose_inputs(tables(at={TRIALS: ("TimeIntervals", given)}))
    assert (delay["name"], delay["start"], delay["stop"]) == (
        "photostim-delay", "pole_out_time", "cue_start_time",
    )  # fmt: skip
    assert (sample["name"], sample["start"], sample["stop"]) == (
        "photostim-sample", "pole_in_time", "pole_out_time",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "the file does not say when within a trial the light is on: whole trials are taken"),
        ({"photo_stim_period": ["delay"] * 3}, "no column bounds it: whole trials are taken"),
    ],
)
def test_whole_trials_are_taken_only_with_a_warning(tables, more, said):
    given = trials(photo_stim_power=[0.0, 1.5, 1.5], **more)
    (found,) = propose_inputs(tables(at={TRIALS: ("TimeIntervals", given)}))
    assert said in found["reason"]
    assert (fields(found).start, fields(found).stop) == ("start_time", "stop_time")


def test_columns_of_trials_are_not_proposed_beside_a_table_of_light(tables):
    given = trials(photo_stim_power=[0.0, 1.5, 1.5])
    found = propose_inputs(
        tables(
            at={
                EPOCHS: ("OptogeneticEpochsTable", epochs()),
                TRIALS: ("TimeIntervals", given),
            }
        )
    )
    assert [f["path"] for f in found] == [EPOCHS]


@pytest.mark.parametrize(
    "columns",
    [{"band_power": [1.0, 2.0, 3.0]}, {"photo_stim_power": [0.0, 0.0, 0.0]}, {}],
    ids=["of a band", "never on", "none"],
)
def test_trials_without_light_propose_nothing(tables, columns):
    assert propose_inputs(tables(at={TRIALS: ("TimeIntervals", trials(**columns))})) == ()


def test_the_real_recording_has_light_of_the_delay_and_says_what_is_not_known(
    nodes_of, shared_file
):
    nodes = nodes_of(shared_file(OPTO))
    (found,) = propose_inputs(nodes)
    assert fields(found) == InputConfig(
        path=TRIALS,
        value="photo_stim_power",
        unit="mW",
        start="pole_out_time",
        stop="cue_start_time",
        where={"photo_stim_period": "delay"},
    )
    assert found["reason"].startswith("light in 63 rows; the file names only the epoch (delay)")
    table = load_intervals(nodes[TRIALS])
    lit = table.columns["photo_stim_power"] > 0
    lasting = (table.columns["cue_start_time"] - table.columns["pole_out_time"])[lit]
    assert np.median(lasting) == pytest.approx(1.3, abs=0.06)
