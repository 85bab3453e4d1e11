"""Binary events such as licks on the grid: from points in time, and from samples of 0 and 1."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.modalities.behavior import Behavior
from neurodsr.sources.base import StreamEntry

GRID = TimeGrid(0.0, 0.1, 5)
UNSAID = "the file does not say when events were watched for: throughout"


def licks(**fields):
    return Behavior.from_plain({"path": "path", "observation": "events", **fields})


def test_a_bin_with_an_event_is_one_and_any_other_zero(source, events):
    stream = licks().load(source(events([0.05, 0.41], [0.1, 0.3])), GRID)
    assert stream.values.T.tolist() == [[1, 0, 0, 0, 1], [0, 1, 0, 1, 0]]
    assert stream.mask.all()
    assert stream.unit == "event"
    assert stream.channels.ids == ("n0", "n1")
    assert stream.notes == (UNSAID,)


def test_several_events_in_a_bin_count_as_one_and_are_noted(source, events):
    stream = licks().load(source(events([0.05, 0.07, 0.31, 0.33, 0.38], [0.2])), GRID)
    assert stream.values.T.tolist() == [[1, 0, 0, 1, 0], [0, 0, 1, 0, 0]]
    assert "2 bins have several events, which count as one" in stream.notes


def test_a_bin_in_which_nobody_watched_is_masked_and_zero(source, events):
    watched = [[[0.0, 0.35]]]
    stream = licks().load(source(events([0.05, 0.32, 0.45], observed=watched)), GRID)
    assert stream.mask[:, 0].tolist() == [True, True, True, False, False]
    assert stream.values[:, 0].tolist() == [1, 0, 0, 0, 0]
    assert stream.notes == ()


def test_channels_of_events_can_be_chosen(source, events):
    both = events([0.05], [0.1])
    stream = licks(channels=["n1"]).load(source(both), GRID)
    assert stream.channels.ids == ("n1",)
    assert stream.values[:, 0].tolist() == [0, 1, 0, 0, 0]
    assert "1 of 2 channels were left out by name" in stream.notes


@pytest.mark.parametrize("train", [[], [0.7], [-0.1]])
def test_events_with_none_on_the_grid_are_refused(source, events, train):
    with pytest.raises(
        DataError,
        match=r"path: no event of 1 channels between 0 s and 0\.5 s\n  fix: check grid\.start",
    ):
        licks().load(source(events(train)), GRID)


# ---- samples of 0 and 1


def test_a_bin_of_samples_is_one_if_one_of_them_is(source, series):
    signal = series(0.025 + 0.05 * np.arange(10), [0, 1, 0, 0, 1, 0, 0, None, None, None])
    stream = licks(max_missing=0.3).load(source(signal), GRID)
    assert stream.values[:, 0].tolist() == [1, 0, 1, 0, 0]
    assert stream.mask[:, 0].tolist() == [True, True, True, True, False]
    assert stream.notes == ("a note",)


def test_ones_without_a_pause_are_one_event(source, series):
    """A tongue that stays out for three samples licked once; with a pause, twice."""
    once = series(0.01 + 0.02 * np.arange(5), [0, 1, 1, 1, 0])
    twice = series(0.01 + 0.02 * np.arange(5), [1, 1, 0, 1, 0])
    grid = TimeGrid(0.0, 0.1, 1)
    assert not any("several" in note for note in licks().load(source(once), grid).notes)
    found = licks().load(source(twice), grid)
    assert "1 bins have several events, which count as one" in found.notes
    assert found.values.tolist() == [[1]]


@pytest.mark.parametrize("wrong", [0.5, -1.0, 2.0])
def test_another_value_than_0_or_1_is_refused_with_its_channel_and_time(source, series, wrong):
    signal = series([0.05, 0.15, 0.25], [0, 1, 0], [1, 0, wrong])
    with pytest.raises(
        DataError,
        match=rf"1 samples are neither 0 nor 1, such as {wrong:g} of channel y at 0\.25 s\n"
        r"  fix: use observation: gaussian for a signal, ordinal for levels, or write 1",
    ):
        licks().load(source(signal), GRID)


def test_a_masked_value_may_be_anything(source, series):
    signal = series([0.05, 0.15, 0.25], [0, 1, 1])
    signal.values[2], signal.valid[2] = 0.5, False
    stream = licks(max_missing=0.5).load(source(signal), GRID)
    assert stream.values[:3, 0].tolist() == [0, 1, 0]
    assert stream.mask[:3, 0].tolist() == [True, True, False]


def test_samples_without_an_event_are_refused(source, series):
    with pytest.raises(DataError, match=r"no event of 1 channels[\s\S]*leave the stream out"):
        licks().load(source(series([0.05, 0.15], [0, 0])), GRID)


def test_samples_at_another_time_are_refused(source, series):
    with pytest.raises(DataError, match=r"nothing is observed[\s\S]*check grid\.start"):
        licks().load(source(series([7.0, 7.1], [0, 1])), GRID)


def test_what_the_listing_calls_events_says_itself_why_it_cannot_be_read(source, series):
    """Not the reader of samples, which would be tried next for what is not listed."""
    listed = source(series([0.05], [1.0]))
    entry = StreamEntry("path", "events", "Events", 1, 1, 0.0, 1.0, 0.0, "", "")
    listed.list_streams = lambda: [entry]
    with pytest.raises(DataError, match="holds no Events"):
        licks().load(listed, GRID)


# The fixtures only make things, and hold nothing from one example to the next.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(train=st.lists(st.floats(0.0, 0.7), min_size=1, max_size=30), n_bins=st.integers(1, 12))
def test_a_bin_is_one_exactly_where_its_count_is_not_zero(source, events, train, n_bins):
    grid, held = TimeGrid(0.0, 0.5 / n_bins, n_bins), events([0.0, *sorted(train)])
    found = licks().load(source(held), grid)
    assert np.array_equal(found.values, grid.count(held) > 0)
