"""Band power: what a sine, noise and an offset give in theory, and what a window may not miss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.data.band_power import band_power
from neurodsr.data.channels import Channels
from neurodsr.data.lazy import LazyArray, RegularTimes, Stored
from neurodsr.data.streams import Series
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError

RATE = 1000.0
GRID = TimeGrid(0.0, 0.1, 40)
BAND, WINDOW = (20.0, 60.0), 0.25


def series_of(values, *, times=None, valid=None):
    values = np.asarray(values, dtype=float)
    values = values.reshape(len(values), -1)
    times = RegularTimes.at_rate(0.0, RATE, len(values)) if times is None else times
    valid = np.ones(values.shape, dtype=bool) if valid is None else valid
    return Series(values, valid, times, Channels(tuple(map(str, range(values.shape[1])))), "V")


def power_of(series, *, band=BAND, window=WINDOW, grid=GRID):
    values, mask = band_power(series, grid, band=band, window=window)
    return np.asarray(values), np.asarray(mask)


def seconds(n=4000):
    return np.arange(n) / RATE


def sine(frequency, *, amplitude=1.0, phase=0.0, n=4000):
    return amplitude * np.sin(2 * np.pi * frequency * seconds(n) + phase)


# ---- known answers


@given(
    st.floats(BAND[0] + 2 / WINDOW, BAND[1] - 2 / WINDOW), st.floats(0, 6.3), st.floats(1e-6, 1e4)
)
def test_a_sine_in_the_band_has_half_its_squared_amplitude(frequency, phase, amplitude):
    values, mask = power_of(series_of(sine(frequency, amplitude=amplitude, phase=phase)))
    # The taper's spectrum beyond two of its widths holds less than 0.1 % of its power; that of
    # the mirrored sine at -frequency, farther away, adds less than that.
    np.testing.assert_allclose(values[mask], amplitude**2 / 2, rtol=2e-3)


@given(st.sampled_from([1.0, 5.0, 8.0, 72.0, 100.0, 300.0, 499.0]), st.floats(0, 6.3))
def test_a_sine_outside_the_band_leaves_less_than_a_thousandth(frequency, phase):
    values, mask = power_of(series_of(sine(frequency, phase=phase)))
    assert values[mask].max() < 1e-3 / 2


@pytest.mark.parametrize("band", [(20.0, 60.0), (30.0, 41.3), (100.0, 500.0)])
def test_white_noise_has_the_power_of_its_share_of_the_spectrum(band):
    noise = np.random.default_rng(0).normal(scale=3.0, size=(4000, 200))
    values, mask = power_of(series_of(noise), band=band, window=0.25)
    share = (band[1] - band[0]) / (RATE / 2)
    # 200 channels, 16 windows of 0.25 s that do not overlap, at least 2.75 degrees of freedom:
    # a standard error of at most sqrt(1 / (200 * 16 * 2.75)), about 1 %; three of them.
    assert values[mask].mean() == pytest.approx(9 * share, rel=0.03)


def test_power_is_that_of_the_integral_of_the_periodogram():
    x = np.random.default_rng(1).normal(size=250)
    values, _ = power_of(series_of(x), grid=TimeGrid(0.075, 0.1, 1), window=0.25)
    w = np.hanning(2 * 250 + 1)[1::2]  # the Hann taper at the middle of each sample
    f = np.linspace(*BAND, 4001)
    waves = np.exp(-2j * np.pi * np.outer(f, np.arange(250)) / RATE)
    periodogram = 2 * np.abs(waves @ (w * (x - np.average(x, weights=w)))) ** 2
    expected = np.trapezoid(periodogram, f) / (RATE * (w**2).sum())
    # The sum over the middles of ten parts is that integral but for what the band's edges cut
    # off; noise has power at them.
    assert values[0, 0] == pytest.approx(expected, rel=0.1)


@given(st.floats(-1e6, 1e6))
def test_an_offset_does_not_leak_into_the_band(offset):
    plain, _ = power_of(series_of(sine(40.0)))
    moved, _ = power_of(series_of(sine(40.0) + offset))
    np.testing.assert_allclose(moved, plain, rtol=1e-5)


def test_stored_integers_give_the_power_of_their_physical_values():
    raw = np.random.default_rng(2).integers(-2000, 2000, size=(4000, 3)).astype(">i2")
    gain, offset = np.array([1e-6, 2e-6, 5e-6]), 0.01
    values = raw * gain + offset
    lazy = LazyArray(
        values.__getitem__,
        shape=values.shape,
        dtype=float,
        stored=Stored(lambda a, b: raw[a:b], gain, offset),
    )
    found, mask = power_of(series_of(values)._replace(values=lazy))
    expected, _ = power_of(series_of(values))
    assert mask[2:-2].all()
    # Both are sums of 250 products in float32.
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("band", "bin_width", "expected"),
    [
        ((20.0, 60.0), 0.25, 0.25),  # a bin
        ((20.0, 60.0), 0.01, 0.1),  # four divided by the width
        ((2.0, 42.0), 0.01, 0.5),  # a period of the lowest frequency
    ],
)
def test_the_window_is_a_bin_or_what_the_band_needs(band, bin_width, expected):
    grid = TimeGrid(0.0, bin_width, int(4 / bin_width))
    found = power_of(series_of(sine(40.0)), band=band, window=None, grid=grid)
    given = power_of(series_of(sine(40.0)), band=band, window=expected, grid=grid)
    np.testing.assert_array_equal(found[0], given[0])
    np.testing.assert_array_equal(found[1], given[1])
    assert found[0].dtype == np.float32


def test_a_sine_amid_the_band_keeps_its_power_in_the_default_window():
    values, mask = power_of(series_of(sine(40.0)), window=None, grid=TimeGrid(0.0, 0.01, 400))
    np.testing.assert_allclose(values[mask], 0.5, rtol=0.01)


@pytest.mark.parametrize("n_samples", [100, 137, 4000])
def test_each_sample_is_read_once_where_windows_are_no_longer_than_bins(n_samples, monkeypatch):
    monkeypatch.setattr("neurodsr.data.band_power.BLOCK_BYTES", 4 * n_samples)
    x, read = series_of(sine(40.0)), []

    def load(key):
        read.append((key.start, key.stop))
        return x.values[key]

    lazy = x._replace(values=LazyArray(load, shape=x.values.shape, dtype=float))
    values, _ = band_power(lazy, GRID, band=BAND, window=0.1)
    read.clear()
    assert np.asarray(values).all()
    assert sum(b - a for a, b in read) == 4000
    assert max(b - a for a, b in read) <= n_samples


# ---- what is masked


def test_windows_that_leave_the_series_are_masked_and_zero():
    values, mask = power_of(series_of(sine(40.0)), grid=TimeGrid(-0.5, 0.1, 50))
    centers = -0.5 + 0.1 * (np.arange(50) + 0.5)
    whole = (centers >= WINDOW / 2) & (centers <= 4.0 - WINDOW / 2)
    np.testing.assert_array_equal(mask[:, 0], whole)
    assert not values[~mask].any()


def test_a_lost_sample_masks_its_channel_in_the_windows_that_hold_it():
    x = np.stack([sine(40.0), sine(40.0)], axis=1)
    valid = np.ones(x.shape, dtype=bool)
    valid[2000, 1] = False
    x[2000, 1] = np.nan
    values, mask = power_of(series_of(x, valid=valid))
    hit = np.abs(GRID.centers - 2.0) < WINDOW / 2
    np.testing.assert_array_equal(mask[:, 0] & ~mask[:, 1], hit)
    assert np.isfinite(values).all()
    assert not values[~mask].any()


def test_a_window_across_a_gap_is_masked():
    kept = np.r_[0:1500, 2500:4000]
    series = series_of(sine(40.0)[kept], times=seconds()[kept])
    values, mask = power_of(series)
    inside = (GRID.centers > 1.5 - WINDOW / 2) & (GRID.centers < 2.5 + WINDOW / 2)
    ends = (GRID.centers < WINDOW / 2) | (GRID.centers > 4 - WINDOW / 2)
    np.testing.assert_array_equal(mask[:, 0], ~inside & ~ends)
    np.testing.assert_allclose(values[mask], 0.5, rtol=1e-3)


def test_timestamps_of_a_regular_clock_give_what_its_rate_gives():
    by_rate = power_of(series_of(sine(40.0)))
    by_times = power_of(series_of(sine(40.0), times=seconds()))
    np.testing.assert_array_equal(by_rate[1], by_times[1])
    np.testing.assert_allclose(by_rate[0], by_times[0], rtol=1e-5)


def test_a_series_shorter_than_the_window_is_masked_throughout():
    assert not power_of(series_of(np.ones(100)))[1].any()


# ---- blocks


@given(st.integers(0, 39), st.integers(1, 40), st.booleans())
def test_any_part_of_the_grid_gives_the_bits_of_the_whole(first, n, lost):
    x = np.random.default_rng(3).normal(size=(4000, 3)) + 100
    valid = np.random.default_rng(4).random(x.shape) > 1e-3 * lost
    last = min(first + n, GRID.n_bins)
    whole = power_of(series_of(x, valid=valid))
    part = power_of(series_of(x, valid=valid), grid=GRID.part(first, last))
    np.testing.assert_array_equal(part[0], whole[0][first:last])
    np.testing.assert_array_equal(part[1], whole[1][first:last])


def test_small_blocks_give_the_bits_of_one_large_block(monkeypatch):
    x = np.random.default_rng(5).normal(size=(4000, 3))
    whole = power_of(series_of(x))
    monkeypatch.setattr("neurodsr.data.band_power.BLOCK_BYTES", 4 * 3 * 300)
    np.testing.assert_array_equal(power_of(series_of(x))[0], whole[0])


def test_nothing_is_read_before_it_is_sliced_and_then_only_what_the_slice_needs():
    x, read = series_of(sine(40.0)), []

    def load(key):
        read.append(key)
        return x.values[key]

    lazy = x._replace(values=LazyArray(load, shape=x.values.shape, dtype=float))
    values, mask = band_power(lazy, GRID, band=BAND, window=WINDOW)
    assert all(key.stop == 1 for key in read)
    read.clear()
    np.testing.assert_array_equal(values[10:12], power_of(x)[0][10:12])
    assert mask[10:12].all()
    assert [(key.start, key.stop) for key in read] == [(925, 1275)]


# ---- refusals


def test_an_irregular_clock_is_refused():
    times = seconds() + 2e-4 * np.sin(np.arange(4000))
    with pytest.raises(DataError, match=r"a regular clock.*apart\n  fix: write .* with its rate"):
        power_of(series_of(sine(40.0), times=times))


@pytest.mark.parametrize("band", [(20.0, 501.0), (0.0, 20.0), (30.0, 30.0), (40.0, 20.0)])
@pytest.mark.parametrize("window", [None, WINDOW])
def test_a_band_beyond_half_the_rate_or_without_width_is_refused(band, window):
    with pytest.raises(DataError, match=r"1000 samples per s\n  fix: .*of at most 500 Hz"):
        power_of(series_of(sine(40.0)), band=band, window=window)


@pytest.mark.parametrize(("jitter", "refused"), [(0.9e-3, False), (1.1e-3, True)])
def test_steps_may_differ_from_their_median_by_a_thousandth(jitter, refused):
    steps = np.full(3999, 1 / RATE)
    steps[1::4] *= 1 + jitter
    steps[3::4] *= 1 - jitter
    series = series_of(sine(40.0), times=np.concatenate([[0.0], np.cumsum(steps)]))
    if refused:
        with pytest.raises(DataError, match=r"needs a regular clock.*\n  fix: write"):
            power_of(series)
    else:
        assert power_of(series)[1].any()


@pytest.mark.parametrize("window", [0.04, -1.0, np.nan, np.inf])
def test_a_window_too_short_for_the_band_is_refused(window):
    with pytest.raises(
        DataError, match=r"cannot hold apart what lies from 20 to 60 Hz\n  fix: .*at least 0\.05 s"
    ):
        power_of(series_of(sine(40.0)), window=window)


def test_a_recording_that_is_later_by_whole_bins_has_the_same_power():
    """Its samples lie half an interval from the bins' centers: rounding must not move windows."""
    x = np.random.default_rng(0).normal(size=4000)
    times = 0.5 / RATE + seconds()
    power, mask = power_of(series_of(x, times=times))
    for n_bins in (1, 7, 128, 1001):
        by = round(0.1 * n_bins, 9)
        later = series_of(x, times=np.round(times + by, 9))
        power_later, mask_later = power_of(later, grid=TimeGrid(by, 0.1, 40))
        np.testing.assert_array_equal(mask_later, mask)
        # The sample interval is a median of rounded differences; powers are float32 sums.
        np.testing.assert_allclose(power_later, power, rtol=1e-4)
