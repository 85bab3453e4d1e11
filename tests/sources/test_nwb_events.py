"""Events in each of the layouts that NWB files keep them in."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.behavior import BehavioralEvents, BehavioralTimeSeries
from pynwb.epoch import TimeIntervals
from pynwb.event import EventsTable
from pynwb.misc import AnnotationSeries, IntervalSeries

from neurodsr.data.streams import Events
from neurodsr.errors import DataError
from neurodsr.sources.hdf5_tree import Hdf5Tree
from neurodsr.sources.nwb_events import is_events, load_events, load_ragged_events
from neurodsr.sources.nwb_nodes import Node, index_nodes


@pytest.fixture
def nodes(tmp_path) -> Callable[[Path], dict[str, Node]]:
    """A function that opens a file's tree, closed after the test."""
    trees = []

    def opened(path: Path) -> dict[str, Node]:
        trees.append(Hdf5Tree(str(path)))
        return index_nodes(trees[-1])

    yield opened
    for tree in trees:
        tree.close()


@pytest.fixture
def node_of(tmp_path, nodes) -> Callable[..., Node]:
    """A function that writes one object with pynwb and gives its node, by name."""

    def write(item: object, name: str | None = None) -> Node:
        file = NWBFile("events", "e", datetime(2024, 1, 1, tzinfo=UTC))
        file.create_processing_module("behavior", "b").add(item)
        path = tmp_path / "events.nwb"
        with NWBHDF5IO(str(path), "w") as io:
            io.write(file)
        return next(n for p, n in nodes(path).items() if p.endswith(f"/{name or item.name}"))

    return write


@pytest.fixture
def raw(tmp_path, nodes) -> Callable[..., Node]:
    """A function that writes a group as an extension would, its ancestry cached in the file."""

    def write(kind: str, parents: dict[str, str], fill: Callable[[h5py.Group], None]) -> Node:
        path = tmp_path / "raw.nwb"
        with h5py.File(path, "w") as file:
            group = file.create_group("processing/x")
            group.attrs["neurodata_type"] = kind
            fill(group)
            spec = [{"neurodata_type_def": c, "neurodata_type_inc": p} for c, p in parents.items()]
            text = json.dumps({"groups": spec})
            file.create_group("specifications/ndx/1").create_dataset("ndx", data=text)
        return nodes(path)["processing/x"]

    return write


def channels_of(events: Events) -> dict[str, list[float]]:
    bounds = events.offsets
    return {
        name: events.times[bounds[c] : bounds[c + 1]].tolist()
        for c, name in enumerate(events.channels.ids)
    }


def behavioral(name="licks", **fields):
    series = TimeSeries(name=name, unit="n.a.", **fields)
    return BehavioralEvents(name="BehavioralEvents", time_series=series)


def test_a_series_among_behavioral_events_with_codes_is_a_channel_a_code(node_of):
    node = node_of(behavioral(data=[1, 2, 1], timestamps=[0.5, 1.0, 1.5]), "licks")
    assert is_events(node)
    assert channels_of(load_events(node)) == {"licks=1": [0.5, 1.5], "licks=2": [1.0]}


@pytest.mark.parametrize("data", [[0.2, 0.7, 0.9], [1.0, 1.0, 1.0], list(range(40))])
def test_amplitudes_and_a_single_code_make_one_channel(node_of, data):
    times = [0.1 * k for k in range(len(data))]
    node = node_of(behavioral(data=data, timestamps=times), "licks")
    assert channels_of(load_events(node)) == {"licks": times}


def test_samples_of_a_behavioral_time_series_are_no_events(node_of):
    series = TimeSeries(name="speed", unit="m/s", data=[1.0, 2.0], timestamps=[0.0, 1.0])
    assert not is_events(node_of(BehavioralTimeSeries(time_series=series), "speed"))


def test_a_sampled_series_among_behavioral_events_is_no_list_of_events(node_of):
    assert not is_events(node_of(behavioral(data=[1.0, 2.0], rate=10.0), "licks"))


def test_annotations_are_a_channel_a_text(node_of):
    texts = ["laser on", "drift", "laser on"]
    node = node_of(AnnotationSeries(name="notes", data=texts, timestamps=[1.0, 2.0, 3.0]))
    assert is_events(node)
    assert channels_of(load_events(node)) == {"drift": [2.0], "laser on": [1.0, 3.0]}


