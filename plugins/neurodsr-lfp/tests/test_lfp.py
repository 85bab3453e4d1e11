"""What `lfp` does with numbers, what bad input gets, and what is asked of every kind."""

import numpy as np
import pytest
from neurodsr.data.channels import Channels
from neurodsr.data.lazy import LazyArray
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.testing.checks import parametrize_with_checks
from neurodsr.testing.fake_source import FakeSource, sampled
from pydantic import ValidationError

from neurodsr_lfp.power import LfpPower

RATE = 500.0
GRID = TimeGrid(1.0, 0.25, 32)
TIMES = np.arange(0, 10, 1 / RATE)


def wave(frequency, amplitude):
    return amplitude * np.sin(2 * np.pi * frequency * TIMES)


def electrodes(*waves):
    return sampled(np.stack(waves, axis=1), rate=RATE, unit="V")


def load(series, *, grid=GRID, **fields):
    return LfpPower(path="lfp", **fields).load(FakeSource({"lfp": series}), grid)


@pytest.fixture
def noise():
    """Two electrodes of white noise, 1e-4 V, in CA1 and in VISp."""
    x = 1e-4 * np.random.default_rng(0).normal(size=(len(TIMES), 2))
    series = sampled(x, rate=RATE, unit="V", ids=("e0", "e1"))
    return series._replace(channels=Channels(("e0", "e1"), regions=("CA1", "VISp")))


@parametrize_with_checks(
    [
        LfpPower,
        LfpPower(path="lfp", scale="linear"),
        LfpPower(path="lfp", bands=((15.0, 30.0),), window=0.3),
    ]
)
def test_it_keeps_the_contract(check):
    check()


# What a number is


@pytest.mark.parametrize(("frequency", "channel"), [(6.0, 0), (55.0, 1)])
def test_a_sine_has_half_its_squared_amplitude_in_its_band(frequency, channel):
    stream = load(electrodes(wave(frequency, 1e-3)))
    # The taper's side lobes, -31 dB and less, leave 0.1 % of a power beyond the band.
    np.testing.assert_allclose(stream.values[:, channel], 10 * np.log10(1e-6 / 2), atol=0.01)
    assert stream.mask[:, channel].all()
    assert stream.unit == "dB re V^2"


def test_twice_the_amplitude_is_six_decibels_more():
    stream = load(electrodes(wave(6, 1e-3), wave(6, 2e-3)))
    louder = stream.values[:, 1] - stream.values[:, 0]
    # Powers are float32 sums, of seven digits.
    np.testing.assert_allclose(louder, 20 * np.log10(2), atol=1e-4)


def test_the_linear_scale_is_the_power_itself(noise):
    log, linear = load(noise), load(noise, scale="linear")
    np.testing.assert_allclose(linear.values, 10 ** (log.values / 10), rtol=1e-5)
    assert linear.unit == "V^2"


@pytest.mark.parametrize(("scale", "unit"), [("log", "dB"), ("linear", "")])
def test_a_signal_without_a_unit_has_none_to_refer_to(noise, scale, unit):
    assert load(noise._replace(unit=""), scale=scale).unit == unit


def test_white_noise_has_as_much_power_as_its_band_takes_of_the_spectrum(noise):
    power = load(noise, scale="linear", bands=((30.0, 80.0),)).values
    expected = 1e-8 * 50 / (RATE / 2)
    # 64 nearly independent estimates, each of some ten squares: a standard error of 6 %.
    np.testing.assert_allclose(power.mean(), expected, rtol=0.25)


def test_channels_are_electrodes_in_bands_where_the_electrodes_lie(noise):
    channels = load(noise, bands=((4.0, 8.0), (0.5, 2.5))).channels
    assert channels.ids == ("e0/4-8 Hz", "e1/4-8 Hz", "e0/0.5-2.5 Hz", "e1/0.5-2.5 Hz")
    assert channels.regions == ("CA1", "VISp", "CA1", "VISp")


