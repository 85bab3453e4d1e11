"""A signal on its way to the grid: chosen channels, missing values, and how it is resampled."""

import numpy as np
import pytest

from neurodsr.data.lazy import LazyArray, RegularTimes, lazy_pair
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.modalities.behavior import Behavior
from neurodsr.modalities.signals import (
    LOOKED_AT,
    choose_channels,
    refuse_missing,
    resampler,
    sample_interval,
)

GRID = TimeGrid(0.0, 0.5, 8)


def behavior(**fields):
    return Behavior.from_plain({"path": "path", **fields})


@pytest.fixture
def rois(series):
    three = series(np.arange(4) / 2, [0, 1, 2, 3], [10, 11, 12, 13], [20, None, 22, 23])
    return three._replace(columns={"Accepted": np.array([1, 0, 1])})


def lazily(series):
    values, valid = lazy_pair(
        lambda a, b: (series.values[a:b], series.valid[a:b]),
        shape=series.values.shape,
        dtype=float,
    )
    return series._replace(values=values, valid=valid)


# ---- channels


@pytest.mark.parametrize("lazy", [False, True])
def test_channels_are_chosen_by_column_and_by_name_in_the_order_of_the_file(rois, lazy):
    signal = lazily(rois) if lazy else rois
    chosen = choose_channels(signal, {"Accepted": 1}, ("z", "x"), where="f.nwb:/dff")
    assert isinstance(chosen.values, LazyArray) is lazy
    assert chosen.channels.ids == ("x", "z")
    assert np.asarray(chosen.values).T.tolist() == [[0, 1, 2, 3], [20, 0, 22, 23]]
    assert np.asarray(chosen.valid)[:, 1].tolist() == [True, False, True, True]
    assert chosen.columns["Accepted"].tolist() == [1, 1]
    assert chosen.notes == ("a note", "1 of 3 channels were left out by Accepted")


def test_channels_chosen_by_name_alone_are_noted_so(rois):
    chosen = choose_channels(rois, {}, ("y",), where="f.nwb:/dff")
    assert chosen.notes[-1] == "2 of 3 channels were left out by name"


def test_all_channels_are_the_signal_itself(rois):
    assert choose_channels(rois, {}, None, where="") is rois
    assert choose_channels(rois, {"Accepted": (0, 1)}, ("z", "y", "x"), where="") is rois


def test_an_unknown_channel_is_refused_with_the_nearest(rois):
    with pytest.raises(
        DataError, match=r"f.nwb:/dff: there is no channel 'w': .*x.*\n  fix: correct `channels`"
    ):
        choose_channels(rois, {}, ("x", "w"), where="f.nwb:/dff")


def test_conditions_that_leave_no_channel_are_refused(rois):
    with pytest.raises(DataError, match="none of 3 channels is left\n  fix: loosen `where`"):
        choose_channels(rois, {"Accepted": 0}, ("x",), where="f.nwb:/dff")


# ---- missing values


@pytest.mark.parametrize(("limit", "refused"), [(0.08, True), (1 / 12, False), (0.2, False)])
def test_a_signal_is_refused_only_above_the_limit(rois, limit, refused):
    if not refused:
        refuse_missing(rois, limit=limit, where="")
        return
    with pytest.raises(
        DataError, match=r"8\.3% of the values are missing .*at most 8%.*\n  fix: .*max_missing"
    ):
        refuse_missing(rois, limit=limit, where="f.nwb:/dff")


def test_values_of_channels_that_are_left_out_do_not_count_as_missing(source, rois):
    with pytest.raises(DataError, match=r"25\.0% of the values are missing"):
        behavior(channels=["z"]).load(source(rois), GRID)
    stream = behavior(channels=["x", "y"], max_missing=0).load(source(rois), GRID)
    assert stream.mask[:4].all()


# ---- resampling


