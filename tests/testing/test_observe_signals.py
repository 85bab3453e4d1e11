"""Simulated fluorescence, BOLD, events and pose against what theory says of each."""

import numpy as np
import pytest
from scipy import stats

from neurodsr.errors import ConfigError
from neurodsr.testing.observe_signals import (
    bold_view,
    calcium_view,
    deconvolved_events_view,
    student_view,
)
from neurodsr.testing.sensors import indicator_kernel
from neurodsr.testing.tuning import logistic, softplus

SEEDS = [0, 1, 2, 3]
FRAME = 1 / 30


@pytest.fixture(params=SEEDS)
def generator(request):
    return np.random.default_rng(request.param)


def calcium(state, generator, **options):
    defaults = {"n_cells": 5, "decay": 0.4, "rise": 0.05, "bin_width": FRAME, "noise": 0.0}
    return calcium_view(state, generator=generator, **(defaults | options))


def bold(state, generator, **options):
    defaults = {"n_regions": 4, "bin_width": 0.5, "repetition_time": 1.0, "noise": 0.0}
    return bold_view(state, generator=generator, **(defaults | options))


# Calcium


def test_without_spikes_and_noise_fluorescence_is_a_baseline_and_the_convolved_rate(generator):
    state = generator.normal(size=(300, 2))
    view = calcium(state, generator, spiking=False)
    np.testing.assert_allclose(view.activity, view.tuning.mean(state, link=softplus))
    kernel = indicator_kernel(decay=0.4, rise=0.05, bin_width=FRAME)
    whole = range(len(kernel) - 1, 300)
    light = [kernel @ view.activity[t - len(kernel) + 1 : t + 1][::-1] for t in whole]
    baseline = view.values[whole] - np.array(light)
    np.testing.assert_allclose(baseline, baseline[:1].repeat(len(whole), axis=0))
    assert ((baseline > 0.5) & (baseline < 1.5)).all()


def test_a_state_that_does_not_change_gives_constant_fluorescence_from_the_first_bin_on(generator):
    view = calcium(np.full((50, 2), 0.8), generator, spiking=False)
    np.testing.assert_allclose(view.values, view.values[:1].repeat(50, axis=0))


def test_cells_have_the_asked_event_rate(generator):
    view = calcium(generator.normal(size=(30_000, 2)), generator, rate=3.0)
    # Counts of 30,000 bins with a tuning of their own spread by less than 3 % around 0.1.
    np.testing.assert_allclose(view.activity.mean(0) / FRAME, 3.0, rtol=0.1)


def test_the_autocorrelation_of_untuned_fluorescence_decays_with_the_indicator(generator):
    """Shot noise of a kernel: r(s) = (d exp(-s/d) - r exp(-s/r)) / (d - r)."""
    n, decay, rise = 60_000, 0.4, 0.05
    view = calcium(np.zeros((n, 1)), generator, rate=20.0, n_cells=20)
    x = view.values - view.values.mean(0)
    lags = np.array([3, 6, 12, 24])
    found = [(x[lag:] * x[:-lag]).mean() / (x**2).mean() for lag in lags]
    s = lags * FRAME
    expected = (decay * np.exp(-s / decay) - rise * np.exp(-s / rise)) / (decay - rise)
    # 20 cells of n / (2 * 0.4 * 30) independent samples each: s.e. at most 0.005; bins blur by
    # at most (FRAME / rise)^2 / 12 of the rise's share, 0.005.
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_fluorescence_of_events_has_the_mean_and_variance_of_shot_noise(generator):
    """Campbell's theorem: the mean is rate * sum(k), the variance rate * sum(k^2)."""
    state = np.zeros((60_000, 1))
    view = calcium(state, generator, rate=20.0, n_cells=20)
    kernel = indicator_kernel(decay=0.4, rise=0.05, bin_width=FRAME)
    expected = view.tuning.mean(state[:1], link=softplus)[0]
    ratio = view.values.var(0) / (expected * (kernel**2).sum())
    # Each cell gives some 60,000 / 24 independent samples, 20 cells 50,000.
    assert ratio.mean() == pytest.approx(1, abs=4.5 * np.sqrt(2 / 50_000))
    baseline = view.values.mean(0) - expected * kernel.sum()
    error = view.values.std(0) / np.sqrt(2500)
    assert ((baseline > 0.5 - 4.5 * error) & (baseline < 1.5 + 4.5 * error)).all()


