"""The clock of a series: from timestamps, from start and rate, or as declared."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from pynwb import TimeSeries

from neurodsr.errors import DataError
from neurodsr.sources.base import DeclaredClock
from neurodsr.sources.hdf5_tree import Hdf5Tree
from neurodsr.sources.nwb_clock import read_clock, same_clock
from neurodsr.sources.nwb_nodes import index_nodes

SPEED = "acquisition/speed"


@pytest.fixture
def nodes_of():
    """A function that gives the nodes of a file, closed after the test."""
    trees = []

    def nodes(path):
        trees.append(Hdf5Tree(str(path)))
        return index_nodes(trees[-1])

    yield nodes
    for tree in trees:
        tree.close()


def without_clock(path):
    with h5py.File(path, "a") as file:
        del file[SPEED]["starting_time"]
    return path


def add_times(path, times):
    with h5py.File(path, "a") as file:
        file[SPEED]["timestamps"] = times
    return path


def test_start_and_rate(series_file, nodes_of):
    node = nodes_of(series_file(np.ones(4), rate=4.0, starting_time=1.5))[SPEED]
    clock = read_clock(node, n_samples=4)
    assert np.asarray(clock.times).tolist() == [1.5, 1.75, 2.0, 2.25]
    assert (clock.rate, clock.rows, clock.notes) == (4.0, None, ())


def test_a_million_samples_at_a_rate_are_held_as_two_numbers(series_file, nodes_of):
    node = nodes_of(series_file(np.ones(4), rate=1000.0))[SPEED]
    clock = read_clock(node, n_samples=10**9)
    assert len(clock.times) == 10**9
    assert clock.times[10**9 - 1] == (10**9 - 1) / 1000
    assert clock.times.searchsorted(5.0) == 5000


def test_a_declared_interval_stands_in_for_a_missing_clock(series_file, nodes_of):
    node = nodes_of(without_clock(series_file(np.ones(3), rate=1.0)))[SPEED]
    clock = read_clock(node, n_samples=3, declared=DeclaredClock(0.5))
    assert np.asarray(clock.times).tolist() == [0, 0.5, 1.0]


def test_a_missing_clock_is_refused_with_how_to_declare_it(series_file, nodes_of):
    node = nodes_of(without_clock(series_file(np.ones(3), rate=1.0)))[SPEED]
    with pytest.raises(DataError, match=r"no time\n  fix: declare it with clock: \{rate:"):
        read_clock(node, n_samples=3)


@pytest.mark.parametrize(
    ("clock", "said"),
    [
        ({"rate": 1.0}, "a rate of 1 Hz"),
        ({"timestamps": [0.1, 0.25, 0.3]}, "timestamps from 0.1 to 0.3 s"),
    ],
)
def test_a_declared_interval_beside_a_rate_or_times_is_refused(series_file, nodes_of, clock, said):
    node = nodes_of(series_file(np.ones(3), **clock))[SPEED]
    with pytest.raises(DataError, match=rf"{said}\n  fix: remove clock\.rate"):
        read_clock(node, n_samples=3, declared=DeclaredClock(0.5))


def test_a_column_of_times_cannot_be_declared(series_file, nodes_of):
    node = nodes_of(series_file(np.ones(3), rate=1.0))[SPEED]
    with pytest.raises(DataError, match=r"clock\.times names 't'.*\n  fix: remove clock\.times"):
        read_clock(node, n_samples=3, declared=DeclaredClock(times="t"))


def test_frames_that_start_late_keep_their_number(series_file, nodes_of):
    node = nodes_of(series_file(np.ones(4), timestamps=[100.0, 101.0, 102.0, 103.0]))[SPEED]
    clock = read_clock(node, n_samples=4, declared=DeclaredClock(1 / 20))
    np.testing.assert_allclose(clock.times, [5.0, 5.05, 5.1, 5.15])
    assert clock.notes == ("timestamps count frames: times are their numbers times 0.05 s",)


@pytest.mark.parametrize("jitter", [0.0, 0.9])
def test_timestamps_beside_a_rate_win_while_they_agree_to_a_sample(series_file, nodes_of, jitter):
    times = 0.25 * np.arange(8) + [0, *[0.25 * jitter] * 7]
    path = add_times(series_file(np.ones(8), rate=4.0), times)
    clock = read_clock(nodes_of(path)[SPEED], n_samples=8)
    assert clock.times.tolist() == times.tolist()
    assert clock.notes[-1].endswith("which agree; the rate was ignored")


def test_timestamps_beside_a_rate_are_compared_by_the_row_they_belong_to(series_file, nodes_of):
    times = 0.25 * np.arange(8)
    times[2:5] = np.nan
    path = add_times(series_file(np.ones(8), rate=4.0), times)
    clock = read_clock(nodes_of(path)[SPEED], n_samples=8)
    assert clock.notes == (
        "3 samples without a finite timestamp were dropped",
        "the series has timestamps and a rate of 4 Hz, which agree; the rate was ignored",
    )


def test_timestamps_and_a_rate_that_differ_by_more_than_a_sample_are_refused(series_file, nodes_of):
    path = add_times(series_file(np.ones(8), rate=4.0), 0.5 + 0.25 * np.arange(8))
    with pytest.raises(DataError, match=r"by up to 2 samples\n  fix: remove the wrong one of"):
        read_clock(nodes_of(path)[SPEED], n_samples=8)


@pytest.fixture
def pair(write_nwb, nodes_of):
    """A function that writes two series with the clocks given, and gives their nodes."""

    def write(first, second):
        def fill(nwbfile):
            for name, clock in (("a", first), ("b", second)):
                nwbfile.add_acquisition(TimeSeries(name=name, data=np.ones(3), unit="m", **clock))

        nodes = nodes_of(write_nwb(fill))
        return [nodes["acquisition/a"], nodes["acquisition/b"]]

    return write


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"rate": 4.0}, {"rate": 4.0}, True),
        ({"rate": 4.0}, {"rate": 5.0}, False),
        ({"rate": 4.0}, {"rate": 4.0, "starting_time": 0.1}, False),
        ({"timestamps": [0.0, 0.1, 0.3]}, {"timestamps": [0.0, 0.1, 0.3]}, True),
        ({"timestamps": [0.0, 0.1, 0.3]}, {"timestamps": [0.0, 0.2, 0.3]}, False),
        ({"timestamps": [0.0, 0.25, 0.5]}, {"rate": 4.0}, False),
    ],
)
def test_clocks_are_the_same_by_rate_or_by_content(pair, first, second, same):
    assert same_clock(pair(first, second)) is same
