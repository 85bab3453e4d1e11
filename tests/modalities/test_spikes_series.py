"""Spikes from a series of counts that somebody else binned, in files as people save them."""

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.lazy import RegularTimes, lazy_pair
from neurodsr.data.streams import Series
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.modalities import count_series
from neurodsr.modalities.count_series import sum_counts
from neurodsr.modalities.spikes import Spikes
from neurodsr.sources.base import DeclaredClock
from neurodsr.sources.open import open_source

GRID = TimeGrid(0.0, 0.1, 20)


def counted(values, *, interval=0.02, start=0.0, valid=None, times=None):
    values = np.asarray(values, dtype=float).reshape(len(values), -1)
    valid = np.ones(values.shape, dtype=bool) if valid is None else valid
    times = RegularTimes(start, interval, len(values)) if times is None else times
    ids = tuple("abcdefgh"[: values.shape[1]])
    return Series(values, valid, times, Channels(ids), "")


def poisson(n=100, n_channels=2, seed=0):
    return np.random.default_rng(seed).poisson(0.7, (n, n_channels))


def test_the_samples_of_a_bin_are_summed():
    x = poisson()
    counts, exposure = sum_counts(counted(x), GRID, where="")
    assert counts.tolist() == x.reshape(20, 5, 2).sum(1).tolist()
    assert counts.dtype == np.uint8
    assert (exposure == 1).all()


def test_a_sample_a_bin_is_the_count_itself():
    x = poisson(20) + 300
    counts, _ = sum_counts(counted(x, interval=0.1), GRID, where="")
    assert counts.tolist() == x.tolist()
    assert counts.dtype == np.uint16


@pytest.mark.parametrize("start", [100.0, 0.1, 12345.6])
@pytest.mark.parametrize("error", [-1e-10, 0, 1e-10])
def test_rounded_times_on_edges_fall_in_the_bin_that_they_open(start, error):
    x = poisson()
    times = start + np.arange(100) * 0.02 + error
    counts, exposure = sum_counts(counted(x, times=times), TimeGrid(start, 0.1, 20), where="")
    assert counts.tolist() == x.reshape(20, 5, 2).sum(1).tolist()
    assert (exposure == 1).all()


def test_only_samples_on_the_grid_are_summed_and_looked_at():
    x = np.full((40, 1), -1.0)
    x[10:30] = 1
    counts, _ = sum_counts(counted(x, interval=0.1, start=-1.0), GRID, where="")
    assert counts.tolist() == [[1]] * 20


def test_a_lazy_series_is_read_in_blocks_to_the_same_counts(monkeypatch):
    x = poisson(1000, 3)
    series = counted(x, interval=0.002)
    values, valid = lazy_pair(
        lambda a, b: (series.values[a:b], series.valid[a:b]), shape=x.shape, dtype=np.float64
    )
    whole = sum_counts(series, GRID, where="")
    monkeypatch.setattr(count_series, "BLOCK_VALUES", 100)
    lazy = sum_counts(series._replace(values=values, valid=valid), GRID, where="")
    assert lazy.counts.tolist() == whole.counts.tolist() == x.reshape(20, 50, 3).sum(1).tolist()
    assert lazy.exposure.tolist() == whole.exposure.tolist()


@pytest.mark.parametrize("held", [0.0, -1.0, 0.5, np.nan, np.inf])
def test_a_missing_sample_is_time_that_its_channel_was_not_watched(held):
    x = poisson().astype(float)
    valid = np.ones(x.shape, dtype=bool)
    x[42, 1], valid[42, 1] = held, False
    counts, exposure = sum_counts(counted(x, valid=valid), GRID, where="")
    x[42, 1] = 0
    assert counts.tolist() == x.reshape(20, 5, 2).sum(1).tolist()
    expected = np.ones((20, 2))
    expected[8, 1] = 0.8
    np.testing.assert_array_equal(exposure, expected.astype(np.float32))


# ---- what is refused


@pytest.mark.parametrize(("wrong", "told"), [(-2.0, "-2"), (0.5, "0.5")])
def test_what_is_no_count_is_refused_with_its_place(wrong, told):
    x = poisson().astype(float)
    x[42, 1] = wrong
    x[50, 0] = -7
    with pytest.raises(
        DataError,
        match=rf"f.npy:x: {told} at 0.84 s in channel 'b' is no count of spikes\n"
        r"  fix: give spike times or whole counts from 0 on, .*kind: behavior",
    ):
        sum_counts(counted(x), GRID, where="f.npy:x")


@pytest.mark.parametrize(
    ("interval", "fix"), [(0.2, "such as 0.2 s"), (0.03, "such as 0.09 s"), (0.067, "0.067 s")]
)
def test_bins_that_do_not_hold_whole_samples_are_refused(interval, fix):
    with pytest.raises(
        DataError, match=rf"a bin of 0.1 s holds .* samples of {interval:g} s[\s\S]*fix: .*{fix}"
    ):
        sum_counts(counted(poisson(), interval=interval), GRID, where="")


