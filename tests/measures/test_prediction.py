"""Prediction errors of models and of trivial baselines whose errors are known."""

import numpy as np
import pytest
import torch

from neurodsr.errors import ConfigError, DataError
from neurodsr.measures.prediction import (
    linear_error,
    linear_fit,
    persistence_error,
    prediction_error,
)

rotation = 0.9 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])


def autoregression(seed, n, *, noise, offset=0.0):
    rng = np.random.default_rng(seed)
    x = np.zeros((n, 2))
    for t in range(1, n):
        x[t] = rotation @ x[t - 1] + offset + noise * rng.standard_normal(2)
    return x


def test_a_perfect_model_predicts_without_error():
    x = np.array([np.linalg.matrix_power(rotation, t) @ [1.0, 0.0] for t in range(50)])

    def predict(z, n):
        return z @ torch.from_numpy(np.linalg.matrix_power(rotation, n)).mT

    assert prediction_error(predict, x, n_ahead=7) == pytest.approx(0.0, abs=1e-24)


def test_persistence_of_a_ramp_is_off_by_the_square_of_its_rise():
    ramp = 0.5 * np.arange(100.0)[:, None]
    assert persistence_error(ramp, n_ahead=4) == pytest.approx(4.0)


def test_persistence_of_white_noise_is_off_by_twice_its_variance():
    x = np.random.default_rng(0).standard_normal((20_000, 2))
    # S.e. of a mean of 40,000 squares of variance 2, correlated in pairs: 0.02; 4 of them.
    assert persistence_error(x, n_ahead=5) == pytest.approx(2.0, abs=0.08)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
@pytest.mark.parametrize("n_ahead", [1, 5])
def test_the_linear_baseline_reaches_the_innovation_variance_of_an_autoregression(seed, n_ahead):
    x_train, x = (autoregression(seed + k, 10_000, noise=0.5, offset=0.2) for k in (0, 100))
    # A scaled rotation passes noise on isotropically: sum of 0.25 * 0.81^k over k < n.
    exact = 0.25 * (1 - 0.81**n_ahead) / (1 - 0.81)
    # Overlapping predictions: about 2 * 10,000 / n independent squares of variance 2 exact^2.
    tolerance = 4 * exact * np.sqrt(n_ahead / 10_000)
    assert linear_error(x_train, x, n_ahead=n_ahead) == pytest.approx(exact, abs=tolerance)


def test_the_linear_fit_finds_the_matrix_and_the_offset():
    weights = linear_fit(autoregression(0, 200, noise=0.0, offset=0.2))
    assert weights == pytest.approx(np.vstack((rotation.T, [0.2, 0.2])), abs=1e-8)


def test_no_prediction_crosses_the_edge_of_a_segment():
    steps = [np.zeros((10, 1)), np.ones((10, 1))]
    assert persistence_error(steps, n_ahead=3) == 0.0


def test_a_prediction_that_diverged_has_infinite_error():
    assert prediction_error(lambda z, _: z / 0, np.ones((9, 1)), n_ahead=1) == float("inf")


def test_predict_receives_states_in_the_dtype_of_the_data():
    seen = []
    prediction_error(lambda z, _: seen.append(z.dtype) or z, torch.zeros(9, 2), n_ahead=1)
    assert seen == [torch.float32]


def test_zero_steps_ahead_are_refused():
    with pytest.raises(ConfigError, match="predict at least 1 step ahead"):
        persistence_error(np.zeros((9, 1)), n_ahead=0)


def test_segments_too_short_are_refused_with_the_longest_horizon_that_works():
    with pytest.raises(DataError, match="lower n_ahead to at most 8"):
        persistence_error(np.zeros((9, 1)), n_ahead=9)


def test_predictions_of_every_step_instead_of_the_last_are_refused_with_both_shapes():
    with pytest.raises(
        DataError, match=r"\(7, 2, 1\).*\(7, 1\)[\s\S]*the states n steps later only"
    ):
        prediction_error(lambda z, n: z[:, None].expand(-1, n, -1), np.zeros((9, 1)), n_ahead=2)