def test_saturated_fluorescence_is_half_its_largest_where_the_linear_one_reaches_it(generator):
    seed = generator.integers(2**32)
    state = generator.normal(size=(500, 2))
    linear, bent = (
        calcium(state, np.random.default_rng(seed), rate=20.0, saturation=k).values
        for k in (None, 4.0)
    )
    baseline = calcium(
        np.zeros((500, 2)), np.random.default_rng(seed), rate=1e-9, link=np.exp
    ).values
    x = linear - baseline
    np.testing.assert_allclose(bent - baseline, x / (1 + x / 4.0), atol=1e-6)
    assert (bent - baseline).max() < 4.0


def test_drift_is_slow_and_has_the_asked_sd(generator):
    # One period of 300 s: the variance of a sampled sine of whole periods is exact.
    view = calcium(np.zeros((3000, 1)), generator, bin_width=0.1, spiking=False, drift=0.3)
    np.testing.assert_allclose(view.values.std(0), 0.3, rtol=1e-6)
    steepest = 0.3 * np.sqrt(2) * 2 * np.pi / 300
    assert np.abs(np.diff(view.values, axis=0)).max() <= 0.1 * steepest


def test_noise_on_fluorescence_is_gaussian_of_the_asked_sd(generator):
    view = calcium(np.zeros((20_000, 1)), generator, noise=0.2)
    noise = view.values - view.noiseless
    np.testing.assert_allclose(noise.std(0), 0.2, atol=4.5 * 0.2 / np.sqrt(40_000))
    assert stats.kstest(noise[:, 0] / 0.2, "norm").pvalue > 1e-4


def test_noise_with_tails_is_students_t(generator):
    view = calcium(np.zeros((20_000, 1)), generator, noise=0.2, tails=4.0)
    noise = view.values - view.noiseless
    assert stats.kstest(noise[:, 0] / 0.2, "t", args=(4.0,)).pvalue > 1e-4


# BOLD


def test_volumes_lie_in_the_bins_of_their_middles_and_nothing_elsewhere(generator):
    view = bold(generator.normal(size=(12, 3)), generator, bin_width=0.5, repetition_time=2.0)
    # Middles at 1, 3 and 5 s open bins 2, 6 and 10.
    assert np.flatnonzero(view.mask.all(1)).tolist() == [2, 6, 10]
    assert view.mask.any(1).sum() == 3
    assert not view.values[~view.mask].any()


@pytest.mark.parametrize(("bin_width", "repetition_time"), [(1.0, 1.0), (0.1, 0.1), (0.7, 0.7)])
def test_with_bins_as_long_as_the_tr_every_bin_holds_a_volume(
    generator, bin_width, repetition_time
):
    view = bold(
        generator.normal(size=(500, 2)),
        generator,
        bin_width=bin_width,
        repetition_time=repetition_time,
    )
    assert view.mask.all()


def test_volumes_keep_their_mean_distance_where_the_tr_is_no_multiple_of_a_bin(generator):
    view = bold(generator.normal(size=(1000, 2)), generator, bin_width=0.5, repetition_time=0.72)
    assert view.mask[:, 0].sum() == round(500 / 0.72)


def test_a_constant_state_gives_the_same_constant_projected(generator):
    state = np.tile([0.5, -1.0], (100, 1))
    view = bold(state, generator)
    np.testing.assert_allclose(view.noiseless, state @ view.weights.T)


def test_a_short_burst_gives_the_double_gamma_of_its_regions(generator):
    state = np.zeros((80, 2))
    state[10] = 1.0, -0.5
    view = bold(state, generator)
    edges = 0.5 * (np.arange(65) - 0.5)
    h = np.diff(stats.gamma.cdf(edges, 6)) - np.diff(stats.gamma.cdf(edges, 16)) / 6
    expected = np.outer(h / h.sum(), view.weights @ [1.0, -0.5])
    np.testing.assert_allclose(view.noiseless[10:74], expected, atol=1e-6)
    assert not view.noiseless[:10].any()


