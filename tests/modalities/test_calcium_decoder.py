"""Fluorescence: known responses, honest lags, and true kinetics found again."""

import numpy as np
import pytest
import torch

from neurodsr.modalities.calcium_decoder import SATURATION, CalciumDecoder
from neurodsr.modalities.observed import Observed
from neurodsr.modalities.student import FREEDOM

BIN, DECAY, RISE = 1 / 30, 0.4, 0.05
WEIGHTS, OFFSETS = np.array([[1.5, -0.6], [-0.4, 1.2]]), np.array([0.2, -0.5])
GAIN, LIGHT, NOISE = np.array([0.9, 1.4]), np.array([-0.5, 0.3]), np.array([0.3, 0.2])


def decoder(**options):
    start = {"bin_width": BIN, "decay": 0.5, "rise": 0.04, "spread": 2.0}
    return CalciumDecoder(2, 2, **(start | options)).double()


def response(lags, decay=DECAY, rise=RISE):
    """Mean over each bin of a difference of exponentials, of sum 1: written from the integral."""
    edges = BIN * np.arange(lags + 2)
    area = -decay * np.diff(np.exp(-edges / decay)) + rise * np.diff(np.exp(-edges / rise))
    return area / area.sum()


def calcium(z, lags):
    activity = np.logaddexp(0, z @ WEIGHTS.T + OFFSETS)
    steady = np.concatenate([np.repeat(activity[:1], lags, axis=0), activity])
    kernel = response(lags)
    return np.stack([np.convolve(a, kernel)[lags : lags + len(z)] for a in steady.T], axis=1)


def coordinate(value, low, high):
    """What `Bounded` stores of a value."""
    share = np.log(np.asarray(value) / low) / np.log(high / low)
    return np.log(share / (1 - share))


def truth_of(built):
    return {
        "drive.weight": WEIGHTS,
        "drive.bias": OFFSETS,
        "log_gain": np.log(GAIN),
        "offset": LIGHT,
        "log_noise": np.log(NOISE),
        "decay.coordinate": coordinate(np.full(2, DECAY), 0.25, 1.0),
        "rise.coordinate": coordinate(RISE, 0.02, 0.08),
    }


@pytest.mark.parametrize("seed", [0, 10])
def test_kinetics_weights_and_noise_are_recovered(assert_recovered, seed):
    rng = np.random.default_rng(seed)
    z, built = rng.normal(size=(6000, 2)), decoder()
    mask = rng.random((6000, 2)) < 0.9
    x = GAIN * calcium(z, built.lag) + LIGHT + NOISE * rng.normal(size=(6000, 2))
    seen = Observed(torch.from_numpy(x * mask), torch.from_numpy(mask))
    assert_recovered(built, truth_of(built), torch.from_numpy(z), seen)


@pytest.mark.parametrize("seed", [0, 10])
def test_heavy_tails_are_recovered(assert_recovered, seed):
    rng = np.random.default_rng(seed)
    z, built = rng.normal(size=(8000, 2)), decoder(heavy_tails=True)
    freedom = np.array([3.0, 6.0])
    x = GAIN * calcium(z, built.lag) + LIGHT + NOISE * rng.standard_t(freedom, size=(8000, 2))
    truth = truth_of(built) | {"freedom.coordinate": coordinate(freedom, *FREEDOM)}
    seen = Observed(torch.from_numpy(x), torch.ones(8000, 2, dtype=bool))
    assert_recovered(built, truth, torch.from_numpy(z), seen)


@pytest.mark.parametrize("seed", [0, 10])
def test_saturation_is_recovered(assert_recovered, seed):
    """Slow latents, so that calcium reaches the light's ceiling; kinetics are known here."""
    rng = np.random.default_rng(seed)
    slow = np.cumsum(rng.normal(size=(8000, 2)), axis=0)
    z = 2 * np.sin(slow / 4)
    built = decoder(saturates=True, spread=1.0, decay=DECAY, rise=RISE)
    half = np.array([1.0, 3.0])
    clear = calcium(z, built.lag)
    x = GAIN * clear / (1 + clear / half) + LIGHT + 0.1 * NOISE * rng.normal(size=(8000, 2))
    truth = truth_of(built) | {"log_noise": np.log(0.1 * NOISE)}
    truth["half_saturation.coordinate"] = coordinate(half, *SATURATION)
    seen = Observed(torch.from_numpy(x), torch.ones(8000, 2, dtype=bool))
    assert_recovered(built, truth, torch.from_numpy(z), seen)


