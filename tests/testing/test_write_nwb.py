"""The simulated NWB files: valid, complete, repeatable, and honest about failure."""

import dataclasses

import h5py
import numpy as np
import pynwb
import pytest
from nwbinspector import Importance, inspect_nwbfile, load_config

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Series
from neurodsr.data.time import TimeGrid
from neurodsr.errors import OutputError
from neurodsr.testing.sessions import demo_config, demo_session, lorenz_session
from neurodsr.testing.write_nwb import write_session


@pytest.fixture(scope="module")
def demo():
    return demo_session(seed=0, n_bins=3_000, n_reference=4_000)


@pytest.fixture(scope="module")
def demo_path(demo, tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "demo.nwb"
    write_session(path, demo)
    return path


@pytest.fixture(scope="module")
def lorenz_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("lorenz") / "lorenz63.nwb"
    write_session(path, lorenz_session(seed=0, n_bins=3_000))
    return path


@pytest.fixture(params=["demo_path", "lorenz_path"])
def path(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def nwbfile(demo_path):
    with pynwb.NWBHDF5IO(demo_path, mode="r") as io:
        yield io.read()


def test_the_file_satisfies_the_nwb_schema(path):
    assert pynwb.validate(path=str(path)) == []


def test_nwbinspector_finds_nothing_critical_under_the_dandi_rules(path):
    found = list(inspect_nwbfile(nwbfile_path=str(path), config=load_config("dandi")))
    serious = [m for m in found if m.importance.value >= Importance.BEST_PRACTICE_VIOLATION.value]
    assert serious == []


def test_spike_times_survive_the_file(nwbfile, demo):
    for i, train in enumerate(demo.spikes):
        np.testing.assert_array_equal(nwbfile.units["spike_times"][i], train)


def test_units_were_watched_for_the_whole_session(nwbfile, demo):
    observed = np.concatenate([nwbfile.units["obs_intervals"][i] for i in range(40)])
    np.testing.assert_array_equal(observed, [[0.0, demo.duration]] * 40)


def test_each_unit_lies_on_an_electrode_of_its_region(nwbfile, demo):
    for i, region in enumerate(demo.regions):
        electrode = nwbfile.units["electrodes"][i]
        assert electrode["location"].tolist() == [region]
        assert electrode["group_name"].tolist() == [region]


def test_no_two_electrodes_share_a_place(nwbfile):
    places = np.stack([nwbfile.electrodes[axis][:] for axis in "xyz"], axis=1)
    assert len(np.unique(places, axis=0)) == 40


def test_averaging_the_position_over_bins_gives_one_sample_a_bin(nwbfile, demo):
    position = nwbfile.processing["behavior"]["Position"]["position"]
    values = position.data[:]
    times = position.starting_time + np.arange(len(values)) / position.rate
    channels = Channels(("x", "y"))
    series = Series(values, np.ones(values.shape, bool), times, channels, position.unit)
    grid = TimeGrid.spanning(0.0, demo.duration, demo.bin_width)
    averaged, mask = grid.average(series)
    assert mask.all()
    np.testing.assert_array_equal(averaged, demo.position)


def test_the_choice_is_a_series_of_codes_whose_description_names_the_levels(nwbfile, demo):
    choice = nwbfile.processing["behavior"]["BehavioralTimeSeries"]["choice"]
    np.testing.assert_array_equal(choice.data[:], demo.choice)
    assert "0 = left, 1 = none, 2 = right" in choice.description


def test_the_truth_lies_in_the_simulation_module(nwbfile, demo):
    truth = nwbfile.processing["simulation"]
    np.testing.assert_array_equal(truth["state"].data[:], demo.state)
    np.testing.assert_array_equal(truth["reference"].data[:], demo.reference)
    assert truth["exponent"].data[:].tolist() == [0.906]
    assert "1/s" in truth["exponent"].description


def test_every_path_of_the_demo_config_is_in_the_file(demo_path):
    config = demo_config()
    paths = [stream["path"] for stream in config["streams"].values()]
    with h5py.File(demo_path, "r") as file:
        for where in [*paths, config["truth"]["path"], config["truth"]["reference"]]:
            assert where in file


def test_long_data_are_chunked_and_compressed(demo_path):
    names = [
        "units/spike_times",
        "processing/behavior/Position/position/data",
        "processing/simulation/reference/data",
    ]
    with h5py.File(demo_path, "r") as file:
        assert [file[n].compression for n in names] == ["gzip"] * 3
        assert all(file[n].chunks for n in names)


def test_a_directly_observed_session_has_no_units_and_no_electrodes(lorenz_path):
    with pynwb.NWBHDF5IO(lorenz_path, mode="r") as io:
        nwbfile = io.read()
        assert nwbfile.units is None
        assert nwbfile.electrodes is None
        assert nwbfile.processing["behavior"]["lorenz"].data.shape == (3_000, 3)


def test_the_same_session_gives_the_same_bytes(demo, demo_path, tmp_path):
    write_session(tmp_path / "again.nwb", demo)
    assert (tmp_path / "again.nwb").read_bytes() == demo_path.read_bytes()


def test_another_seed_gives_another_identifier(demo, nwbfile, tmp_path):
    other = demo_session(seed=1, n_bins=100, n_reference=10)
    write_session(tmp_path / "other.nwb", other)
    with pynwb.NWBHDF5IO(tmp_path / "other.nwb", mode="r") as io:
        assert io.read().identifier != nwbfile.identifier


def test_object_ids_are_unique_within_the_file(demo_path):
    ids = []
    with h5py.File(demo_path, "r") as file:
        file.visititems(lambda _, item: ids.append(item.attrs.get("object_id")))
    ids = [i for i in ids if i is not None]
    assert len(ids) > 20
    assert len(set(ids)) == len(ids)


def test_a_missing_folder_is_an_error_that_says_to_create_it(demo, tmp_path):
    with pytest.raises(OutputError, match=r"fix: create it first \(mkdir -p .*nowhere\)"):
        write_session(tmp_path / "nowhere" / "demo.nwb", demo)


def test_a_failed_write_leaves_the_older_file_and_nothing_else(demo, tmp_path):
    path = tmp_path / "demo.nwb"
    path.write_text("older")
    with pytest.raises(KeyError):
        write_session(path, dataclasses.replace(demo, regions=("nowhere",) * 40))
    assert [p.name for p in tmp_path.iterdir()] == ["demo.nwb"]
    assert path.read_text() == "older"
