"""Forecasts with known answers, and that they never see what they are judged on."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from neurodsr.errors import DataError
from neurodsr.evaluation.forecast import forecast_gain
from neurodsr.evaluation.parts import take_apart

ANGLE = 0.2
NOISE = 0.2
N_BINS = 5000


def noise(n_bins, dim=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n_bins, dim))


@pytest.fixture
def forecast(signal_recording, direct_surrogate):
    """A function that forecasts a signal with a map, both given."""

    def make(x, pwl, **how):
        recording = signal_recording(x)
        return forecast_gain(take_apart(direct_surrogate(pwl, recording, **how), recording))

    return make


@pytest.fixture
def turning():
    """A rotation seen with noise."""
    phase = ANGLE * np.arange(N_BINS)
    return np.stack([np.cos(phase), np.sin(phase)], axis=1) + NOISE * noise(N_BINS)


def test_the_gain_of_a_known_system_is_what_theory_says(turning, forecast, linear_map, rotation):
    r"""Errors have variance $2\tau^2$ at every horizon: gain $\ln(s^2 / 2\tau^2)$ in two channels.

    $\tau$ is the noise of a bin, there once in the state and once in what is compared;
    $s^2 = 1/2 + \tau^2$ the variance of the signal.
    """
    found = forecast(turning, linear_map(rotation(ANGLE)), noise=np.sqrt(2) * NOISE)
    expected = np.log((0.5 + NOISE**2) / (2 * NOISE**2))
    standard_error = (found.high - found.low) / 3.92
    assert found.value == pytest.approx(expected, abs=3 * standard_error)
    assert 0 < found.low < found.value < found.high
    # Neighboring horizons share all data but a bin, so they differ by less than a mean does.
    np.testing.assert_allclose(found.gain, expected, atol=3 * standard_error)


def test_nothing_is_gained_on_white_noise(forecast, linear_map, rotation):
    found = forecast(noise(N_BINS), linear_map(rotation(ANGLE)))
    standard_error = (found.high - found.low) / 3.92
    # An error of twice the variance costs half a nat a channel.
    assert found.value == pytest.approx(-1.0, abs=3 * standard_error)
    assert found.high < 0


def test_forecasting_the_mean_neither_gains_nor_loses(forecast, linear_map):
    found = forecast(noise(N_BINS), linear_map(np.zeros((2, 2))))
    assert found.low < 0.005
    # Mean and spread were estimated from 3,500 bins: some 1 / 3,500 nats a parameter.
    assert found.value == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize("kernel", [1, 5])
def test_the_first_bin_forecast_is_the_first_one_unseen(forecast, linear_map, kernel):
    """An encoder that looks as far ahead as it may, and a map that holds what it saw.

    On white noise a forecast off by a single bin would be perfect at its first horizon.
    """
    x, context = noise(N_BINS, dim=1), kernel - 1
    found = forecast(x, linear_map(np.eye(1)), noise=0.5, kernel=kernel, latest=True)
    train, test = x[: int(0.7 * N_BINS), 0], x[int(0.8 * N_BINS) :, 0]
    starts = np.arange(context, len(test) - context - len(found.horizon))
    for h in (1, 2, 50):
        seen, now = test[starts + context], test[starts + context + h]
        gains = norm.logpdf(now, seen, 0.5) - norm.logpdf(now, train.mean(), train.std())
        # float32 likelihoods of order 1, averaged.
        assert found.gain[h - 1] == pytest.approx(gains.mean(), rel=1e-3)


def test_the_gain_is_judged_five_bins_ahead(turning, forecast, linear_map, rotation):
    found = forecast(turning, linear_map(rotation(ANGLE)), noise=np.sqrt(2) * NOISE)
    assert found.judged_at == 5
    assert found.horizon.tolist() == list(range(1, 51))
    assert found.value == pytest.approx(found.gain[4], rel=1e-5)


def test_bins_that_were_not_observed_are_not_judged(
    turning, signal_recording, direct_surrogate, linear_map, rotation
):
    recording = signal_recording(turning)
    surrogate = direct_surrogate(linear_map(rotation(ANGLE)), recording, noise=0.3)
    parts = take_apart(surrogate, recording)
    seen = parts.test[0]["signal"]
    seen.values[::3], seen.mask[::3] = 1e3, False
    assert np.isfinite(forecast_gain(parts).gain).all()
    seen.mask[:] = False
    assert (forecast_gain(parts).gain == 0).all()


def test_a_test_stretch_shorter_than_the_horizon_is_refused(forecast, linear_map):
    with pytest.raises(DataError, match="record longer"):
        forecast(noise(300), linear_map(np.eye(2)))


def test_the_same_forecast_twice_has_the_same_interval(turning, forecast, linear_map, rotation):
    a, b = (forecast(turning, linear_map(rotation(ANGLE))) for _ in range(2))
    assert (a.low, a.high) == (b.low, b.high)
    assert torch.equal(torch.tensor(a.gain), torch.tensor(b.gain))
