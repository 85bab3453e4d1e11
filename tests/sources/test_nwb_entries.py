"""The listing of an NWB file: modality, span, gaps and problems of each object."""

from __future__ import annotations

from collections import Counter

import h5py
import numpy as np
import pytest
from pynwb import TimeSeries
from pynwb.behavior import BehavioralTimeSeries, Position, PupilTracking, SpatialSeries
from pynwb.ecephys import ElectricalSeries, SpikeEventSeries
from pynwb.image import ImageSeries
from pynwb.misc import DecompositionSeries

from neurodsr.sources import hdf5_tree, nwb_entries

TIMES = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.03, 300))


def series(name: str, **fields: object) -> TimeSeries:
    return TimeSeries(**{"name": name, "data": np.ones(20), "unit": "V", "rate": 10.0} | fields)


@pytest.fixture
def probe():
    """A function that adds two electrodes to a file and gives the region of both."""

    def add(nwbfile):
        device = nwbfile.create_device("probe")
        group = nwbfile.create_electrode_group(
            "shank", description="A shank.", location="CA1", device=device
        )
        for _ in range(2):
            nwbfile.add_electrode(location="CA1", group=group)
        return nwbfile.create_electrode_table_region([0, 1], "Both.")

    return add


@pytest.fixture
def listed(write_nwb, opened):
    """A function that writes what `fill` adds and gives the listing by path."""

    def of(fill):
        return {e.path: e for e in opened(write_nwb(fill)).list_streams()}

    return of


def test_the_modality_comes_from_the_type_wherever_the_object_lies(listed, probe):
    def fill(nwbfile):
        electrodes = probe(nwbfile)
        nwbfile.add_unit(spike_times=[0.5])
        lfp = ElectricalSeries(name="lfp", data=np.ones((20, 2)), electrodes=electrodes, rate=10.0)
        place = SpatialSeries(name="place", data=np.ones(20), reference_frame="room", rate=10.0)
        for item in (lfp, place, series("voltage")):
            nwbfile.add_acquisition(item)

    found = listed(fill)
    assert {path: entry.modality for path, entry in found.items()} == {
        "units": "spikes",
        "acquisition/lfp": "lfp",
        "acquisition/place": "behavior",
        "acquisition/voltage": "",
    }
    assert found["acquisition/lfp"].regions == ("CA1",)


@pytest.mark.parametrize("container", [BehavioralTimeSeries, PupilTracking])
def test_a_plain_series_in_a_container_of_behavior_is_behavior(listed, container):
    def fill(nwbfile):
        module = nwbfile.create_processing_module("eyes", "What it did.")
        module.add(container(name="Some", time_series=series("diameter")))
        wrapped = nwbfile.create_processing_module("behavior", "What it did.")
        wrapped.add(container(time_series=series("speed")))

    found = listed(fill)
    assert found[f"processing/behavior/{container.__name__}/speed"].modality == "behavior"


def test_images_snippets_and_three_axes_are_no_streams(listed, probe):
    def fill(nwbfile):
        electrodes = probe(nwbfile)
        snippets = SpikeEventSeries(
            name="snippets", data=np.ones((20, 2)), electrodes=electrodes, timestamps=TIMES[:20]
        )
        film = ImageSeries(name="film", data=np.ones((20, 4, 4)), unit="n.a.", rate=10.0)
        outside = ImageSeries(
            name="outside",
            external_file=["a.avi"],
            format="external",
            unit="n.a.",
            timestamps=TIMES,
        )
        power = DecompositionSeries(
            name="power", data=np.ones((20, 2, 3)), metric="power", unit="V", rate=10.0
        )
        for item in (snippets, film, outside, power, series("kept")):
            nwbfile.add_acquisition(item)

    assert set(listed(fill)) == {"acquisition/kept"}


