"""Series that belong together are one: channel beside channel, in natural order, on one clock."""

from __future__ import annotations

import numpy as np
import pytest
from pynwb import TimeSeries
from pynwb.behavior import BehavioralTimeSeries

from neurodsr.data.lazy import LazyArray
from neurodsr.errors import DataError
from neurodsr.sources import nwb_series

TRACES = "processing/ophys/traces"
ONE_LOST = np.array([0.0, 1.0, 2.0, np.nan, *range(4, 20)])
LOST = "5.000% of the values are NaN or infinite and were masked"
TIMES = np.cumsum(np.random.default_rng(0).uniform(0.1, 0.2, 20))


@pytest.fixture
def traces(write_nwb, opened):
    """A function that writes one series a neuron in a container, and opens the file."""

    def write(n=12, *, change=None, **clock):
        def fill(nwbfile):
            box = BehavioralTimeSeries(name="traces")
            for i in range(n):
                fields = {"data": i + np.arange(20.0), "unit": "dF/F", "rate": 10.0} | clock
                fields = {k: v for k, v in fields.items() if v is not None}
                fields |= (change or {}).get(i, {})
                box.add_timeseries(TimeSeries(name=f"cell {i}", **fields))
            nwbfile.create_processing_module("ophys", "Cells.").add(box)

        return opened(write_nwb(fill))

    return write


def test_many_alike_are_listed_as_one(traces):
    (entry,) = traces().list_streams()
    assert (entry.path, entry.n_channels, entry.n_samples) == (TRACES, 12, 20)
    assert entry.neurodata_type == "TimeSeries x 12"
    assert entry.description == "one series each: cell 0 to cell 11"


def test_few_are_listed_by_themselves_and_can_be_read_together(traces):
    source = traces(3)
    assert len(source.list_streams()) == 3
    assert source.series(TRACES).channels.ids == ("cell 0", "cell 1", "cell 2")


def test_neuron_2_comes_before_neuron_10(traces):
    series = traces().series(TRACES)
    assert series.channels.ids == tuple(f"cell {i}" for i in range(12))
    np.testing.assert_array_equal(series.values, np.arange(20.0)[:, None] + np.arange(12))


@pytest.mark.parametrize(
    "odd",
    [{"unit": "V"}, {"data": np.ones(19)}, {"data": np.ones((20, 2))}, {"starting_time": 0.5}],
)
def test_one_that_differs_keeps_them_apart_in_the_listing(traces, odd):
    assert len(traces(change={7: odd}).list_streams()) == 12


def test_series_on_different_clocks_are_refused_by_name(traces):
    source = traces(3, change={2: {"starting_time": 0.5}})
    with pytest.raises(
        DataError, match=r"'cell 0' and 'cell 2' have different times\n  fix: name the series one"
    ):
        source.series(TRACES)


def test_series_of_different_units_are_refused_by_name(traces):
    source = traces(3, change={1: {"unit": "V"}})
    with pytest.raises(DataError, match=r"in 'dF/F', 'cell 1' in 'V'\n  fix: name the series one"):
        source.series(TRACES)


def test_channels_of_a_series_with_several_are_named_after_it(traces):
    series = traces(2, change={1: {"data": np.ones((20, 2))}}).series(TRACES)
    assert series.channels.ids == ("cell 0", "cell 1.cell 1[0]", "cell 1.cell 1[1]")
    assert series.values.shape == (20, 3)


def test_what_is_said_of_all_is_said_once(traces):
    assert traces(2, data=ONE_LOST).series(TRACES).notes == (LOST,)


def test_what_is_said_of_one_is_said_by_name(traces):
    assert traces(2, change={1: {"data": ONE_LOST}}).series(TRACES).notes == (f"cell 1: {LOST}",)


def test_a_missing_sample_is_missing_in_its_own_channel(traces):
    series = traces(2, change={1: {"data": ONE_LOST}}).series(TRACES)
    assert np.argwhere(~np.asarray(series.valid)).tolist() == [[3, 1]]


@pytest.mark.parametrize("clock", [{}, {"rate": None, "timestamps": TIMES}])
def test_lazy_members_equal_loaded_ones(traces, monkeypatch, clock):
    source = traces(**clock)
    loaded = source.series(TRACES)
    monkeypatch.setattr(nwb_series, "EAGER_BYTES", 0)
    lazy = source.series(TRACES)
    assert isinstance(lazy.values, LazyArray)
    np.testing.assert_array_equal(lazy.values[3:9], loaded.values[3:9])
    np.testing.assert_array_equal(np.asarray(lazy.times), np.asarray(loaded.times))
    assert lazy.channels == loaded.channels
