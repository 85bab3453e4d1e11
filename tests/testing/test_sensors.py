"""Responses, convolution and noise of simulated sensors against their formulas."""

import numpy as np
import pytest
from scipy import stats

from neurodsr.errors import ConfigError
from neurodsr.modalities.filters.hemodynamic import hrf_kernel
from neurodsr.testing.sensors import (
    canonical_response,
    convolve,
    correlated_noise,
    directions,
    indicator_kernel,
    steady_start,
    unit_noise,
)


@pytest.fixture(params=[0, 1, 2, 3])
def generator(request):
    return np.random.default_rng(request.param)


@pytest.mark.parametrize(("decay", "rise"), [(0.4, 0.05), (1.5, 0.18), (0.1, 0.09)])
def test_an_indicators_response_peaks_at_1(decay, rise):
    # Bins of a thousandth of the rise: the peak is missed by less than 1e-6 of it.
    kernel = indicator_kernel(decay=decay, rise=rise, bin_width=rise / 1000)
    assert kernel.max() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("bin_width", [0.01, 1 / 30, 0.2])
def test_the_area_under_an_indicators_response_does_not_depend_on_the_bins(bin_width):
    decay, rise = 0.4, 0.05
    peak_age = decay * rise / (decay - rise) * np.log(decay / rise)
    area = (decay - rise) / (np.exp(-peak_age / decay) - np.exp(-peak_age / rise))
    kernel = indicator_kernel(decay=decay, rise=rise, bin_width=bin_width)
    # Midpoints 0.002 s apart at most: (0.002 / rise)^2 / 24 is below 1e-4; the cut is 3e-7.
    assert kernel.sum() * bin_width == pytest.approx(area, rel=1e-4)


def test_an_indicators_response_falls_with_its_decay_once_the_rise_is_over():
    kernel = indicator_kernel(decay=0.4, rise=0.02, bin_width=0.05)
    # After 0.5 s the rise has left exp(-25) of itself.
    np.testing.assert_allclose(kernel[11:60] / kernel[10:59], np.exp(-0.05 / 0.4), rtol=1e-8)


@pytest.mark.parametrize(("decay", "rise"), [(0.1, 0.1), (0.1, 0.4), (0.4, 0.0)])
def test_a_rise_that_is_none_is_refused(decay, rise):
    with pytest.raises(ConfigError, match="choose 0 < rise < decay"):
        indicator_kernel(decay=decay, rise=rise, bin_width=0.01)


@pytest.mark.parametrize("bin_width", [0.1, 0.5, 1.0, 2.0])
def test_the_canonical_response_is_a_difference_of_two_gamma_distributions(bin_width):
    edges = bin_width * (np.arange(round(32 / bin_width) + 1) - 0.5)
    areas = np.diff(stats.gamma.cdf(edges, 6)) - np.diff(stats.gamma.cdf(edges, 16)) / 6
    # Midpoints 0.02 s apart at most of a curve that bends over seconds.
    np.testing.assert_allclose(canonical_response(bin_width), areas / areas.sum(), atol=1e-5)


@pytest.mark.parametrize("bin_width", [0.1, 0.5, 1.0, 2.0, 3.0])
def test_the_canonical_response_is_the_one_that_decoders_assume(bin_width):
    # Midpoints here, Gauss-Legendre in float32 there.
    kernel = hrf_kernel(bin_width).numpy()
    np.testing.assert_allclose(canonical_response(bin_width), kernel, atol=1e-5)


def test_the_canonical_response_peaks_at_5_s_and_undershoots_around_16_s():
    h = canonical_response(0.01)
    # The mode of the first gamma density is 5 s; the second one shifts it by a hundredth.
    assert 0.01 * h.argmax() == pytest.approx(5.0, abs=0.03)
    assert 0.01 * h.argmin() == pytest.approx(15.7, abs=0.2)
    assert h.sum() == pytest.approx(1)


def test_a_convolution_weighs_the_present_first_and_then_the_past():
    x = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0], [5.0, 0.0]])
    np.testing.assert_allclose(
        convolve(x, np.array([3.0, 1.0])), [[1.0, 6.0], [0.0, 2.0], [15.0, 0.0]]
    )


def test_after_a_steady_start_a_constant_stays_that_constant():
    x = np.full((5, 2), 0.7)
    h = canonical_response(0.5)
    np.testing.assert_allclose(convolve(steady_start(x, len(h)), h), x)


def test_directions_have_length_1(generator):
    rows = directions(7, 4, generator=generator)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1)


def test_gaussian_noise_has_sd_1(generator):
    noise = unit_noise((20_000, 2), tails=None, generator=generator)
    np.testing.assert_allclose(noise.std(0), 1, atol=4.5 / np.sqrt(40_000))


def test_heavy_tailed_noise_has_the_quantiles_of_students_t(generator):
    noise = unit_noise((20_000, 1), tails=3.0, generator=generator)
    for quantile in (0.01, 0.25, 0.75, 0.99):
        below = (noise < stats.t.ppf(quantile, 3)).mean()
        error = np.sqrt(quantile * (1 - quantile) / 20_000)
        assert below == pytest.approx(quantile, abs=4.5 * error)


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.4, 0.9])
def test_correlated_noise_has_sd_1_and_its_correlation_falls_as_powers(generator, correlation):
    n = 50_000
    noise = correlated_noise((n, 3), correlation=correlation, generator=generator)
    # Correlated samples count as n (1 - r) / (1 + r) of them, squares as with r^2.
    independent = n * (1 - correlation**2) / (1 + correlation**2)
    assert np.abs(noise.var(0) - 1).max() < 4.5 * np.sqrt(2 / independent)
    for lag in (1, 2, 3):
        covariance = (noise[lag:] * noise[:-lag]).mean(0)
        assert np.abs(covariance - correlation**lag).max() < 4.5 * np.sqrt(2 / independent)


def test_correlated_noise_is_stationary_from_its_first_row_on(generator):
    noise = correlated_noise((3, 20_000), correlation=0.9, generator=generator)
    np.testing.assert_allclose(noise.var(1), 1, atol=4.5 * np.sqrt(2 / 20_000))


def test_noise_that_never_settles_is_refused(generator):
    with pytest.raises(ConfigError, match="choose a noise_correlation between -1 and 1"):
        correlated_noise((5, 1), correlation=1.0, generator=generator)