def test_electrodes_are_chosen_by_region_and_by_id(noise):
    by_region, by_id = load(noise, where={"region": "VISp"}), load(noise, channels=("e1",))
    assert by_region.channels.ids == by_id.channels.ids == ("e1/4-8 Hz", "e1/30-80 Hz")
    np.testing.assert_array_equal(by_region.values, by_id.values)


def test_a_large_signal_stays_in_its_file_and_gives_the_same(noise):
    def read(key):
        read_rows.append(len(range(*key.indices(len(TIMES)))))
        return noise.values[key]

    read_rows = []
    lazy = LazyArray(read, shape=noise.values.shape, dtype=np.float64)
    stream, eager = load(noise._replace(values=lazy)), load(noise)
    assert isinstance(stream.values, LazyArray)
    assert sum(read_rows) <= 2  # the first sample of each band, its reference
    np.testing.assert_array_equal(stream.values[4:9], eager.values[4:9])
    np.testing.assert_array_equal(stream.mask[4:9], eager.mask[4:9])
    assert stream.notes == ("a power below 1e-16 in a bin is masked",)


# What bad input gets


def test_a_flat_stretch_is_masked_and_counted(noise):
    noise.values[TIMES >= 5] = 2e-4
    stream = load(noise, bands=((30.0, 80.0),))
    # Windows of 0.25 s around the bins, which begin at 5 s.
    assert (~stream.mask[:, 0]).sum() == 16
    assert (stream.values[~stream.mask] == 0).all()
    assert stream.notes == ("32 of 64 powers are below 1e-16, and were masked",)


def test_a_signal_without_power_is_refused(noise):
    noise.values[:] = 0
    with pytest.raises(DataError, match=r"the largest is 0\n  fix: set floor below the power"):
        load(noise)


def test_a_window_with_a_lost_sample_is_masked_in_its_channel_only(noise):
    noise.valid[TIMES.searchsorted(5.1), 0] = False
    stream = load(noise, bands=((30.0, 80.0),))
    assert (~stream.mask).sum(axis=0).tolist() == [1, 0]


def test_a_signal_of_which_too_much_is_missing_is_refused(noise):
    noise.valid[TIMES > 5] = False
    with pytest.raises(DataError, match=r"\n  fix: leave the stream .* or raise max_missing"):
        load(noise)


def test_an_irregular_clock_is_refused_with_its_place(noise):
    jitter = np.random.default_rng(0).uniform(0, 0.5 / RATE, len(TIMES))
    with pytest.raises(DataError, match=r"example.nwb:/lfp: .*regular clock.*\n  fix: write the"):
        load(noise._replace(times=TIMES + jitter))


def test_a_band_beyond_half_the_sampling_rate_is_refused(noise):
    with pytest.raises(DataError, match=r"200 to 300 Hz.*\n  fix: .* highest of at most 250 Hz"):
        load(noise, bands=((200.0, 300.0),))


def test_a_window_that_cannot_hold_a_band_apart_is_refused(noise):
    with pytest.raises(DataError, match=r"\n  fix: choose a window of at least 0.5 s"):
        load(noise, window=0.3)


@pytest.mark.parametrize("start", [100.0, -50.0])
def test_a_grid_outside_of_the_recording_is_refused(noise, start):
    with pytest.raises(DataError, match=r"nothing is observed.*\n  fix: check grid.start"):
        load(noise, grid=TimeGrid(start, 0.25, 32))


@pytest.mark.parametrize(
    ("bands", "said"),
    [
        (((8.0, 4.0),), r"8 to 4 is no band: write \[lowest, highest\] in Hz"),
        (((0.0, 4.0),), "0 to 4 is no band"),
        (((4.0, 8.0), (4.0, 8.0)), "a band comes twice: 4-8 Hz, 4-8 Hz"),
        ((), "at least 1 item"),
    ],
)
def test_bands_that_are_none_are_refused_in_the_configuration(bands, said):
    with pytest.raises(ValidationError, match=said):
        LfpPower(path="lfp", bands=bands)