def test_the_longest_twenty_gaps_are_listed_in_order_of_time(listed):
    steps = np.full(500, 0.02)
    steps[10:310:10] = np.arange(1, 31)
    found = listed(lambda f: f.add_acquisition(
        series("gappy", data=np.ones(500), rate=None, timestamps=np.cumsum(steps))
    ))["acquisition/gappy"]  # fmt: skip
    lengths = [stop - start for start, stop in found.gaps]
    assert lengths == pytest.approx(np.arange(11, 31))
    assert found.problems == ("warning: 30 gaps of more than 10 median steps, the longest 30 s",)


def test_beyond_a_limit_only_the_ends_of_the_timestamps_are_looked_at(listed, monkeypatch):
    monkeypatch.setattr(nwb_entries, "MAX_STAMPS", 400)

    def fill(nwbfile):
        for name in ("first", "second"):
            nwbfile.add_acquisition(series(name, data=np.ones(300), rate=None, timestamps=TIMES))

    found = listed(fill)
    assert found["acquisition/first"].problems == ()
    entry = found["acquisition/second"]
    assert entry.problems == ("warning: only the first and last of 300 timestamps were looked at",)
    assert (entry.start, entry.stop, entry.n_samples) == (TIMES[0], TIMES[-1], 300)


def test_a_description_of_a_megabyte_is_listed_by_its_beginning(series_file, opened):
    path = series_file(np.ones(20), rate=10.0)
    with h5py.File(path, "a") as file:
        file["acquisition/speed"].attrs["description"] = "word " * 200_000
    (entry,) = opened(path).list_streams()
    assert entry.description == f"{'word ' * 200} ... (1000000 characters)"


def test_the_resolution_of_spike_times_is_told(units_file, opened):
    path = units_file([0.1, 0.2])
    with h5py.File(path, "a") as file:
        file["units/spike_times"].attrs["resolution"] = 1 / 30_000
    (entry,) = opened(path).list_streams()
    assert entry.description.endswith("spike times in steps of 3.333e-05 s")
    assert entry.problems == ()


def test_listing_reads_no_attribute_and_no_dataset_twice(write_nwb, opened, monkeypatch):
    def fill(nwbfile):
        for i in range(5):
            stamps = TIMES[i : i + 20 + i]
            nwbfile.add_acquisition(
                series(f"s{i}", data=np.ones(20 + i), rate=None, timestamps=stamps)
            )

    path, asked = write_nwb(fill), Counter()
    attribute, whole = hdf5_tree._attribute, hdf5_tree.Hdf5Dataset._whole

    def counted(source, name):
        asked[source.name, name] += 1
        return attribute(source, name)

    def counted_whole(dataset):
        asked[dataset.path] += 1
        return whole(dataset)

    monkeypatch.setattr(hdf5_tree, "_attribute", counted)
    monkeypatch.setattr(hdf5_tree.Hdf5Dataset, "_whole", counted_whole)
    assert len(opened(path).list_streams()) == 5
    assert max(asked.values()) == 1
    assert not [name for name in asked if name == "acquisition/s0/data"]


@pytest.mark.parametrize("name", ["left\u202eright", "..%2F..%2Fx", "a" * 2000, "caf\xe9 \u4e2d"])
def test_odd_names_are_listed_and_read_as_they_are(series_file, opened, name):
    path = series_file(np.ones(20), rate=10.0)
    with h5py.File(path, "a") as file:
        file.move("acquisition/speed", f"acquisition/{name}")
    source = opened(path)
    (entry,) = source.list_streams()
    assert entry.path == f"acquisition/{name}"
    assert source.series(entry.path).channels.ids == (name,)


def test_a_position_container_is_one_stream_a_series(listed):
    def fill(nwbfile):
        module = nwbfile.create_processing_module("behavior", "What it did.")
        spots = [
            SpatialSeries(name=n, data=np.ones((20, 2)), reference_frame="room", rate=10.0)
            for n in ("head", "tail")
        ]
        module.add(Position(spatial_series=spots))

    assert set(listed(fill)) == {
        "processing/behavior/Position/head",
        "processing/behavior/Position/tail",
    }
