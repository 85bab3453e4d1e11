"""Inputs on the grid: known answers for light, counts and series, in the file's own units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.data.channels import Channels
from neurodsr.data.lazy import RegularTimes
from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.ingest.inputs import load_inputs
from neurodsr.run_config import InputConfig
from neurodsr.sources.base import Source, StreamEntry

GRID = TimeGrid(0.0, 0.02, 10)


class Fake(Source):
    """A source that holds one thing, at the path x, listed or not."""

    path = "session"

    def __init__(self, held: Events | Series | Intervals, *, listed: bool = False) -> None:
        self.held, self.listed = held, listed

    def list_streams(self):
        kind = type(self.held).__name__.lower()
        entry = StreamEntry("x", kind, "T", 1, 1, 0.0, 1.0, 0.0, "", "")
        return [entry] if self.listed else []

    def events(self, path):
        return self._give(Events)

    def series(self, path, *, clock=None):
        return self._give(Series)

    def intervals(self, path):
        return self._give(Intervals)

    def close(self):
        pass

    def _give(self, kind):
        if not isinstance(self.held, kind):
            raise DataError(f"no {kind.__name__} here", fix="choose another")
        return self.held


def table(starts, stops, **columns):
    return Intervals(
        np.array(starts, dtype=float),
        np.array(stops, dtype=float),
        {name: np.array(values) for name, values in columns.items()},
    )


def series(times, values, valid=None, unit="W", ids=("light",)):
    values = np.array(values, dtype=float).reshape(len(times), -1)
    valid = np.ones(values.shape, dtype=bool) if valid is None else np.array(valid).reshape(-1, 1)
    times = times if isinstance(times, RegularTimes) else np.array(times, dtype=float)
    return Series(values, valid, times, Channels(ids), unit)


def load(held, grid=GRID, **config):
    return load_inputs({"laser": Fake(held)}, {"laser": InputConfig(path="x", **config)}, grid)


def test_a_pulse_of_5_ms_at_10_mw_in_a_bin_of_20_ms_is_a_mean_of_2p5_mw():
    stream = load(table([0.045], [0.05], power=[10.0]), value="power", unit="mW")
    expected = np.zeros(10)
    expected[2] = 2.5
    np.testing.assert_allclose(stream.values[:, 0], expected, atol=1e-12)
    assert stream.mask.all()
    assert stream.unit == "mW"
    assert stream.channels.ids == ("laser",)


def test_a_row_without_a_value_is_the_fraction_of_the_bin_that_it_covers():
    stream = load(table([0.03], [0.07]))
    np.testing.assert_allclose(stream.values[:4, 0], [0, 0.5, 1, 0.5], atol=1e-12)
    assert not stream.values[4:].any()
    assert stream.unit == "fraction"


def test_a_path_that_names_a_column_takes_its_size_from_it():
    source = Fake(table([0.0], [0.02], power=[3.0]))
    stream = load_inputs({"a": source}, {"a": InputConfig(path="intervals/trials/power")}, GRID)
    assert stream.values[:2, 0].tolist() == [3.0, 0.0]


def test_rows_of_no_duration_are_counted():
    stream = load(table([0.0, 0.05, 0.0], [0.02, 0.05, 0.0]))
    assert stream.values[:, 0].tolist() == [1.0] + [0.0] * 9
    assert stream.notes == ("laser: 2 rows of no duration add nothing",)


def test_rows_that_overlap_add_up():
    stream = load(table([0.0, 0.02], [0.06, 0.04], power=[1.5, 0.25]), value="power")
    np.testing.assert_allclose(stream.values[:4, 0], [1.5, 1.75, 1.5, 0], atol=1e-12)
    assert stream.unit == "unknown"


def test_rows_are_clipped_to_the_grid():
    stream = load(table([-5.0, 0.19], [0.01, 9.0]))
    np.testing.assert_allclose(stream.values[[0, 9], 0], 0.5, atol=1e-12)
    assert not stream.values[1:9].any()


def test_other_columns_can_bound_the_row():
    trials = table([0.0], [0.2], on=[0.02], off=[0.04])
    stream = load(trials, start="on", stop="off")
    np.testing.assert_allclose(stream.values[:3, 0], [0, 1, 0], atol=1e-12)


def test_rows_are_chosen_by_their_columns():
    trials = table([0.0, 0.1], [0.02, 0.12], kind=["stim", "none"])
    stream = load(trials, where={"kind": "stim"})
    assert stream.values[:, 0].tolist() == [1.0] + [0.0] * 9


def test_rows_without_times_are_dropped_and_counted():
    trials = table([0.0, 0.1], [0.2, 0.2], on=[0.02, np.nan], off=[0.04, 0.06])
    stream = load(trials, start="on", stop="off")
    assert stream.notes == ("laser: 1 rows without a finite time were dropped",)
    assert stream.values[:, 0].sum() == pytest.approx(1)


def test_the_bins_of_a_row_of_unknown_size_are_masked_and_counted():
    stream = load(table([0.03, 0.1], [0.05, 0.12], power=[np.nan, 2.0]), value="power")
    assert np.flatnonzero(~stream.mask[:, 0]).tolist() == [1, 2]
    assert not stream.values[1:3].any()
    assert stream.values[5, 0] == pytest.approx(2)
    assert stream.notes == ("laser: 1 rows of unknown size: their bins are masked",)


def test_a_pulse_train_becomes_its_single_pulses():
    trials = table([0.0], [0.1], power=[10.0], width=[5.0], period=[10.0])
    stream = load(trials, value="power", pulse=("width", "period"))
    np.testing.assert_allclose(stream.values[:, 0], [5.0] * 5 + [0.0] * 5, atol=1e-12)


def test_pulses_slower_than_bins_leave_dark_bins_between_them():
    trials = table([0.0], [0.2], width=[5.0], period=[40.0])
    stream = load(trials, pulse=("width", "period"))
    np.testing.assert_allclose(stream.values[:, 0], [0.25, 0] * 5, atol=1e-12)


def test_the_last_pulse_ends_with_its_row():
    stream = load(table([0.0], [0.023], width=[5.0], period=[20.0]), pulse=("width", "period"))
    np.testing.assert_allclose(stream.values[:3, 0], [0.25, 0.15, 0], atol=1e-12)


def test_a_train_that_began_before_the_grid_keeps_its_phase():
    stream = load(table([-100.005], [0.1], width=[10.0], period=[20.0]), pulse=("width", "period"))
    np.testing.assert_allclose(stream.values[:4, 0], 0.5, atol=1e-9)


def test_a_missing_period_masks_the_row():
    trials = table([0.0, 0.1], [0.02, 0.12], width=[5.0, 5.0], period=[10.0, np.nan])
    stream = load(trials, pulse=("width", "period"))
    assert np.flatnonzero(~stream.mask[:, 0]).tolist() == [5]


def test_pulses_without_end_are_refused():
    trials = table([0.0], [0.2], width=[0.0], period=[1e-8])
    with pytest.raises(DataError, match="check that the period is in ms"):
        load(trials, pulse=("width", "period"))


def test_pulses_longer_than_their_period_are_refused():
    trials = table([0.0], [0.2], width=[20.0], period=[5.0])
    with pytest.raises(DataError, match="width first, then that of the period"):
        load(trials, pulse=("width", "period"))


def test_rows_that_stop_before_they_start_are_refused():
    trials = table([0.0], [0.2], on=[0.1], off=[0.05])
    with pytest.raises(DataError, match="name the columns of onset and end"):
        load(trials, start="on", stop="off")


def test_a_column_that_is_not_there_names_those_that_are():
    with pytest.raises(DataError, match="choose one of: start_time, stop_time, power"):
        load(table([0.0], [0.1], power=[1.0]), value="pwoer")


def test_a_column_of_texts_names_those_of_numbers():
    trials = table([0.0], [0.1], power=[1.0], kind=["stim"])
    with pytest.raises(DataError, match="choose one of: start_time, stop_time, power"):
        load(trials, value="kind")


def test_a_table_without_a_row_on_the_grid_is_dark_and_says_so():
    stream = load(table([50.0], [51.0]))
    assert stream.mask.all()
    assert not stream.values.any()
    assert "all bins are 0" in stream.notes[0]


def test_events_become_counts():
    events = Events(np.array([0.0, 0.001, 0.05, 9.0]), np.array([0, 4]), Channels(("lick",)), None)
    stream = load(events)
    assert stream.values[:, 0].tolist() == [2, 0, 1] + [0] * 7
    assert stream.mask.all()
    assert stream.unit == "count"


def test_an_input_of_several_channels_keeps_their_names():
    events = Events(
        np.array([0.0, 0.1]), np.array([0, 1, 2]), Channels(("left", "right"), ("ALM", "")), None
    )
    stream = load(events)
    assert stream.channels.ids == ("laser/left", "laser/right")
    assert stream.channels.regions == ("ALM", "")


def test_a_fast_series_becomes_its_mean_over_valid_samples():
    times = RegularTimes(0.0, 0.005, 40)
    valid = np.ones(40, dtype=bool)
    valid[1], valid[4:8] = False, False
    stream = load(series(times, np.arange(40.0), valid))
    assert stream.values[:3, 0].tolist() == [(0 + 2 + 3) / 3, 0, 9.5]
    assert np.flatnonzero(~stream.mask[:, 0]).tolist() == [1]
    assert stream.unit == "W"


def test_channels_of_events_and_series_are_chosen_by_their_columns():
    kinds = {"kind": np.array(["blue", "red"])}
    lit = series(RegularTimes(0.0, 0.005, 40), np.ones((40, 2)), ids=("a", "b"))
    lit = lit._replace(columns=kinds, valid=np.ones((40, 2), dtype=bool))
    assert load(lit, where={"kind": "red"}).channels.ids == ("laser",)
    ticks = Events(
        np.array([0.0, 0.1]), np.array([0, 1, 2]), Channels(("a", "b")), None, columns=kinds
    )
    assert load(ticks, where={"kind": "red"}).values[5, 0] == 1


def test_a_slow_series_holds_until_the_next_sample():
    stream = load(series(RegularTimes(0.0, 0.05, 4), [1.0, 3.0, 5.0, 7.0]))
    expected = [1, 1, 2, 3, 3, 5, 5, 6, 7, 7]
    np.testing.assert_allclose(stream.values[:, 0], expected, atol=1e-9)
    assert stream.mask.all()


def test_a_sample_of_a_slow_series_holds_for_one_and_a_half_intervals_at_most():
    grid = TimeGrid(0.0, 0.1, 60)
    stream = load(series([0.0, 1.0, 2.0, 5.0], [1.0, 2.0, 3.0, 4.0]), grid)
    assert np.flatnonzero(~stream.mask[:, 0]).tolist() == list(range(35, 50))
    assert not stream.values[35:50].any()
    assert stream.notes == (
        "laser: 15 of 60 bins are masked: samples are missing there, or too far apart",
    )


def test_a_slow_series_is_unknown_before_its_first_sample_and_where_invalid():
    stream = load(
        series(RegularTimes(0.04, 0.04, 4), [1.0, 2.0, 3.0, 4.0], [True, False, True, True])
    )
    assert stream.mask[:, 0].tolist() == [False] * 2 + [True] * 2 + [False] * 2 + [True] * 4


def test_a_series_that_lies_elsewhere_is_refused():
    with pytest.raises(DataError, match=r"check grid\.start, grid\.stop and the input's clock"):
        load(series(RegularTimes(50.0, 0.005, 40), np.zeros(40)))


def test_a_single_sample_says_nothing_of_other_times():
    with pytest.raises(DataError, match="leave the input out"):
        load(series([0.0], [1.0]))


def test_columns_named_for_a_series_are_refused():
    with pytest.raises(DataError, match="remove value, or give the path of a table"):
        load(series(RegularTimes(0.0, 0.005, 40), np.zeros(40)), value="power")


def test_units_that_differ_are_named_channel_by_channel():
    held = {"laser": table([0.0], [0.1], power=[2.0]), "cue": table([0.0], [0.1])}
    configs = {
        "laser": InputConfig(path="x", value="power", unit="mW"),
        "cue": InputConfig(path="x"),
    }
    stream = load_inputs({n: Fake(h) for n, h in held.items()}, configs, GRID)
    assert stream.channels.ids == ("laser", "cue")
    assert stream.unit == "mixed"
    assert stream.notes == ("units: laser in mW, cue in fraction",)


def test_the_listing_decides_how_a_path_is_read():
    held = series(RegularTimes(0.0, 0.005, 40), np.ones(40))
    source = Fake(held, listed=True)
    source.intervals = source.events = None
    stream = load_inputs({"a": source}, {"a": InputConfig(path="/x")}, GRID)
    assert stream.values[:, 0].tolist() == [1.0] * 10


def test_the_error_of_the_last_reader_is_told():
    source = Fake(table([0.0], [0.1]))
    source.intervals = source.events
    with pytest.raises(DataError, match="no Series here"):
        load_inputs({"a": source}, {"a": InputConfig(path="x")}, GRID)


ROWS = st.lists(
    st.tuples(st.floats(0, 0.2), st.floats(0, 0.2), st.floats(-5, 5)).map(
        lambda t: (min(t[:2]), max(t[:2]), t[2])
    ),
    min_size=1,
    max_size=30,
)


@given(ROWS)
def test_the_sum_of_bins_times_width_is_the_sum_of_values_times_durations(rows):
    starts, stops, values = (np.array(column) for column in zip(*rows, strict=True))
    stops = np.minimum(stops, GRID.stop)
    starts = np.minimum(starts, stops)
    stream = load(table(starts, stops, v=values), value="v")
    total = stream.values.sum() * GRID.bin_width
    # Thirty products below 1 are rounded and added twice.
    assert total == pytest.approx((values * (stops - starts)).sum(), abs=1e-13)


@given(ROWS, st.integers(0, 9))
def test_a_bin_is_the_mean_of_the_rows_that_a_plain_loop_finds(rows, k):
    starts, stops, values = (np.array(column) for column in zip(*rows, strict=True))
    stream = load(table(starts, stops, v=values), value="v")
    a, b = GRID.edges[k], GRID.edges[k + 1]
    shared = [max(min(e, b) - max(s, a), 0) * v for s, e, v in rows]
    assert stream.values[k, 0] == pytest.approx(sum(shared) / GRID.bin_width, abs=1e-11)


TRAINS = st.lists(
    st.tuples(st.floats(0, 0.1), st.integers(1, 50), st.floats(0.05, 1), st.floats(0.1, 20)),
    min_size=1,
    max_size=5,
)


@given(TRAINS)
def test_the_sum_of_bins_times_width_is_that_of_all_whole_pulses(trains):
    start, n, duty, power = (np.array(column) for column in zip(*trains, strict=True))
    period = (0.2 - start) / n * 1e3 * 0.99
    held = table(start, start + n * period * 1e-3, p=period, w=duty * period, power=power)
    stream = load(held, value="power", pulse=("w", "p"))
    # Up to 250 pulses, each cut at an edge of a bin, of at most 20 mW.
    total = (power * n * duty * period * 1e-3).sum()
    assert stream.values.sum() * GRID.bin_width == pytest.approx(total, abs=1e-11)