# ---- as a stream


def test_a_saved_array_of_counts_becomes_a_stream_of_spikes(tmp_path):
    x = poisson(100, 3)
    np.save(tmp_path / "counts.npy", x.astype(np.int16))
    with open_source(tmp_path / "counts.npy") as opened:

        class Clocked:
            """The array with the rate that a run would declare for it."""

            path, events = opened.path, opened.events
            list_streams = opened.list_streams

            def series(self, path):
                return opened.series(path, clock=DeclaredClock(interval=0.02))

        stream = Spikes.from_plain({"path": "table"}).load(Clocked(), GRID)
    assert stream.values.tolist() == x.reshape(20, 5, 3).sum(1).tolist()
    assert stream.mask.all()
    assert (stream.unit, stream.exposure) == ("count", None)


def test_a_table_with_times_is_read_and_its_gaps_are_exposure_or_masked(tmp_path):
    keep = np.r_[0:10, 12:20, 35:100]  # of bin 2 three samples are left, of bin 3 five, of 4-6 none
    rows = "\n".join(f"{0.02 * k:.2f},{k % 3}" for k in keep)
    (tmp_path / "counts.csv").write_text(f"time,a\n{rows}\n")
    with open_source(tmp_path / "counts.csv") as opened:
        stream = Spikes.from_plain({"path": "table"}).load(opened, GRID)
    expected = [sum(k % 3 for k in keep if k // 5 == b) for b in range(20)]
    assert stream.values[:, 0].tolist() == expected
    share = [1, 1, 0.6, 1, 0, 0, 0] + 13 * [1]
    np.testing.assert_allclose(stream.exposure[:, 0], share, rtol=1e-6)
    assert stream.mask[:, 0].tolist() == [s > 0 for s in share]


def lossy(source, n_lost, **fields):
    """The stream of two channels, of whose second the first samples are missing."""
    x = poisson()
    valid = np.ones(x.shape, dtype=bool)
    valid[:n_lost, 1] = False
    return Spikes.from_plain({"path": "path", **fields}).load(
        source(counted(x, valid=valid)), GRID
    ), x.reshape(20, 5, 2).sum(1)


def test_missing_samples_mask_the_bins_of_their_channel_alone(source):
    stream, whole = lossy(source, 8)  # of bin 0 nothing is left, of bin 1 two samples of five
    assert stream.mask[:, 0].all()
    assert np.flatnonzero(~stream.mask[:, 1]).tolist() == [0, 1]
    assert stream.values[:, 0].tolist() == whole[:, 0].tolist()
    assert stream.values[2:, 1].tolist() == whole[2:, 1].tolist()
    assert not stream.values[:2, 1].any()
    assert stream.exposure is None  # all bins that are used are whole
    stream, _ = lossy(source, 8, min_exposure=0.4)
    np.testing.assert_allclose(stream.exposure[:3, 1], [0, 0.4, 1], rtol=1e-6)


def test_more_missing_samples_than_may_be_are_refused(source):
    """An eighth of the samples of both channels is missing."""
    assert lossy(source, 25, max_missing=0.125)
    with pytest.raises(
        DataError, match=r"12\.5% of the values are missing .* at most 10%.*\n  fix: .*max_missing"
    ):
        lossy(source, 25, max_missing=0.1)


def test_the_channels_that_are_named_are_used(source):
    x = poisson()
    valid = np.ones(x.shape, dtype=bool)
    valid[:50, 1] = False  # refused, were the channel not left out
    named = Spikes.from_plain({"path": "path", "channels": ["a"]})
    stream = named.load(source(counted(x, valid=valid)), GRID)
    assert stream.values[:, 0].tolist() == x[:, 0].reshape(20, 5).sum(1).tolist()
    assert "1 of 2 channels were left out by name" in stream.notes


def test_a_series_without_a_clock_says_what_it_lacks(tmp_path):
    np.save(tmp_path / "counts.npy", poisson())
    with (
        open_source(tmp_path / "counts.npy") as opened,
        pytest.raises(DataError, match=r"fix: .*(rate|interval)"),
    ):
        Spikes.from_plain({"path": "table"}).load(opened, GRID)


def test_counts_above_one_are_refused_where_one_at_most_is_modeled(tmp_path):
    rows = "\n".join(f"{0.1 * k:.1f},{1 + (k == 3)}" for k in range(20))
    (tmp_path / "counts.csv").write_text(f"time,a\n{rows}\n")
    with (
        open_source(tmp_path / "counts.csv") as opened,
        pytest.raises(DataError, match=r"1 of 20 bins hold more[\s\S]*fix: choose observation"),
    ):
        Spikes.from_plain({"path": "table", "observation": "bernoulli"}).load(opened, GRID)
