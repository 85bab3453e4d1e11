"""Counts with additional zeros: the Poisson zeros are among them."""

import numpy as np
import pytest
import torch
from scipy import special, stats

from neurodsr.modalities.distributions.zero_inflated_poisson import ZeroInflatedPoisson

EVERY_COUNT = torch.arange(200.0, dtype=torch.float64)
every_parameter = pytest.mark.parametrize(
    ("rate", "gate"), [(0.05, 0.0), (2.0, -1.5), (2.0, 3.0), (40.0, 0.5), (5.0, -30.0)]
)


def distribution(rate, gate):
    return ZeroInflatedPoisson(*(torch.tensor(v, dtype=torch.float64) for v in (rate, gate)))


@every_parameter
def test_probabilities_sum_to_one_with_the_stated_moments(rate, gate):
    p = distribution(rate, gate)
    mass = p.log_prob(EVERY_COUNT).exp()
    assert mass.sum().item() == pytest.approx(1, rel=1e-12)
    first = (mass * EVERY_COUNT).sum()
    second = (mass * (EVERY_COUNT - first) ** 2).sum()
    expected = (p.mean.item(), p.variance.item())
    assert (first.item(), second.item()) == pytest.approx(expected, rel=1e-11)


@every_parameter
def test_probabilities_are_those_of_a_mixture(rate, gate):
    k, pi = np.arange(60), special.expit(gate)
    expected = np.log(pi * (k == 0) + (1 - pi) * stats.poisson.pmf(k, rate))
    found = distribution(rate, gate).log_prob(torch.from_numpy(k))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_a_zero_may_be_a_poisson_zero():
    """Rate log 2, gate 1/2: P(0) = 1/2 + 1/2 1/2."""
    assert distribution(np.log(2), 0.0).log_prob(torch.tensor(0)).exp().item() == pytest.approx(
        0.75
    )


def test_where_no_count_is_expected_none_is_certain():
    """As in a bin that was not watched: probability 1, and gradients that are numbers."""
    rate, gate = (torch.tensor(v, requires_grad=True) for v in (0.0, 0.0))
    log_prob = ZeroInflatedPoisson(rate, gate).log_prob(torch.tensor(0.0))
    gradients = [g.item() for g in torch.autograd.grad(log_prob, (rate, gate))]
    assert log_prob.item() == pytest.approx(0, abs=1e-7)
    assert gradients == pytest.approx([-0.5, 0], abs=1e-7)


@every_parameter
def test_samples_follow_the_probabilities(rate, gate, draw, count_p_value):
    p = distribution(rate, gate)
    assert count_p_value(p, draw(p)) > 1e-3


@pytest.mark.parametrize("seed", [0, 10])
def test_rate_and_gate_are_recovered_from_counts(seed, draw, assert_recovered):
    x = draw(distribution(2.0, -0.5), seed=seed)
    build = lambda v: ZeroInflatedPoisson(v[0].exp(), v[1])  # noqa: E731
    assert_recovered(build, [np.log(2.0), -0.5], x)
