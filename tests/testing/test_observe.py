"""Simulated instruments against the distributions they claim to sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Events
from neurodsr.data.time import TimeGrid
from neurodsr.testing.observe import (
    categorical_view,
    gaussian_view,
    poisson_units,
    sample_categories,
    spike_times,
)

SEEDS = [0, 1, 2, 3]


@pytest.fixture(params=SEEDS)
def generator(request):
    return np.random.default_rng(request.param)


def test_every_unit_fires_at_the_asked_rate_whatever_its_tuning(generator):
    state = generator.normal(size=(100_000, 3))
    counts = poisson_units(
        state,
        n_units=30,
        rate=10.0,
        bin_width=0.02,
        offset_sd=0.0,
        weight_sd=0.4,
        generator=generator,
    )
    error = counts.std(0) / np.sqrt(len(counts))
    assert np.abs((counts.mean(0) - 0.2) / error).max() < 4.5


def test_counts_of_untuned_units_have_equal_mean_and_variance(generator):
    counts = poisson_units(
        np.zeros((50_000, 2)), n_units=20, rate=100.0, bin_width=0.02, generator=generator
    )
    # Relative s.e. of a Poisson variance of mean 2 is sqrt(2 + 1/2) / sqrt(n) = 0.007.
    np.testing.assert_allclose(counts.var(0) / counts.mean(0), 1, atol=0.04)


def test_log_rate_is_linear_in_the_state(generator):
    n = 100_000
    once = np.array([[0.5, -0.5, 0.3]])
    state = np.repeat(np.concatenate([0 * once, once, 2 * once]), n, axis=0)
    counts = poisson_units(state, n_units=20, rate=500.0, bin_width=0.02, generator=generator)
    none, single, double = counts.reshape(3, n, 20).mean(axis=1)
    error = np.sqrt((1 / none + 4 / single + 1 / double) / n)
    assert np.abs(np.log(none * double / single**2) / error).max() < 4.5


def test_log_mean_rates_spread_over_units_as_asked(generator):
    counts = poisson_units(
        np.zeros((2_000, 1)),
        n_units=500,
        rate=5_000.0,
        bin_width=0.02,
        weight_sd=0.0,
        generator=generator,
    )
    spread = np.log(counts.mean(0) / 100.0)
    # s.e. of a sd from 500 units: 0.3 / sqrt(1000) = 0.0095; counting adds nothing visible.
    assert spread.std() == pytest.approx(0.3, abs=0.04)
    assert spread.mean() == pytest.approx(0.0, abs=0.06)


@given(
    counts=st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=1, max_size=40),
    bin_width=st.sampled_from([0.001, 0.01, 0.02, 0.1, 1 / 3]),
    start=st.sampled_from([0.0, 0.29, 1_000.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_counting_the_spike_times_gives_the_counts_back(counts, bin_width, start, seed):
    counts = np.array(counts)
    trains = spike_times(
        counts, bin_width=bin_width, start=start, generator=np.random.default_rng(seed)
    )
    offsets = np.cumsum([0, *(len(t) for t in trains)])
    events = Events(np.concatenate(trains), offsets, Channels(("a", "b", "c")), None)
    grid = TimeGrid(start, bin_width, len(counts))
    np.testing.assert_array_equal(grid.count(events), counts)


def test_spike_times_are_sorted(generator):
    counts = generator.poisson(2.0, (200, 4))
    trains = spike_times(counts, bin_width=0.02, start=5.0, generator=generator)
    assert all((np.diff(train) >= 0).all() for train in trains)


def test_spikes_are_uniform_within_their_bins(generator):
    n = 50_000
    (train,) = spike_times(np.ones((n, 1), int), bin_width=1.0, start=0.0, generator=generator)
    phase = train - np.arange(n)
    assert phase.mean() == pytest.approx(0.5, abs=4.5 / np.sqrt(12 * n))
    # The variance of a squared deviation of a uniform variable is 1/180.
    assert phase.var() == pytest.approx(0.998**2 / 12, abs=4.5 / np.sqrt(180 * n))


def test_a_noiseless_view_is_a_projection_on_directions_of_length_1(generator):
    state = generator.normal(size=(50, 3))
    view = gaussian_view(state, n_dims=4, noise=0.0, generator=generator)
    rows, residual, *_ = np.linalg.lstsq(state, view)
    np.testing.assert_allclose(residual, 0, atol=1e-20)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=0), 1)


def test_noise_of_a_gaussian_view_has_the_asked_sd(generator):
    n = 20_000
    state = generator.normal(size=(n, 3))
    view = gaussian_view(state, n_dims=5, noise=0.3, generator=generator)
    rows = np.linalg.lstsq(state, view)[0]
    sd = (view - state @ rows).std(0)
    np.testing.assert_allclose(sd, 0.3, atol=4.5 * 0.3 / np.sqrt(2 * n))


def test_category_frequencies_are_the_softmax_of_the_logits(generator):
    n, logits = 50_000, np.array([0.3, -1.2, 1.0, -4.0])
    p = np.exp(logits) / np.exp(logits).sum()
    codes = sample_categories(np.tile(logits, (n, 1)), generator=generator)
    error = np.sqrt(p * (1 - p) / n)
    assert np.abs((np.bincount(codes, minlength=4) / n - p) / error).max() < 4.5


def test_log_odds_of_a_categorical_view_are_linear_in_the_state(generator):
    n = 200_000
    once = np.array([[0.3, -0.2, 0.1]])
    state = np.repeat(np.concatenate([0 * once, once, 2 * once]), n, axis=0)
    codes = categorical_view(state, n_levels=3, generator=generator).reshape(3, n)
    counts = np.array([np.bincount(row, minlength=3) for row in codes])
    odds = np.log(counts[:, 1:] / counts[:, :1])
    error = 1 / counts[:, 1:] + 1 / counts[:, :1]
    assert np.abs(odds[0] / np.sqrt(error[0])).max() < 4.5
    assert np.abs((odds[2] - 2 * odds[1]) / np.sqrt(error[2] + 4 * error[1])).max() < 4.5
