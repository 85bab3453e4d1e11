"""Parameters of behavior recovered from data that NumPy simulated with known ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch.func import functional_call, jacrev

from neurodsr.modalities.angle import AngleDecoder
from neurodsr.modalities.binary import BinaryDecoder
from neurodsr.modalities.categorical import CategoricalDecoder
from neurodsr.modalities.gaussian import GaussianDecoder
from neurodsr.modalities.observed import Observed
from neurodsr.modalities.ordinal import OrdinalDecoder
from neurodsr.modalities.student import StudentDecoder

N = 4000
WEIGHTS = np.array([0.8, -0.3])
LEVEL_WEIGHTS = np.array([[0.5, 0.0], [0.0, 1.0], [-1.0, 0.3]])
LEVEL_OFFSETS = np.array([0.2, 0.0, -0.5])
VECTOR_WEIGHTS, VECTOR_OFFSETS = np.array([[1.0, 0.2], [-0.3, 0.8]]), np.array([0.2, -0.1])
THRESHOLDS = np.array([-1.0, 0.2, 1.5])
seeds = pytest.mark.parametrize("seed", [0, 10])


def normal(rng):
    return rng.normal(size=(N, 2))


def ring(rng):
    """Latents as of a heading, around the origin: there, no vector has a direction."""
    phase = rng.uniform(0, 2 * np.pi, N)
    return np.stack([np.cos(phase), np.sin(phase)], axis=1) + rng.normal(0, 0.1, (N, 2))


def simulated(draw, seed, latents=normal):
    """Latents, and what `draw` makes of them, as tensors in float64."""
    rng = np.random.default_rng(seed)
    z = latents(rng)
    return torch.from_numpy(z), torch.tensor(draw(z, rng), dtype=torch.float64)[:, None]


def assert_recovered(decoder, z, x, identified, truth):
    """Maximum likelihood gives back what the data can tell, within three standard errors.

    `identified` makes the quantities that the data can tell of the decoder; their covariance is
    that of the parameters, the inverse of the observed Fisher information, by the delta method.
    """
    flat, covariance = fit(decoder, z, x)
    error = identified(flat).detach() - torch.as_tensor(truth, dtype=torch.float64)
    slopes = jacrev(identified)(flat)
    covariance = slopes @ covariance @ slopes.T
    z_scores = error / covariance.diagonal().sqrt()
    assert (z_scores.abs() <= 3).all(), z_scores
    # Together they are no larger than chance allows, either.
    assert stats.chi2(len(error)).sf(error @ torch.linalg.solve(covariance, error)) > 1e-3


def fit(decoder, z, x):
    """Maximum-likelihood parameters, flat, and their covariance; from the best constant on."""
    decoder.double().initialize(Observed(x, torch.ones(x.shape, dtype=bool)))
    for name, parameter in decoder.named_parameters():
        if name.endswith("weight"):
            parameter.data.zero_()
    parameters = list(decoder.parameters())
    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=300,
        tolerance_grad=1e-10,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        value = -decoder(z).log_prob(x).mean()
        value.backward()
        return value

    optimizer.step(closure)
    flat = torch.cat([p.detach().flatten() for p in parameters])

    def total(flat):
        return -functional_call(decoder, named(decoder, flat), (z,)).log_prob(x).sum()

    information = torch.autograd.functional.hessian(total, flat)
    # A softmax or a direction has parameters that no data fix: `identified` avoids them.
    return flat, torch.linalg.pinv(information, hermitian=True, rtol=1e-6)


def named(decoder, flat):
    sizes = [p.numel() for p in decoder.parameters()]
    parts = zip(decoder.named_parameters(), flat.split(sizes), strict=True)
    return {name: part.view_as(p) for (name, p), part in parts}


def bounded(parameter, coordinate):
    return functional_call(parameter, {"coordinate": coordinate}, ())


def in_own_unit(decoder, p):
    """Weights, offset and noise in the unit of the signal, whatever center and scale are."""
    return [
        (decoder.scale[:, None] * p["mean.weight"]).flatten(),
        decoder.center + decoder.scale * p["mean.bias"],
        decoder.scale.log() + p["log_noise"],
    ]


@seeds
def test_the_weights_and_noise_of_a_gaussian_signal_are_recovered(seed):
    """In pixels of mean 300: center and scale of the data must not matter."""

    def draw(z, rng):
        return rng.normal(300 + 100 * z @ WEIGHTS, 50)

    decoder = GaussianDecoder(1, 2)
    identified = lambda flat: torch.cat(in_own_unit(decoder, named(decoder, flat)))  # noqa: E731
    truth = [*(100 * WEIGHTS), 300, np.log(50)]
    assert_recovered(decoder, *simulated(draw, seed), identified, truth)


@seeds
def test_the_weights_noise_and_tails_of_a_signal_with_outliers_are_recovered(seed):
    def draw(z, rng):
        return 300 + 100 * z @ WEIGHTS + 50 * rng.standard_t(4, len(z))

    decoder = StudentDecoder(1, 2)

    def identified(flat):
        p = named(decoder, flat)
        freedom = bounded(decoder.freedom, p["freedom.coordinate"])
        return torch.cat([*in_own_unit(decoder, p), freedom.log()])

    truth = [*(100 * WEIGHTS), 300, np.log(50), np.log(4)]
    assert_recovered(decoder, *simulated(draw, seed), identified, truth)


@seeds
def test_the_direction_and_the_concentration_of_an_angle_are_recovered(seed):
    """A vector's length is not in the data: all is in units of its first weight."""

    def draw(z, rng):
        cosine, sine = (z @ VECTOR_WEIGHTS.T + VECTOR_OFFSETS).T
        return rng.vonmises(np.arctan2(sine, cosine), 3.0)

    decoder = AngleDecoder(1, 2)

    def identified(flat):
        p = named(decoder, flat)
        concentration = bounded(decoder.concentration, p["concentration.coordinate"])
        vector = torch.cat([p["vector.weight"].flatten(), p["vector.bias"]])
        return torch.cat([vector[1:] / vector[0], concentration.log()])

    truth = [*VECTOR_WEIGHTS.ravel()[1:], *VECTOR_OFFSETS, np.log(3)]
    assert_recovered(decoder, *simulated(draw, seed, ring), identified, truth)


