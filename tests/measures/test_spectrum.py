"""Power spectra and their distance against theory, and in their corners."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodsr.errors import ConfigError, DataError
from neurodsr.measures.spectrum import (
    default_smoothing,
    frequencies,
    power_spectrum,
    power_spectrum_distance,
)

time = np.arange(10_000)


def wave(cycles, *, amplitude=1.0, n=10_000):
    return amplitude * np.sin(2 * np.pi * cycles * np.arange(n) / n)[:, None]


def noise(seed, n=1000, dim=2):
    return np.random.default_rng(seed).standard_normal((n, dim))


def random_walk(seed, n=1000, dim=2):
    return noise(seed, n, dim).cumsum(axis=0)


# Spectrum


def test_a_sine_has_all_its_power_at_its_frequency_within_the_kernel():
    spectrum = power_spectrum(wave(500), smoothing=5.0)[:, 0]
    # The kernel is cut at 4 standard deviations, 20 bins.
    assert spectrum.argmax() == 500
    assert spectrum[480:521].sum() == pytest.approx(1.0, abs=1e-12)


def test_two_sines_share_the_power_as_their_squared_amplitudes():
    # Parseval: power is amplitude squared.
    x = wave(500, amplitude=3.0) + wave(2000, amplitude=1.0)
    spectrum = power_spectrum(x, smoothing=5.0)[:, 0]
    assert spectrum[480:521].sum() == pytest.approx(0.9, abs=1e-12)
    assert spectrum[1980:2021].sum() == pytest.approx(0.1, abs=1e-12)


def test_a_frequency_is_where_the_axis_says_it_is():
    x = np.sin(2 * np.pi * 12.0 * 0.01 * time)[:, None]
    axis = frequencies(10_000, 0.01)
    assert axis[-1] == pytest.approx(50.0)
    assert axis[power_spectrum(x)[:, 0].argmax()] == pytest.approx(12.0, abs=axis[1])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(4, 300), st.floats(0, 30))
def test_every_dimensions_spectrum_sums_to_one(seed, n, smoothing):
    spectrum = power_spectrum(noise(seed, n), smoothing=smoothing)
    assert spectrum.sum(axis=0) == pytest.approx(np.ones(2))
    assert (spectrum >= 0).all()


def test_the_spectrum_of_a_stack_is_the_mean_over_its_segments():
    stack = noise(0, 900).reshape(3, 300, 2)
    mean = np.mean([power_spectrum(segment) for segment in stack], axis=0)
    assert power_spectrum(stack) == pytest.approx(mean)
    assert power_spectrum(list(stack)) == pytest.approx(mean)


def test_smoothing_grows_with_the_length_from_at_least_one_bin():
    assert [default_smoothing(n) for n in (100_000, 20_000, 5_000, 100)] == [20, 4, 1, 1]


# Distance: known answers


def test_a_signal_is_at_distance_zero_from_itself():
    x = random_walk(0)
    assert power_spectrum_distance(x, x) == 0.0


def test_sines_of_different_frequency_are_at_distance_one():
    assert power_spectrum_distance(wave(100), wave(2000)) == pytest.approx(1.0, abs=1e-9)


def test_phase_does_not_matter():
    x = np.sin(2 * np.pi * 500 * time / 10_000 + 1.0)[:, None]
    # Square roots of rounding errors of 1e-16.
    assert power_spectrum_distance(wave(500), x) == pytest.approx(0.0, abs=1e-6)


def test_two_spectra_of_two_lines_have_the_hellinger_distance_of_two_coins():
    x = wave(500, amplitude=3.0) + wave(2000)
    y = wave(500) + wave(2000)
    exact = math.sqrt(1 - (math.sqrt(0.9 * 0.5) + math.sqrt(0.1 * 0.5)))
    assert power_spectrum_distance(x, y) == pytest.approx(exact, abs=1e-9)


def test_the_distance_is_the_mean_over_dimensions():
    x, y = np.hstack((wave(100), wave(500))), np.hstack((wave(2000), wave(500)))
    assert power_spectrum_distance(x, y) == pytest.approx(0.5, abs=1e-9)


# Distance: properties


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(8, 200), st.integers(8, 200))
def test_the_distance_is_symmetric_and_between_zero_and_one(seed, n, m):
    x, y = noise(seed, n), random_walk(seed + 1, m)
    distance = power_spectrum_distance(x, y)
    assert 0 <= distance <= 1
    assert power_spectrum_distance(y, x) == pytest.approx(distance, abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_the_distance_does_not_depend_on_units_or_offsets(scale, shift):
    x, y = noise(1), random_walk(2)
    # The offset costs up to 6 of 16 digits.
    assert power_spectrum_distance(shift + scale * x, shift + scale * y) == pytest.approx(
        power_spectrum_distance(x, y), abs=1e-6
    )


def test_a_longer_signal_is_compared_in_stretches_of_the_shorter():
    x, y = noise(3, 500), noise(4, 1700)
    stack = y[:1500].reshape(3, 500, 2)
    assert power_spectrum_distance(x, y) == power_spectrum_distance(x, stack)


def test_a_short_limit_cycle_is_told_from_the_chaos_it_imitates():
    # Regression: 20 bins whatever the length hid a limit cycle behind its own smoothing.
    rng = np.random.default_rng(0)
    phase = (2 * np.pi * 0.02 * (1 + 0.3 * rng.standard_normal(5000))).cumsum()
    irregular, cycle = np.sin(phase)[:, None], np.sin(2 * np.pi * 0.02 * np.arange(5000))[:, None]
    blind = power_spectrum_distance(irregular, cycle, smoothing=20.0)
    assert power_spectrum_distance(irregular, cycle) > 2 * blind


# Distance: corners


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6, 1e300])
def test_a_constant_generated_signal_is_at_distance_one(value):
    assert power_spectrum_distance(random_walk(5), np.full((1000, 2), value)) == pytest.approx(1.0)


def test_a_fixed_point_that_flickers_in_its_last_digit_is_constant():
    flicker = np.float32(0.7) * (1 + np.finfo(np.float32).eps * (np.arange(1000)[:, None] % 2))
    assert power_spectrum_distance(random_walk(6, dim=1), flicker.astype(np.float32)) == (
        pytest.approx(1.0)
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_diverged_generated_signal_is_at_distance_one(value):
    y = noise(7)
    y[-1, 0] = value
    assert power_spectrum_distance(noise(7), y) == 1.0


def test_a_run_that_is_dead_half_of_the_time_is_half_a_match():
    x = noise(8)
    half_dead = np.vstack((x, np.full_like(x, 0.3)))
    # q = p / 2 and one half on a frequency that the data do not have: H^2 = 1 - sqrt(1/2).
    exact = math.sqrt(1 - math.sqrt(0.5))
    assert power_spectrum_distance(x, half_dead) == pytest.approx(exact, abs=1e-7)


def test_huge_values_do_not_overflow():
    x, y = noise(9), noise(10)
    # Powers of two scale without rounding.
    assert power_spectrum_distance(x * 2.0**600, y) == power_spectrum_distance(x, y)


def test_segments_too_short_for_a_spectrum_are_refused():
    with pytest.raises(DataError, match="leave segments below 4 bins out"):
        power_spectrum([noise(0, 100), noise(1, 3)])


def test_missing_data_are_refused():
    x = noise(0)
    x[3, 0] = np.nan
    with pytest.raises(DataError, match="impute them first"):
        power_spectrum(x)


def test_negative_smoothing_is_refused():
    with pytest.raises(ConfigError, match="use 0 or more, or None"):
        power_spectrum(noise(0), smoothing=-1.0)
