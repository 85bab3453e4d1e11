"""Overdispersed counts: their probabilities, also where they become Poisson counts."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Poisson

from neurodsr.modalities.distributions.negative_binomial import STIRLING_BELOW, NegativeBinomial

EVERY_COUNT = torch.arange(5000.0, dtype=torch.float64)


def distribution(mean, dispersion, dtype=torch.float64):
    return NegativeBinomial(*(torch.tensor(v, dtype=dtype) for v in (mean, dispersion)))


def exact(k, mean, dispersion):
    """Log-probability without any gamma function of 1/dispersion, in float64."""
    rising = np.log1p(dispersion * np.arange(k)).sum()
    log_mean, excess = k * np.log(mean), np.log1p(dispersion * mean)
    factorial = np.log(np.arange(1, k + 1)).sum()
    return log_mean - factorial - excess / dispersion - k * excess + rising


@pytest.mark.parametrize("dispersion", [0.0, 1e-6, 0.01, 0.2, 2.0])
@pytest.mark.parametrize("mean", [0.05, 3.0, 40.0])
def test_probabilities_sum_to_one_with_the_stated_moments(mean, dispersion):
    p = distribution(mean, dispersion)
    # The mass above 4999 counts is below 1e-26 in every case.
    mass = p.log_prob(EVERY_COUNT).exp()
    assert mass.sum().item() == pytest.approx(1, rel=1e-11)
    first = (mass * EVERY_COUNT).sum().item()
    second = (mass * (EVERY_COUNT - mean) ** 2).sum().item()
    assert (first, second) == pytest.approx((p.mean.item(), p.variance.item()), rel=1e-10)
    assert p.variance.item() == pytest.approx(mean + dispersion * mean**2)


@pytest.mark.parametrize("dispersion", [0.01, 0.2, 2.0])
@pytest.mark.parametrize("mean", [0.05, 3.0, 40.0])
def test_probabilities_are_those_of_scipy(mean, dispersion):
    k, r = np.arange(100), 1 / dispersion
    expected = stats.nbinom.logpmf(k, r, 1 / (1 + dispersion * mean))
    found = distribution(mean, dispersion).log_prob(torch.from_numpy(k))
    # SciPy subtracts log-gammas of up to 1000, each rounded to 1e-13.
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dispersion", [1e-12, 1e-6, 1e-3, 0.09, 0.11, 1.0, 100.0])
@pytest.mark.parametrize(("mean", "count"), [(1e-8, 1), (0.3, 0), (5.0, 3), (200.0, 260), (1e4, 1)])
@pytest.mark.parametrize(("dtype", "eps"), [(torch.float64, 2e-16), (torch.float32, 1e-7)])
def test_no_dispersion_costs_digits(mean, count, dispersion, dtype, eps):
    p = distribution(mean, dispersion, dtype)
    expected = exact(count, p.mean.item(), p.dispersion.item())
    # Some ten roundings, each of at most the largest term.
    largest = 1 + mean + count * abs(np.log(mean)) + count * np.log(count + 1)
    found = p.log_prob(torch.tensor(count)).item()
    assert found == pytest.approx(expected, rel=1e-13, abs=10 * eps * largest)


@pytest.mark.parametrize("mean", [0.05, 3.0, 40.0])
def test_without_dispersion_counts_are_poisson(mean):
    k = torch.arange(100.0, dtype=torch.float64)
    found = distribution(mean, 0.0).log_prob(k)
    expected = Poisson(torch.tensor(mean, dtype=torch.float64)).log_prob(k)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mean", [0.05, 3.0, 40.0])
def test_in_float32_a_dispersion_of_1e_6_is_numerically_poisson(mean):
    k = np.arange(60)
    found = distribution(mean, 1e-6, torch.float32).log_prob(torch.from_numpy(k))
    # The two differ by dispersion ((k - mean)^2 - k) / 2, at most 2e-3 here; what remains is the
    # rounding of terms of up to k log k = 240.
    shift = 1e-6 * ((k - mean) ** 2 - k) / 2
    np.testing.assert_allclose(found, stats.poisson.logpmf(k, mean) + shift, atol=1e-4)


@pytest.mark.parametrize("count", [0.0, 1.0, 7.0, 60.0])
def test_the_gradient_by_a_vanishing_dispersion_is_the_excess_of_the_variance(count):
    r"""$\partial_\alpha \log P = ((k - \mu)^2 - k)/2$ at $\alpha = 0$, in float32."""
    mean, dispersion = torch.tensor(9.0), torch.tensor(0.0, requires_grad=True)
    log_prob = NegativeBinomial(mean, dispersion).log_prob(torch.tensor(count))
    (gradient,) = torch.autograd.grad(log_prob, dispersion)
    # Differences of squares of up to 3600, rounded to 1e-7 of themselves.
    assert gradient.item() == pytest.approx(((count - 9) ** 2 - count) / 2, abs=1e-3)


def test_both_ways_to_the_same_number_meet_where_one_hands_over_to_the_other():
    ends = STIRLING_BELOW * torch.tensor([1 - 1e-9, 1 + 1e-9], dtype=torch.float64)
    k = torch.tensor([0.0, 1, 2, 30, 1000], dtype=torch.float64)
    dispersion = ends[:, None].expand(2, 5).clone().requires_grad_()
    log_prob = NegativeBinomial(torch.tensor(4.0, dtype=torch.float64), dispersion).log_prob(k)
    slope, _ = torch.autograd.grad(log_prob.sum(), dispersion)[0]
    expected = log_prob[0] + slope * (ends[1] - ends[0])
    torch.testing.assert_close(log_prob[1], expected, rtol=1e-12, atol=1e-12)


def test_where_no_count_is_expected_none_is_certain():
    """As in a bin that was not watched: probability 1, and a gradient that is a number."""
    mean = torch.tensor(0.0, requires_grad=True)
    log_prob = NegativeBinomial(mean, torch.tensor(0.5)).log_prob(torch.tensor(0.0))
    assert log_prob.item() == 0
    assert torch.autograd.grad(log_prob, mean)[0].item() == -1


@pytest.mark.parametrize(("mean", "dispersion"), [(3.0, 0.0), (3.0, 1e-6), (0.4, 2.0), (20.0, 0.3)])
def test_samples_follow_the_probabilities(mean, dispersion, draw, count_p_value):
    p = distribution(mean, dispersion)
    assert count_p_value(p, draw(p)) > 1e-3


@pytest.mark.parametrize("seed", [0, 10])
def test_mean_and_dispersion_are_recovered_from_counts(seed, draw, assert_recovered):
    x = draw(distribution(4.0, 0.3), seed=seed)
    build = lambda v: NegativeBinomial(v[0].exp(), v[1].exp())  # noqa: E731
    assert_recovered(build, [np.log(4.0), np.log(0.3)], x)