@seeds
def test_the_log_odds_of_labels_are_recovered(seed):
    """Only odds are in the data: weights and offsets of each level against those of the first."""

    def draw(z, rng):
        odds = np.exp(z @ LEVEL_WEIGHTS.T + LEVEL_OFFSETS)
        below = odds.cumsum(1) / odds.sum(1, keepdims=True)
        return (rng.random((len(z), 1)) > below).sum(1)

    decoder = CategoricalDecoder(1, 3, 2)

    def identified(flat):
        p = named(decoder, flat)
        weights, offsets = p["logits.weight"], p["logits.bias"]
        return torch.cat([(weights[1:] - weights[0]).flatten(), offsets[1:] - offsets[0]])

    weights, offsets = LEVEL_WEIGHTS[1:] - LEVEL_WEIGHTS[0], LEVEL_OFFSETS[1:] - LEVEL_OFFSETS[0]
    assert_recovered(decoder, *simulated(draw, seed), identified, [*weights.ravel(), *offsets])


@seeds
def test_the_weights_and_thresholds_of_ordered_answers_are_recovered(seed):
    def draw(z, rng):
        hidden = z @ WEIGHTS + rng.logistic(size=len(z))
        return (hidden[:, None] > THRESHOLDS).sum(1)

    decoder = OrdinalDecoder(1, 4, 2)

    def identified(flat):
        p = named(decoder, flat)
        upper = p["lowest"] + p["log_gaps"][0].exp().cumsum(0)
        return torch.cat([p["location.weight"].flatten(), p["lowest"], upper])

    assert_recovered(decoder, *simulated(draw, seed), identified, [*WEIGHTS, *THRESHOLDS])


@seeds
def test_the_log_odds_of_events_are_recovered(seed):
    def draw(z, rng):
        return rng.random(len(z)) < 1 / (1 + np.exp(1.0 - z @ WEIGHTS))

    decoder = BinaryDecoder(1, 2)

    def identified(flat):
        p = named(decoder, flat)
        return torch.cat([p["log_odds.weight"].flatten(), p["log_odds.bias"]])

    assert_recovered(decoder, *simulated(draw, seed), identified, [*WEIGHTS, -1.0])
