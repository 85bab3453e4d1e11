"""A source on the run's clock: everything it gives moves alike, and lengths stretch."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.lazy import RegularTimes
from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.ingest.clocks import Affine, Reclocked, declared_affine
from neurodsr.modalities.clock import ClockConfig
from neurodsr.sources.base import DeclaredClock, SessionInfo, Source, StreamEntry

ONE = Channels(("a",))
LATER = Affine(offset=5.0, slope=1.001)


class Held(Source):
    """A source that holds one object of each kind; its series has no clock of its own."""

    path = "held"

    def list_streams(self):
        about = {"neurodata_type": "x", "n_channels": 1, "unit": "", "description": ""}
        return [
            StreamEntry("events", "events", n_samples=2, start=1.0, stop=3.0, rate=0.0, **about),
            StreamEntry(
                "series", "series", n_samples=4, start=math.nan, stop=math.nan, rate=0.0,
                problems=("warning: the clock is not declared",), **about,
            ),
            StreamEntry(
                "gappy", "series", n_samples=4, start=0.0, stop=4.0, rate=2.0,
                gaps=((1.0, 2.0),), **about,
            ),
        ]  # fmt: skip

    def events(self, path):
        return Events(
            np.array([1.0, 3.0]),
            np.array([0, 2]),
            ONE,
            (np.array([[0.0, 4.0]]),),
            durations=np.array([0.5, 1.0]),
        )

    def series(self, path, *, clock=None):
        interval = 1.0 if clock is None else clock.interval
        values = np.zeros((4, 1))
        return Series(values, values == 0, RegularTimes(0.0, interval, 4), ONE, "V")

    def intervals(self, path):
        return Intervals(np.array([0.0]), np.array([2.0]), {"choice": np.array(["left"])})

    def invalid(self):
        return self.intervals("invalid_times")

    def session(self):
        return SessionInfo("held")

    def close(self):
        raise AssertionError("whoever opened the file closes it")


def test_drift_is_declared_in_parts_per_million():
    assert declared_affine(ClockConfig(offset=2.0, drift=50.0)) == Affine(2.0, 1 + 50e-6)


def test_events_their_durations_and_what_was_observed_move_together():
    events = Reclocked(Held(), LATER).events("events")
    np.testing.assert_allclose(events.times, [6.001, 8.003])
    np.testing.assert_allclose(events.durations, [0.5005, 1.001])
    np.testing.assert_allclose(events.observed[0], [[5.0, 9.004]])


def test_regular_times_stay_regular():
    times = Reclocked(Held(), LATER).series("series").times
    assert isinstance(times, RegularTimes)
    np.testing.assert_allclose(np.asarray(times), 5 + 1.001 * np.arange(4))


def test_intervals_and_invalid_stretches_move_and_keep_their_columns():
    moved = Reclocked(Held(), LATER)
    for table in (moved.intervals("t"), moved.invalid()):
        np.testing.assert_allclose([table.starts[0], table.stops[0]], [5.0, 7.002])
        assert table.columns["choice"].tolist() == ["left"]


def test_the_listing_moves_with_its_gaps():
    gappy = Reclocked(Held(), LATER).list_streams()[2]
    assert (gappy.start, gappy.stop) == pytest.approx((5.0, 9.004))
    assert gappy.gaps[0] == pytest.approx((6.001, 7.002))
    assert gappy.rate == pytest.approx(2 / 1.001)


def test_a_declared_interval_reaches_the_source_and_the_listing():
    moved = Reclocked(Held(), declared=DeclaredClock(interval=0.5), path="/series")
    listed = moved.list_streams()[1]
    assert (listed.start, listed.stop, listed.rate) == (0.0, 1.5, 2.0)
    assert listed.problems == ()


def test_equal_clocks_change_no_bit():
    source = Held()
    assert (
        Reclocked(source).events("events").times.tolist() == source.events("events").times.tolist()
    )
    assert Reclocked(source).session() == source.session()


def test_the_file_stays_open():
    with Reclocked(Held()):
        pass