def test_residuals_of_bold_have_the_asked_sd_and_ar1_coefficient(generator):
    n, phi = 20_000, 0.4
    view = bold(np.zeros((2 * n, 1)), generator, noise=0.3, noise_correlation=phi)
    residual = (view.values - view.noiseless)[view.mask[:, 0]]
    assert len(residual) == n
    coefficient = (residual[1:] * residual[:-1]).sum(0) / (residual[:-1] ** 2).sum(0)
    # s.e. of an AR(1) coefficient: sqrt((1 - phi^2) / n).
    assert np.abs(coefficient - phi).max() < 4.5 * np.sqrt((1 - phi**2) / n)
    independent = n * (1 - phi**2) / (1 + phi**2)
    np.testing.assert_allclose(residual.var(0), 0.09, rtol=4.5 * np.sqrt(2 / independent))


def test_nuisance_regressors_add_their_weighted_sum(generator):
    seed, motion = generator.integers(2**32), generator.normal(size=(60, 3))
    state = generator.normal(size=(60, 2))
    still = bold(state, np.random.default_rng(seed))
    moved = bold(state, np.random.default_rng(seed), nuisance=motion)
    assert still.nuisance_weights.shape == (4, 0)
    np.testing.assert_allclose(
        moved.noiseless - still.noiseless, motion @ moved.nuisance_weights.T, atol=1e-12
    )


def test_a_tr_shorter_than_a_bin_is_refused_with_the_longest_bin(generator):
    with pytest.raises(ConfigError, match=r"use a bin_width of at most 0\.4 s"):
        bold(np.zeros((10, 1)), generator, repetition_time=0.4)


# Events and pose


def test_events_occur_with_logistic_odds(generator):
    n = 50_000
    view = deconvolved_events_view(np.zeros((n, 2)), n_cells=6, generator=generator)
    chance = logistic(view.odds.offsets)
    error = np.sqrt(chance * (1 - chance) / n)
    assert np.abs(((view.values > 0).mean(0) - chance) / error).max() < 4.5


def test_sizes_of_events_are_gamma_distributed_with_log_linear_mean(generator):
    state = np.full((50_000, 2), 0.7)
    view = deconvolved_events_view(state, n_cells=3, shape=3.0, generator=generator)
    for column, mean in zip(view.values.T, view.size.mean(state[:1])[0], strict=True):
        scale = mean / 3.0
        assert stats.kstest(column[column > 0], "gamma", args=(3.0, 0, scale)).pvalue > 1e-4


def test_a_student_view_is_a_projection_with_heavy_tailed_noise(generator):
    state = generator.normal(size=(20_000, 3))
    view = student_view(state, n_dims=2, noise=0.1, tails=3.0, generator=generator)
    np.testing.assert_allclose(np.linalg.norm(view.weights, axis=1), 1)
    residual = (view.values - state @ view.weights.T) / 0.1
    assert stats.kstest(residual[:, 0], "t", args=(3.0,)).pvalue > 1e-4


# All of them

VIEWS = {
    "calcium": lambda z, g: calcium(z, g, noise=0.1, drift=0.2, saturation=5.0),
    "bold": lambda z, g: bold(z, g, noise=0.1, noise_correlation=0.4),
    "events": lambda z, g: deconvolved_events_view(z, n_cells=3, generator=g),
    "student": lambda z, g: student_view(z, n_dims=2, noise=0.1, tails=3.0, generator=g),
}


@pytest.mark.parametrize("name", VIEWS)
def test_the_same_generator_gives_the_same_values_and_another_gives_others(name):
    state = np.random.default_rng(0).normal(size=(100, 2))
    first, again, other = (VIEWS[name](state, np.random.default_rng(k)).values for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", VIEWS)
def test_a_longer_simulation_begins_with_the_shorter_one(name):
    state = np.random.default_rng(0).normal(size=(400, 2))
    long, short = (VIEWS[name](state[:n], np.random.default_rng(1)) for n in (400, 150))
    # Matrix products of other lengths may be rounded otherwise.
    np.testing.assert_allclose(short.values, long.values[:150], rtol=1e-9, atol=1e-9)
    assert short.values.shape[0] == 150
