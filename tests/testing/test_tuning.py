"""Tuning whose mean is the one asked for, whatever the link and the weights."""

import numpy as np
import pytest

from neurodsr.errors import ConfigError
from neurodsr.testing.tuning import Tuning, draw_tuning, logistic, softplus

LINKS = {"exp": (np.exp, 2.0), "softplus": (softplus, 2.0), "logistic": (logistic, 0.05)}


@pytest.fixture(params=[0, 1, 2, 3])
def generator(request):
    return np.random.default_rng(request.param)


def test_softplus_is_the_logarithm_of_1_plus_exp_and_never_overflows():
    np.testing.assert_allclose(softplus(np.array([-2.0, 0.0, 3.0])), np.log1p(np.exp([-2, 0, 3])))
    assert softplus(np.array([1e4])) == [1e4]


def test_the_logistic_function_has_its_argument_as_log_odds():
    p = logistic(np.array([-3.0, 0.0, 2.0]))
    np.testing.assert_allclose(np.log(p / (1 - p)), [-3, 0, 2], atol=1e-12)


def test_the_drive_is_linear_in_the_state():
    tuning = Tuning(np.array([[1.0, 2.0], [0.0, -1.0]]), np.array([0.5, 0.0]))
    np.testing.assert_array_equal(tuning.drive(np.array([[1.0, 3.0]])), [[7.5, -3.0]])


@pytest.mark.parametrize("name", LINKS)
def test_every_channel_has_the_asked_mean_over_a_standard_normal_state(generator, name):
    link, mean = LINKS[name]
    tuning = draw_tuning(3, n_channels=10, mean=mean, link=link, weight_sd=0.5, generator=generator)
    shown = tuning.mean(generator.normal(size=(100_000, 3)), link=link)
    error = shown.std(0) / np.sqrt(len(shown))
    assert np.abs((shown.mean(0) - mean) / error).max() < 4.5


def test_offsets_of_the_exponential_link_are_those_of_a_log_normal_rate(generator):
    tuning = draw_tuning(3, n_channels=50, mean=0.2, generator=generator)
    exact = np.log(0.2) - (tuning.weights**2).sum(1) / 2
    # 40 quadrature nodes are exact to rounding for weights of length up to about 3.
    np.testing.assert_allclose(tuning.offsets, exact, atol=1e-6)


def test_weights_and_offsets_spread_as_asked(generator):
    tuning = draw_tuning(
        4, n_channels=1000, mean=1.0, weight_sd=0.7, offset_sd=0.3, generator=generator
    )
    # s.e. of a sd from n numbers: sd / sqrt(2 n).
    assert tuning.weights.std() == pytest.approx(0.7, abs=4.5 * 0.7 / np.sqrt(8000))
    spread = tuning.offsets + (tuning.weights**2).sum(1) / 2
    assert spread.std() == pytest.approx(0.3, abs=4.5 * 0.3 / np.sqrt(2000))


def test_a_mean_that_a_link_cannot_give_is_refused_with_those_it_can(generator):
    with pytest.raises(ConfigError, match=r"choose a mean between .* and 1, or another link"):
        draw_tuning(2, n_channels=3, mean=1.2, link=logistic, generator=generator)