def test_a_short_burst_of_activity_leaves_the_indicators_response():
    built = decoder(decay=DECAY, rise=RISE)
    with torch.no_grad():
        built.drive.weight.copy_(torch.eye(2))
        built.drive.bias.zero_()
    z = torch.zeros(60, 2, dtype=torch.float64)
    z[5, 0] = 1.0
    rest = built(torch.zeros(60, 2, dtype=torch.float64)).mean
    burst = np.logaddexp(0, 1) - np.logaddexp(0, 0)
    found = (built(z).mean - rest)[:, 0].detach().numpy()
    expected = burst * np.append(response(built.lag), np.zeros(60))[:55]
    np.testing.assert_allclose(found[5:], expected, atol=1e-12)
    assert (found[:5] == 0).all()


def test_a_bin_depends_on_its_lag_and_on_nothing_before_or_after():
    built = decoder()
    z = torch.randn(130, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    before = built(z).mean[110]
    for t, matters in ((110 - built.lag, True), (110 - built.lag - 1, False), (111, False)):
        other = z.clone()
        other[t] += 3
        assert torch.equal(built(other).mean[110], before) is not matters


def test_the_kernel_lasts_three_of_the_longest_decays_and_the_rise():
    assert decoder().lag == 92  # of 3.08 s, 92.4 bins: the last one is begun
    assert decoder(spread=1.0).lag == 61  # four decays where they are fixed


def test_at_zero_the_mean_and_noise_are_those_of_the_data():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(5000 + 200 * rng.normal(size=(300, 2)))
    mask = torch.from_numpy(rng.random((300, 2)) < 0.5)
    built = decoder(saturates=True)
    built.initialize(Observed(x * mask, mask))
    p = built(torch.zeros(100, 2, dtype=torch.float64))
    for c in range(2):
        seen = x[mask[:, c], c]
        np.testing.assert_allclose(p.mean[:, c].detach(), seen.mean())
        np.testing.assert_allclose(p.stddev[:, c].detach(), seen.std(correction=0))


def test_fixed_kinetics_are_no_parameters():
    fixed, learned = (decoder(spread=s) for s in (1.0, 2.0))
    names = {n for n, _ in fixed.named_parameters()}
    assert not any(n.startswith(("decay", "rise")) for n in names)
    assert fixed.state_dict().keys() == learned.state_dict().keys()


def test_learned_kinetics_stay_within_their_bounds():
    built = decoder()
    with torch.no_grad():
        built.decay.coordinate.fill_(100.0)
        built.rise.coordinate.fill_(-100.0)
    np.testing.assert_allclose(built.decay().detach(), 1.0)
    np.testing.assert_allclose(built.rise().detach(), 0.02)
    assert built.kernel().isfinite().all()


def test_an_instantaneous_rise_is_a_plain_exponential():
    kernel = decoder(rise=0.0, decay=DECAY).kernel()[0].detach().numpy()
    np.testing.assert_allclose(kernel[1:] / kernel[:-1], np.exp(-BIN / DECAY))


def test_gradients_are_right():
    built = decoder(saturates=True, heavy_tails=True)
    g = torch.Generator().manual_seed(0)
    z = torch.randn(1, 7, 2, dtype=torch.float64, generator=g, requires_grad=True)
    x = torch.randn(1, 7, 2, dtype=torch.float64, generator=g)
    parameters = tuple(built.parameters())
    assert torch.autograd.gradcheck(lambda z, *_: built(z).log_prob(x), (z, *parameters))