def test_the_starts_and_ends_of_an_interval_series_are_events_that_last(node_of):
    node = node_of(
        IntervalSeries(name="epochs", data=[1, 2, -1, -2], timestamps=[0.0, 1.0, 4.0, 6.0])
    )
    assert is_events(node)
    events = load_events(node)
    assert channels_of(events) == {"1": [0.0], "2": [1.0]}
    assert events.durations.tolist() == [4.0, 5.0]
    assert events.notes == ()


def test_intervals_without_an_end_and_ends_without_a_start_are_counted(node_of):
    node = node_of(IntervalSeries(name="e", data=[-1, 1, 1, -1], timestamps=[0.0, 1.0, 2.0, 3.0]))
    events = load_events(node)
    assert events.durations.tolist() == [0.0, 1.0]
    assert events.notes == (
        "1 ends of intervals that never started were dropped",
        "1 events of unknown or negative duration: 0 s was used",
    )


def test_codes_that_are_no_numbers_are_dropped_and_counted(raw):
    def fill(group):
        group["timestamps"], group["data"] = [0.0, 1.0, 2.0, 3.0], [1.0, np.inf, np.nan, -1.0]

    events = load_events(raw("IntervalSeries", {}, fill))
    assert events.durations.tolist() == [3.0]
    assert events.notes == ("2 entries without a time or a code were dropped",)


def test_an_interval_series_without_a_start_says_what_its_data_should_be(node_of):
    node = node_of(IntervalSeries(name="e", data=[-1, -1], timestamps=[0.0, 1.0]))
    with pytest.raises(DataError, match=r"\+n where an interval of kind n starts"):
        load_events(node)


def test_a_core_table_of_events_is_a_channel_for_each_value_of_its_label(node_of):
    table = EventsTable(name="pulses", description="d")
    table.add_column("side", "where")
    for time, side in ((2.0, "right"), (1.0, "left"), (3.0, "left")):
        table.add_row(timestamp=time, side=side)
    node = node_of(table)
    assert is_events(node)
    events = load_events(node)
    assert channels_of(events) == {"left": [1.0, 3.0], "right": [2.0]}
    assert events.durations is None


def test_a_table_of_events_keeps_durations_and_counts_unknown_ones(raw):
    def fill(group):
        group.attrs["colnames"] = ["timestamp", "duration", "port"]
        group["id"], group["port"] = np.arange(3), np.array([1, 0, 1])
        group["timestamp"] = [1.0, 2.0, 3.0]
        group["duration"] = [0.5, np.nan, 0.25]

    node = raw("EventsTable", {}, fill)
    events = load_events(node)
    assert channels_of(events) == {"port=0": [2.0], "port=1": [1.0, 3.0]}
    assert events.durations.tolist() == [0.0, 0.5, 0.25]
    assert "1 events of unknown or negative duration: 0 s was used" in events.notes


def test_a_table_without_labels_is_one_channel(raw):
    def fill(group):
        group["id"], group["timestamp"] = np.arange(40), np.arange(40) / 8
        group["annotation"] = [f"remark {k}" for k in range(40)]
        group["code"] = np.arange(40)

    events = load_events(raw("TtlsTable", {"TtlsTable": "EventsTable"}, fill))
    assert list(channels_of(events)) == ["x"]


def test_references_to_event_types_name_the_channels(raw):
    def fill(group):
        types = group.file.create_group("general/types")
        types["id"], types["event_name"] = np.arange(2), ["cue", "reward"]
        group["id"], group["timestamp"] = np.arange(3), [1.0, 2.0, 3.0]
        group["event_type"] = np.array([1, 0, 1])
        group["event_type"].attrs["data_type"] = "DynamicTableRegion"
        group["event_type"].attrs["table"] = types.ref

    events = load_events(raw("EventsTable", {}, fill))
    assert channels_of(events) == {"cue": [2.0], "reward": [1.0, 3.0]}


def test_a_table_with_a_row_a_kind_of_event_is_a_channel_a_row(raw):
    def fill(group):
        group["id"], group["label"] = np.arange(2), ["reward", "cue"]
        group["event_times"], group["event_times_index"] = [5.0, 6.0, 1.0], np.array([2, 3])

    node = raw("AnnotatedEventsTable", {"AnnotatedEventsTable": "DynamicTable"}, fill)
    assert is_events(node)
    events = load_events(node)
    assert channels_of(events) == {"cue": [1.0], "reward": [5.0, 6.0]}
    assert events.notes == ()


