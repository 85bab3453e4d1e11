"""Sources without files: what is put in comes out, later in time, or with a gap."""

import numpy as np
import pytest

from neurodsr.data.streams import Intervals
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.modalities.behavior import Behavior
from neurodsr.testing.conformance.altered import shifted, with_gap
from neurodsr.testing.conformance.examples import USUAL, contents, example_for, example_of
from neurodsr.testing.fake_source import FakeSource, sampled, trains

SIGNAL = sampled(np.array([[0.0, 1.0], [2.0, np.nan], [4.0, 5.0]]), rate=10.0, start=0.05, unit="m")
SPIKES = trains([np.array([0.1, 0.29]), np.zeros(0), np.array([1.0])])
TRIALS = Intervals(np.array([0.0, 1.0]), np.array([0.5, 1.5]), {"choice": np.array(["a", "b"])})
GRID = TimeGrid(0.0, 0.1, 16)


@pytest.fixture
def source():
    return FakeSource({"/all": (SIGNAL, SPIKES, TRIALS), "units": SPIKES})


def test_what_is_put_in_comes_out(source):
    assert source.series("all") is SIGNAL
    assert source.events("units/") is SPIKES
    assert source.intervals("/all") is TRIALS
    listed = [(e.path, e.kind, e.n_channels, e.n_samples) for e in source.list_streams()]
    assert listed == [
        ("all", "series", 2, 3),
        ("all", "events", 3, 3),
        ("all", "intervals", 0, 2),
        ("units", "events", 3, 3),
    ]
    series, events, _, _ = source.list_streams()
    assert (series.start, series.rate, series.unit) == (0.05, pytest.approx(10.0), "m")
    assert (events.start, events.stop, events.rate) == (0.1, 1.0, 0.0)


def test_an_empty_thing_is_listed_too():
    (entry,) = FakeSource({"units": trains([])}).list_streams()
    assert (entry.n_channels, entry.n_samples, entry.start, entry.stop) == (0, 0, 0.0, 0.0)


def test_a_path_that_is_not_there_is_an_error_that_names_those_that_are(source):
    with pytest.raises(DataError, match=r"did you mean 'units'\?\n  fix: put events there"):
        source.events("unit")
    with pytest.raises(DataError, match=r"no series at 'units'"):
        source.series("units")


def test_a_value_that_is_no_number_is_zero_and_not_valid():
    assert SIGNAL.values.tolist() == [[0.0, 1.0], [2.0, 0.0], [4.0, 5.0]]
    assert SIGNAL.valid.tolist() == [[True, True], [True, False], [True, True]]
    np.testing.assert_allclose(SIGNAL.times, [0.05, 0.15, 0.25])


def test_a_spike_on_an_edge_stays_in_its_bin_when_all_is_a_second_later(source):
    later = shifted(source, 1.0)
    there = TimeGrid(1.0, 0.1, 16)
    assert (there.count(later.events("all")) == GRID.count(SPIKES)).all()
    assert later.series("all").times.tolist() == [1.05, 1.15, 1.25]
    assert later.intervals("all").starts.tolist() == [1.0, 2.0]
    assert later.list_streams() == source.list_streams()


def test_nothing_is_known_in_a_gap(source):
    gap = with_gap(source, 0.1, 0.3)
    events = gap.events("all")
    assert events.times.tolist() == [1.0]
    assert GRID.observed(events)[:, 0].tolist() == [True] + [False] * 2 + [True] * 13
    assert gap.series("all").valid.tolist() == [[True, True], [False, False], [False, False]]
    assert gap.intervals("all").columns["choice"].tolist() == ["b"]


def test_a_gap_is_cut_out_of_what_was_observed():
    watched = trains([np.array([0.5])], observed=[np.array([[0.0, 1.0], [2.0, 3.0]])])
    (stretches,) = with_gap(FakeSource({"u": watched}), 0.8, 2.5).events("u").observed
    assert stretches.tolist() == [[0.0, 0.8], [2.5, 3.0]]


@pytest.mark.parametrize("content", contents(), ids=lambda content: content.name)
def test_made_up_recordings_cover_their_grid_and_lie_on_no_edge(content):
    source, grid = example_of(content, "here")
    series = source.series("here")
    assert series.times[0] < grid.start < grid.stop < series.times[-1]
    assert np.abs(series.times[:, None] - grid.edges).min() > 1e-4
    assert 0 < 1 - series.valid.mean() < 0.2  # the default of max_missing
    assert np.isfinite(series.values).all()
    assert source.intervals("here").columns.keys() == {"here"}


@pytest.mark.parametrize("content", contents(), ids=lambda content: content.name)
def test_events_are_several_in_a_bin_or_never_two(content):
    source, _ = example_of(content, "here")
    counts = USUAL.grid.count(source.events("here"))
    assert counts.max() > 2 if content.busy else counts.max() == 1


def test_labels_are_given_to_what_refuses_a_signal():
    source, _ = example_for(Behavior(path="here", observation="categorical"))
    assert np.unique(source.series("here").values).tolist() == [0.0, 1.0, 2.0, 3.0]
