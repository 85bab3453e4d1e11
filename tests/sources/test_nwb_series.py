"""Samples of a series in physical units, masked where there is no number, on a checked clock."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from pynwb import TimeSeries

from neurodsr.errors import DataError
from neurodsr.sources import nwb_series

SPEED = "acquisition/speed"


def irregular(n: int, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).uniform(0.01, 0.03, n))


def test_conversion_and_offset_are_applied(series_file, opened):
    path = series_file(np.array([1, 2, 3], dtype=np.int16), rate=10.0, conversion=0.5, offset=4.0)
    series = opened(path).series(SPEED)
    assert series.values.tolist() == [[4.5], [5.0], [5.5]]
    assert series.values.dtype == np.float64
    assert series.unit == "m/s"
    assert series.channels.ids == ("speed",)


def test_start_and_rate_give_the_times(position_file, opened):
    series = opened(position_file).series("processing/behavior/Position/position")
    np.testing.assert_array_equal(series.times, 0.5 + np.arange(10) / 10)
    assert series.channels.ids == ("x", "y")
    assert series.valid.all()


def test_a_conversion_of_zero_becomes_one_and_is_noted(series_file, opened):
    series = opened(series_file(np.ones(3), rate=1.0, conversion=0.0)).series(SPEED)
    assert series.values[0, 0] == 1
    assert series.notes == ("the conversion factor is 0; 1 was used",)


def test_nan_and_infinity_are_masked_zeroed_and_counted(series_file, opened):
    data = np.array([[1.0, np.nan], [np.inf, 2.0], [3.0, 4.0], [5.0, 6.0]])
    series = opened(series_file(data, rate=1.0)).series(SPEED)
    assert series.valid.tolist() == [[True, False], [False, True], [True, True], [True, True]]
    assert series.values.tolist() == [[1, 0], [0, 2], [3, 4], [5, 6]]
    assert series.notes == ("25.000% of the values are NaN or infinite and were masked",)


def test_a_series_without_any_number_is_refused(series_file, opened):
    path = series_file(np.full(5, np.nan), rate=1.0)
    with pytest.raises(DataError, match=r"no sample holds a number.*\n  fix: leave this stream"):
        opened(path).series(SPEED)


def test_text_is_no_stream(series_file, opened):
    path = series_file(["left", "right"], rate=1.0)
    source = opened(path)
    assert source.list_streams() == []
    with pytest.raises(DataError, match="cannot be read as series"):
        source.series(SPEED)


def test_a_series_without_samples_is_refused(series_file, opened):
    path = series_file(np.ones(3), rate=1.0)
    with h5py.File(path, "a") as file:
        attributes = dict(file[f"{SPEED}/data"].attrs)
        del file[f"{SPEED}/data"]
        file[f"{SPEED}/data"] = np.zeros(0)
        file[f"{SPEED}/data"].attrs.update(attributes)
    with pytest.raises(DataError, match="fix: choose a numeric series"):
        opened(path).series(SPEED)


@pytest.mark.parametrize("rate", [0.0, -30.0, 1e12])
def test_an_impossible_rate_is_refused(series_file, opened, rate):
    path = series_file(np.ones(3), rate=30.0)
    with h5py.File(path, "a") as file:
        file[f"{SPEED}/starting_time"].attrs["rate"] = rate
    with pytest.raises(DataError, match=r"fix: (write the series again with its real rate|copy)"):
        opened(path).series(SPEED)


def test_duplicate_timestamps_are_dropped_and_noted(series_file, opened):
    times = irregular(500)
    times[10], times[20] = times[9], times[19]
    series = opened(series_file(np.arange(500.0), timestamps=times)).series(SPEED)
    assert len(series.times) == 498
    assert np.all(np.diff(series.times) > 0)
    assert series.values[9:11, 0].tolist() == [9, 11]
    assert series.notes == ("2 samples with a duplicate timestamp were dropped",)


def test_a_few_backward_steps_are_sorted_with_their_samples_and_noted(series_file, opened):
    times = irregular(500)
    data = 100 * times
    swapped = np.arange(500)
    swapped[[100, 101]] = [101, 100]
    path = series_file(data[swapped], timestamps=times[swapped])
    series = opened(path).series(SPEED)
    np.testing.assert_array_equal(series.times, times)
    np.testing.assert_array_equal(series.values[:, 0], data)
    assert series.notes == ("1 timestamps that ran backward were sorted",)


def test_more_than_1_percent_backward_is_refused(series_file, opened):
    times = irregular(500)
    times[1::50] -= 0.05
    with pytest.raises(DataError, match=r"run backward \(2.0%\)\n  fix: a clock was reset"):
        opened(series_file(np.ones(500), timestamps=times)).series(SPEED)


def test_a_clock_that_was_reset_once_is_refused_and_not_interleaved(series_file, opened):
    times = irregular(500)
    times[250:] -= times[250]
    with pytest.raises(DataError, match="fix: a clock was reset"):
        opened(series_file(np.ones(500), timestamps=times)).series(SPEED)


def test_samples_without_a_time_are_dropped_and_noted(series_file, opened):
    times = irregular(100)
    times[[3, 5]] = np.nan
    series = opened(series_file(np.arange(100.0), timestamps=times)).series(SPEED)
    assert series.values[:4, 0].tolist() == [0, 1, 2, 4]
    assert series.notes == ("2 samples without a finite timestamp were dropped",)


def test_timestamps_that_are_all_nan_are_refused(series_file, opened):
    path = series_file(np.ones(4), timestamps=np.full(4, np.nan))
    with pytest.raises(DataError, match="fix: write the series again with starting_time"):
        opened(path).series(SPEED)


def test_another_number_of_timestamps_than_of_samples_is_refused(series_file, opened):
    path = series_file(np.ones(5), timestamps=irregular(5))
    with h5py.File(path, "a") as file:
        del file[f"{SPEED}/timestamps"]
        file[f"{SPEED}/timestamps"] = irregular(4)
    with pytest.raises(DataError, match=r"4 timestamps.*5 samples\n  fix: .*axis really time"):
        opened(path).series(SPEED)


def test_frame_numbers_instead_of_times_are_refused(series_file, opened):
    path = series_file(np.ones(50), timestamps=np.arange(50.0))
    with pytest.raises(DataError, match=r"frame numbers.*\n  fix: declare the frame rate"):
        opened(path).series(SPEED)


def test_real_pose_estimates_with_frame_numbers_are_refused(shared_file, opened):
    source = opened(shared_file("behavior/DLC2NWB_openfield_pose.nwb"))
    with pytest.raises(DataError, match="fix: declare the frame rate"):
        source.series("processing/behavior/PoseEstimation/ind1_snout")


def test_gaps_are_listed_as_a_warning(series_file, opened):
    times = irregular(200)
    times[100:] += 41.2
    (entry,) = opened(series_file(np.ones(200), timestamps=times)).list_streams()
    (problem,) = entry.problems
    assert problem.startswith("warning: 1 gaps of more than 10 median steps, the longest 41.2")
    assert entry.rate == 0


def test_regular_timestamps_give_a_rate(series_file, opened):
    (entry,) = opened(series_file(np.ones(99), timestamps=np.arange(99) / 50)).list_streams()
    assert entry.rate == pytest.approx(50)


def test_shared_timestamps_are_followed(write_nwb, opened):
    def fill(nwbfile):
        first = TimeSeries(name="a", data=np.ones(9), timestamps=irregular(9), unit="m")
        nwbfile.add_acquisition(first)
        nwbfile.add_acquisition(TimeSeries(name="b", data=np.ones(9), timestamps=first, unit="m"))

    source = opened(write_nwb(fill))
    np.testing.assert_array_equal(source.series("acquisition/b").times, irregular(9))
    assert [e.path for e in source.list_streams()] == ["acquisition/a", "acquisition/b"]


@pytest.mark.parametrize(
    "key",
    [
        slice(None),
        slice(3, 40, 7),
        5,
        -1,
        [7, 3, 3],
        (slice(None), 1),
        (slice(2, 9), slice(0, 2)),
        (np.arange(60) % 3 == 0, slice(None)),
        slice(0, 0),
    ],
)
def test_lazy_samples_equal_loaded_ones(series_file, opened, monkeypatch, key):
    times, data = irregular(60), np.random.default_rng(1).normal(size=(60, 3))
    times[[10, 11]], data[4, 1] = times[[11, 10]], np.nan
    times = np.concatenate([times, irregular(200) + times[-1]])
    data = np.concatenate([data, np.ones((200, 3))])
    source = opened(series_file(data, timestamps=times, conversion=2.0))
    loaded = source.series(SPEED)
    monkeypatch.setattr(nwb_series, "EAGER_BYTES", 0)
    lazy = source.series(SPEED)
    assert not isinstance(lazy.values, np.ndarray)
    key = (np.resize(key[0], 260), key[1]) if isinstance(key, tuple) and np.ndim(key[0]) else key
    np.testing.assert_array_equal(lazy.values[key], loaded.values[key])
    np.testing.assert_array_equal(lazy.valid[key], loaded.valid[key])
    assert lazy.notes == loaded.notes
    np.testing.assert_array_equal(np.asarray(lazy.values), loaded.values)


def test_lazy_samples_refuse_a_changed_or_closed_file(series_file, opened, monkeypatch):
    monkeypatch.setattr(nwb_series, "EAGER_BYTES", 0)
    path = series_file(np.ones(9), rate=1.0)
    source = opened(path)
    series = source.series(SPEED)
    with open(path, "ab") as file:
        file.write(b"more")
    with pytest.raises(DataError, match="modified while it was being read"):
        series.values[:]
    source.close()
    with pytest.raises(DataError, match="cannot be read"):
        series.values[:]


def test_the_camera_clock_of_the_linear_track_is_irregular_and_increasing(shared_file, opened):
    source = opened(shared_file("spikes/nelpy_linear-track.nwb"))
    series = source.series("processing/behavior/Position/position")
    assert series.values.shape == (118_964, 2)
    assert np.all(np.diff(series.times) > 0)
    assert series.unit == "pixels"
    entry = next(e for e in source.list_streams() if e.kind == "series")
    assert entry.rate == 0