@pytest.mark.parametrize("parents", [{"TTLs": "LabeledEvents", "LabeledEvents": "Events"}, {}])
@pytest.mark.parametrize("beside", [False, True])
def test_labeled_codes_take_their_texts_from_the_file(raw, parents, beside):
    def fill(group):
        group["timestamps"] = np.array([0.5, 1.0, 1.5], dtype=np.float32)
        group["data"] = np.array([1, 0, 2], dtype=np.uint8)
        if beside:
            group["data__labels"] = ["lick", "cue"]
        else:
            group["data"].attrs["labels"] = ["lick", "cue"]

    node = raw("TTLs", parents, fill)
    assert is_events(node)
    assert channels_of(load_events(node)) == {"cue": [0.5], "lick": [1.0], "x=2": [1.5]}


def test_events_without_data_are_one_channel(raw):
    node = raw("Events", {}, lambda group: group.create_dataset("timestamps", data=[1.5, 2.0]))
    assert is_events(node)
    assert channels_of(load_events(node)) == {"x": [1.5, 2.0]}


def test_times_that_are_missing_are_dropped_and_unsorted_ones_sorted(raw):
    node = raw("Events", {}, lambda g: g.create_dataset("timestamps", data=[2.5, np.nan, 1.0]))
    events = load_events(node)
    assert events.times.tolist() == [1.0, 2.5]
    assert events.notes == (
        "1 events without a finite time were dropped",
        "1 event times that ran backward were sorted",
    )


@pytest.mark.parametrize("times", [[np.nan, np.inf], []])
def test_events_without_any_time_are_refused(raw, times):
    node = raw("Events", {}, lambda g: g.create_dataset("timestamps", data=np.array(times)))
    with pytest.raises(DataError, match="write the times again in s"):
        load_events(node)


def test_timestamps_that_are_texts_are_refused(raw):
    node = raw("Events", {}, lambda group: group.create_dataset("timestamps", data=["a", "b"]))
    with pytest.raises(DataError, match="write the timestamps again as numbers"):
        load_events(node)


def test_another_number_of_codes_than_of_times_is_refused(raw):
    def fill(group):
        group["timestamps"], group["data"] = [1.0, 2.0], np.array([1])

    with pytest.raises(DataError, match="one entry of data for each timestamp"):
        load_events(raw("LabeledEvents", {}, fill))


def test_a_table_with_another_number_of_durations_is_refused(raw):
    def fill(group):
        group["id"], group["timestamp"], group["duration"] = [0, 1], [1.0, 2.0], [0.5]

    with pytest.raises(DataError, match="one duration for each event"):
        load_events(raw("EventsTable", {}, fill))


@pytest.fixture
def trials(node_of) -> Callable[[list[list[float]]], Node]:
    """A function that writes trials of 10 s with a ragged column of licks."""

    def write(licks: list[list[float]]) -> Node:
        table = TimeIntervals(name="trials", description="d")
        table.add_column("lick_times", "licks", index=True)
        for k, times in enumerate(licks):
            table.add_row(start_time=10.0 * k, stop_time=10.0 * k + 10, lick_times=times)
        return node_of(table)

    return write


def test_a_ragged_column_of_times_is_one_channel(trials):
    events = load_ragged_events(trials([[1.0, 2.0], [], [21.5]]), "lick_times")
    assert channels_of(events) == {"lick_times": [1.0, 2.0, 21.5]}
    assert events.notes == ()


def test_times_that_trials_share_are_kept_and_noted(trials):
    events = load_ragged_events(trials([[1.5, 10.0], [10.0]]), "lick_times")
    assert events.times.tolist() == [1.5, 10.0, 10.0]
    assert events.notes == ("1 times occur more than once, as where rows overlap; all were kept",)


def test_times_that_count_from_their_trial_are_doubted(trials):
    events = load_ragged_events(trials([[0.5], [0.5], [0.75]]), "lick_times")
    assert events.notes[-1] == (
        "2 of 3 times lie outside of their own row: do they count from its start?"
    )


def test_a_column_with_one_value_a_row_is_no_list_of_events(trials):
    with pytest.raises(DataError, match="choose a column with an index beside it"):
        load_ragged_events(trials([[1.0]]), "start_time")
