"""Events and intervals in columns: spikes by unit, BIDS events, trials, MATLAB's cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.errors import DataError
from neurodsr.sources.table_events import (
    cells_to_events,
    doubt_seconds,
    find_events,
    find_intervals,
    group_events,
)

BIDS = {
    "onset": np.array([2.0, 0.5, 4.0]),
    "duration": np.array([1.0, 1.0, np.nan]),
    "trial_type": np.array(["face", "house", "face"]),
}


def test_bids_events_are_intervals():
    table = find_intervals(BIDS, where="")["intervals"]
    np.testing.assert_array_equal(table.starts, [2, 0.5, 4])
    np.testing.assert_array_equal(table.stops, [3, 1.5, np.nan])
    assert list(table.columns) == ["trial_type"]


def test_bids_events_are_events_with_a_channel_for_each_type():
    events = find_events(BIDS, where="")["events"]
    assert events.channels.ids == ("face", "house")
    np.testing.assert_array_equal(events.times, [2, 4, 0.5])
    np.testing.assert_array_equal(events.offsets, [0, 2, 3])
    np.testing.assert_array_equal(events.durations, [1, 0, 1])


@pytest.mark.parametrize("stop", ["stop_time", "end_time"])
def test_start_and_stop_are_intervals(stop):
    columns = {"start_time": np.array([1, 2]), stop: np.array([2, 3]), "correct": np.array([0, 1])}
    table = find_intervals(columns, where="")["intervals"]
    np.testing.assert_array_equal(table.stops, [2, 3])


def test_an_interval_without_start_is_refused():
    columns = {"start": np.array([1.0, np.nan]), "stop": np.array([2.0, 3.0])}
    with pytest.raises(DataError, match=r"1 of 2 rows have no start\n  fix: remove these rows"):
        find_intervals(columns, where="")


@pytest.mark.parametrize("unit", ["unit", "neuron_id", "Cluster", "cell"])
def test_a_column_of_units_beside_a_time_is_spikes(unit):
    columns = {unit: np.array([7, 7, 3]), "spike_times": np.array([2.0, 1.0, 3.0])}
    events = find_events(columns, where="")["spikes"]
    assert events.channels.ids == ("3", "7")
    np.testing.assert_array_equal(events.times, [3, 1, 2])


def test_spikes_without_a_unit_are_left_out_and_counted():
    events = group_events(np.array(["a", "", "a"]), np.array([1.5, 2.5, 0.5]), where="")
    assert events.channels.ids == ("a",)
    np.testing.assert_array_equal(events.times, [0.5, 1.5])
    assert events.notes == ("1 events without a label were left out",)


def test_a_time_that_is_no_number_is_refused():
    with pytest.raises(DataError, match=r"the first is number 1\n  fix: remove these rows"):
        group_events(np.array(["a", "b"]), np.array([1.0, np.nan]), where="")


def test_a_signal_with_a_text_in_each_row_is_no_event_list():
    columns = {
        "time": np.array([0.1, 0.2]), "speed": np.array([1, 2]), "label": np.array(["a", "b"]),
    }  # fmt: skip
    assert find_events(columns, where="") == {}


def test_whole_numbers_are_doubted():
    (note,) = doubt_seconds(np.array([30.0, 3000.0, 90000.0]))
    assert note.endswith("are they samples or ms instead of s?")
    assert doubt_seconds(np.array([0.5, 300.25, 9000.0])) == ()


def test_each_cell_is_a_neuron_and_an_empty_one_silent():
    events = cells_to_events([np.array([[0.1], [0.4]]), np.zeros((0, 0))], "st", where="")
    assert events.channels.ids == ("st{1}", "st{2}")
    np.testing.assert_array_equal(events.offsets, [0, 2, 2])


def test_cells_that_go_up_and_down_are_signals():
    with pytest.raises(DataError, match="fix: sort the times; signals belong into a matrix"):
        cells_to_events([np.array([1.0, 0.5])], "st", where="")


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1e6)), min_size=1, max_size=50))
def test_grouping_keeps_every_event_with_its_unit(rows):
    units, times = (np.array(column) for column in zip(*rows, strict=True))
    events = group_events(units, times, where="")
    for c, name in enumerate(events.channels.ids):
        own = events.times[events.offsets[c] : events.offsets[c + 1]]
        np.testing.assert_array_equal(own, np.sort(times[units == int(name)]))
