"""Simulated counts against the moments and frequencies of the distributions they claim."""

import numpy as np
import pytest
from scipy import stats

from neurodsr.errors import ConfigError, NumericalError
from neurodsr.testing.observe_counts import (
    bernoulli_spikes,
    history_counts,
    negative_binomial_counts,
    poisson_counts,
    zero_inflated_counts,
)
from neurodsr.testing.tuning import draw_tuning, softplus

N = 50_000
MEANS = np.tile([0.3, 1.0, 4.0], (N, 1))


@pytest.fixture(params=[0, 1, 2, 3])
def generator(request):
    return np.random.default_rng(request.param)


def frequency_errors(column, probabilities):
    """Deviation of the frequencies of counts 0, 1, ... in standard errors."""
    p = np.asarray(probabilities)
    found = np.bincount(column, minlength=len(p))[: len(p)] / len(column)
    return np.abs(found - p) / np.sqrt(p * (1 - p) / len(column))


def test_poisson_counts_have_poisson_frequencies(generator):
    counts = poisson_counts(MEANS, generator=generator)
    for column, mean in zip(counts.T, MEANS[0], strict=True):
        assert frequency_errors(column, stats.poisson.pmf(range(4), mean)).max() < 4.5


@pytest.mark.parametrize("dispersion", [0.2, 1.0, 3.0])
def test_negative_binomial_counts_have_the_frequencies_of_mean_and_dispersion(
    generator, dispersion
):
    counts = negative_binomial_counts(MEANS, dispersion=dispersion, generator=generator)
    for column, mean in zip(counts.T, MEANS[0], strict=True):
        r = 1 / dispersion
        expected = stats.nbinom.pmf(range(4), r, r / (r + mean))
        assert frequency_errors(column, expected).max() < 4.5


def test_the_variance_of_negative_binomial_counts_is_mean_plus_dispersion_times_mean_squared(
    generator,
):
    dispersion = np.array([0.1, 0.5, 2.0])
    counts = negative_binomial_counts(MEANS, dispersion=dispersion, generator=generator)
    squares = (counts - MEANS) ** 2
    error = squares.std(0) / np.sqrt(N)
    expected = MEANS[0] + dispersion * MEANS[0] ** 2
    assert np.abs((squares.mean(0) - expected) / error).max() < 4.5


def test_zero_inflated_counts_have_poisson_zeros_and_silent_ones(generator):
    counts = zero_inflated_counts(MEANS, silent=0.4, generator=generator)
    for column, mean in zip(counts.T, MEANS[0], strict=True):
        expected = 0.6 * stats.poisson.pmf(range(4), mean) + 0.4 * np.eye(4)[0]
        assert frequency_errors(column, expected).max() < 4.5


def test_a_bernoulli_spike_is_as_probable_as_a_poisson_count_above_0(generator):
    spikes = bernoulli_spikes(MEANS, generator=generator)
    assert set(np.unique(spikes)) == {0, 1}
    chance = stats.poisson.sf(0, MEANS[0])
    error = np.sqrt(chance * (1 - chance) / N)
    assert np.abs((spikes.mean(0) - chance) / error).max() < 4.5


@pytest.mark.parametrize("link", [np.exp, softplus])
def test_the_expected_count_follows_the_count_of_the_bin_before_through_the_filter(generator, link):
    counts = history_counts(
        np.full((N, 1), 0.2), history=np.array([[-0.7]]), link=link, generator=generator
    )[:, 0]
    for before in (0, 1, 2):
        after = counts[1:][counts[:-1] == before]
        error, expected = after.std() / np.sqrt(len(after)), link(np.array([0.2 - 0.7 * before]))[0]
        assert after.mean() == pytest.approx(expected, abs=4.5 * error)


def test_lag_2_weighs_the_count_of_two_bins_before(generator):
    counts = history_counts(
        np.full((N, 1), -0.5), history=np.array([[0.0, -1.5]]), generator=generator
    )[:, 0]
    after_one = counts[2:][counts[:-2] == 1]
    error = after_one.std() / np.sqrt(len(after_one))
    assert after_one.mean() == pytest.approx(np.exp(-2.0), abs=4.5 * error)


def test_each_neuron_has_its_own_filter(generator):
    history = np.array([[-20.0], [0.0]])
    counts = history_counts(np.full((2000, 2), 0.5), history=history, generator=generator)
    together = (counts[1:] > 0) & (counts[:-1] > 0)
    assert together.any(0).tolist() == [False, True]


def test_without_history_the_counts_are_poisson(generator):
    drive = np.log(MEANS)
    counts = history_counts(drive, history=np.zeros((1, 3)), generator=generator)
    for column, mean in zip(counts.T, MEANS[0], strict=True):
        assert frequency_errors(column, stats.poisson.pmf(range(4), mean)).max() < 4.5


def test_a_neuron_that_excites_itself_without_end_is_named(generator):
    with pytest.raises(
        NumericalError, match=r"channel 1 (.|\n)*make its history filter more negative"
    ):
        history_counts(
            np.full((100, 2), 1.0), history=np.array([[-1.0], [3.0]]), generator=generator
        )


def test_a_dispersion_of_0_is_refused_with_what_to_use(generator):
    with pytest.raises(ConfigError, match="a dispersion above 0, or poisson_counts"):
        negative_binomial_counts(MEANS, dispersion=0.0, generator=generator)


def test_a_probability_of_silence_above_1_is_refused(generator):
    with pytest.raises(ConfigError, match=r"numbers from 0 \(Poisson\) to 1"):
        zero_inflated_counts(MEANS, silent=1.5, generator=generator)


SAMPLERS = {
    "poisson": poisson_counts,
    "negative binomial": lambda m, **g: negative_binomial_counts(m, dispersion=0.5, **g),
    "zero-inflated": lambda m, **g: zero_inflated_counts(m, silent=0.3, **g),
    "bernoulli": bernoulli_spikes,
    "history": lambda m, **g: history_counts(np.log(m), history=np.array([[-1.0, -0.2]]), **g),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_longer_simulation_begins_with_the_shorter_ones_counts(name):
    state = np.random.default_rng(9).normal(size=(300, 2))
    tuning = draw_tuning(2, n_channels=4, mean=0.8, generator=np.random.default_rng(5))
    long, short = (
        SAMPLERS[name](tuning.mean(state[:n]), generator=np.random.default_rng(7))
        for n in (300, 100)
    )
    np.testing.assert_array_equal(short, long[:100])