def test_a_volume_of_a_scanner_lies_in_its_bin_and_the_bins_between_are_masked(source, series):
    # TR 2 s, bins of 0.5 s: volumes at 0, 2, 4 s in bins 0, 4 and 8.
    bold = series(RegularTimes(0.0, 2.0, 5), [1.0, 2.0, 3.0, 4.0, 5.0])
    stream = behavior(resample="sample").load(source(bold), TimeGrid(0.0, 0.5, 12))
    assert np.flatnonzero(stream.mask[:, 0]).tolist() == [0, 4, 8]
    assert stream.values[stream.mask].tolist() == [1, 2, 3]
    assert not stream.values[~stream.mask].any()


def test_bins_that_do_not_divide_the_repetition_time_hold_each_volume_once(source, series):
    bold = series(RegularTimes(0.0, 1.35, 40), np.arange(1.0, 41.0).tolist())
    stream = behavior(resample="sample").load(source(bold), TimeGrid(0.0, 0.5, 108))
    volumes = np.floor(np.arange(40) * 1.35 / 0.5).astype(int)
    assert np.flatnonzero(stream.mask[:, 0]).tolist() == volumes.tolist()
    assert stream.values[stream.mask].tolist() == np.arange(1, 41).tolist()


def test_a_lost_volume_is_masked_and_not_made_up(source, series):
    bold = series([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [1, None, 3, 4, 5, 6])
    stream = behavior(resample="sample").load(source(bold), GRID)
    assert np.flatnonzero(stream.mask[:, 0]).tolist() == [0, 4, 6]


@pytest.mark.parametrize(
    ("interval", "bin_width", "observed"),
    [
        (0.25, 0.5, "mean"),
        (0.5, 0.5, "mean"),  # a sample a bin
        (0.75, 0.5, "interpolate"),
    ],
)
def test_the_mean_is_taken_where_a_bin_has_a_sample_or_more_else_a_line(
    series, interval, bin_width, observed
):
    times = np.arange(40) * interval
    signal = series(times, (times**2).tolist())
    grid = TimeGrid(0.0, bin_width, 10)
    auto = resampler(signal, grid, "auto", max_gap=None)(grid)
    named = resampler(signal, grid, observed, max_gap=None)(grid)
    other = "mean" if observed == "interpolate" else "interpolate"
    np.testing.assert_array_equal(auto[0], named[0])
    np.testing.assert_array_equal(auto[1], named[1])
    assert (auto[0] != resampler(signal, grid, other, max_gap=None)(grid)[0]).any()


def test_a_part_of_the_grid_is_resampled_as_the_whole_was_decided(series):
    # Nearly all samples are fast; those of the last part alone would ask for a line.
    times = np.concatenate([np.arange(0, 3, 0.1), [3.4, 4.6]])
    read = resampler(series(times, times.tolist()), GRID, "auto", max_gap=None)
    values, mask = read(GRID.part(6, 8))
    assert mask[:, 0].tolist() == [True, False]
    assert values[0, 0] == 3.4


@pytest.mark.parametrize("lazy", [False, True])
def test_one_sample_has_no_interval_and_many_have_their_median(series, lazy):
    assert sample_interval(series([1.0], [0.0])) == np.inf
    n = 3 * LOOKED_AT
    times = RegularTimes.at_rate(0.0, 1000.0, n) if lazy else np.arange(n) / 1000
    signal = series([0.0, 1.0], [0.0, 0.0])._replace(times=times)
    assert sample_interval(signal) == pytest.approx(1e-3)


def test_a_lazy_signal_becomes_a_lazy_stream_with_the_values_of_an_eager_one(source, series):
    times = np.arange(80) * 0.05
    x = [None if k % 7 == 0 else float(k) for k in range(80)]
    signal = series(times, x)
    lazy = behavior().load(source(lazily(signal)), GRID)
    eager = behavior().load(source(signal), GRID)
    assert isinstance(lazy.values, LazyArray)
    assert isinstance(lazy.mask, LazyArray)
    np.testing.assert_array_equal(np.asarray(lazy.values), eager.values)
    np.testing.assert_array_equal(np.asarray(lazy.mask), eager.mask)
    assert lazy.values.dtype == eager.values.dtype == np.float32
