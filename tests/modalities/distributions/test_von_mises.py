"""Angles: the density for every concentration, simulation that ends, and circular moments."""

import math

import numpy as np
import pytest
import torch
from scipy import special, stats

from neurodsr.modalities.distributions.von_mises import HANKEL_ABOVE, VonMises

CONCENTRATIONS = [1e-8, 0.3, 4.0, 29.0, 31.0, 1e3]
# A periodic function's mean over evenly spaced angles converges faster than any power; the
# narrowest peak here, of sd 0.03, is met by 600 of them.
CIRCLE = torch.linspace(-math.pi, math.pi, 100_001, dtype=torch.float64)[:-1]


def distribution(loc, concentration, dtype=torch.float64):
    return VonMises(*(torch.tensor(v, dtype=dtype) for v in (loc, concentration)))


@pytest.mark.parametrize("concentration", CONCENTRATIONS)
def test_the_density_integrates_to_one_with_the_stated_circular_moments(concentration):
    p = distribution(0.7, concentration)
    weights = p.log_prob(CIRCLE).exp() * (2 * math.pi / len(CIRCLE))
    assert weights.sum().item() == pytest.approx(1, rel=1e-12)
    cos, sin = ((weights * f(CIRCLE)).sum() for f in (torch.cos, torch.sin))
    assert 1 - torch.hypot(cos, sin).item() == pytest.approx(p.variance.item(), abs=1e-13)
    if concentration > 1e-3:  # below, there is no direction to speak of
        assert torch.atan2(sin, cos).item() == pytest.approx(p.mean.item(), rel=1e-11)


@pytest.mark.parametrize(("dtype", "eps"), [(torch.float64, 2e-16), (torch.float32, 1e-7)])
@pytest.mark.parametrize("concentration", [1e-8, 0.3, 4.0, 29.9, 30.1, 1e4])
def test_the_density_is_that_of_scipy(concentration, dtype, eps):
    x = torch.linspace(-3, 3, 25, dtype=dtype)
    p = distribution(0.25, concentration, dtype)
    expected = stats.vonmises.logpdf(x.double(), p.concentration.item(), 0.25)
    # An angle rounded to eps, against a slope of at most the concentration.
    np.testing.assert_allclose(
        p.log_prob(x), expected, rtol=10 * eps, atol=10 * eps * concentration
    )


def test_a_large_concentration_is_a_gaussian_in_float32():
    """Of variance 1e-8: the next term of the expansion of the cosine is 1e-8 of the first."""
    x = torch.linspace(-3e-4, 3e-4, 13)
    found = distribution(0.0, 1e8, torch.float32).log_prob(x)
    np.testing.assert_allclose(found, stats.norm.logpdf(x.double(), 0, 1e-4), rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_by_the_concentration_is_the_missing_length_of_the_mean_vector(dtype):
    r"""$\partial_\kappa \log p(\mu) = 1 - I_1/I_0$, to the digits that a difference leaves."""
    k = torch.tensor([1e-3, 0.3, 4.0, 29.9, 30.1, 1e4, 1e10], dtype=dtype, requires_grad=True)
    p = VonMises(torch.zeros(7, dtype=dtype), k)
    (gradient,) = torch.autograd.grad(p.log_prob(torch.zeros(7, dtype=dtype)).sum(), k)
    # Up to 30, 1 - A(30) = 0.017 is a difference of two numbers near 1; above, nothing is lost.
    rtol = 200 * torch.finfo(dtype).eps
    torch.testing.assert_close(gradient, p.variance.detach(), rtol=rtol, atol=0)
    above = torch.tensor([1e4, 1e10], dtype=dtype)
    expansion = 1 / (2 * above) + 1 / (8 * above**2) + 1 / (8 * above**3)
    torch.testing.assert_close(p.variance[-2:].detach(), expansion)


def test_the_circular_variance_is_a_ratio_of_bessel_functions():
    k = torch.tensor([1e-8, 0.3, 4.0, 29.9, 30.1, 300.0], dtype=torch.float64)
    expected = 1 - special.i1e(k.numpy()) / special.i0e(k.numpy())
    np.testing.assert_allclose(VonMises(torch.zeros_like(k), k).variance, expected, rtol=1e-12)


def test_both_bessel_functions_meet_where_one_hands_over_to_the_other():
    k = HANKEL_ABOVE * torch.tensor([1 - 1e-12, 1 + 1e-12], dtype=torch.float64)
    p = VonMises(torch.zeros_like(k), k)
    x = torch.tensor(0.1, dtype=torch.float64)
    assert p.log_prob(x).diff().abs().item() < 1e-12
    assert p.variance.diff().abs().item() < 1e-12


def test_angles_count_modulo_a_turn():
    p = distribution(0.7, 4.0)
    turns = torch.tensor([-4.0, 0.0, 2.0], dtype=torch.float64) * math.pi
    found = p.log_prob(1 + turns)
    torch.testing.assert_close(found, found[1].expand(3), rtol=1e-13, atol=1e-13)
    assert distribution(0.7 + 6 * math.pi, 4.0).mean.item() == pytest.approx(0.7)


@pytest.mark.parametrize("concentration", CONCENTRATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_samples_follow_the_density(concentration, dtype, draw):
    x = draw(distribution(0.7, concentration, dtype)).double().numpy()
    assert np.abs(x).max() <= np.float32(math.pi)
    around_mean = (x - 0.7 + math.pi) % (2 * math.pi) - math.pi
    assert stats.kstest(around_mean, stats.vonmises(concentration).cdf).pvalue > 1e-3


@pytest.mark.parametrize("concentration", [1e6, 1e12, 1e30])
def test_samples_of_a_large_concentration_are_gaussian_in_float32(concentration, draw):
    x = draw(distribution(0.0, concentration, torch.float32)).double()
    assert stats.kstest(x * math.sqrt(concentration), stats.norm.cdf).pvalue > 1e-3


def test_without_concentration_samples_are_uniform(draw):
    x = draw(VonMises(torch.tensor(0.0), torch.tensor(0.0), validate_args=False))
    assert stats.kstest(x.double(), stats.uniform(-math.pi, 2 * math.pi).cdf).pvalue > 1e-3


def test_simulation_ends_for_a_concentration_that_is_no_number():
    concentration = torch.tensor([1.0, torch.nan])
    x = VonMises(torch.zeros(2), concentration, validate_args=False).sample((10,))
    assert x[:, 0].isfinite().all()
    assert x[:, 1].isnan().all()


@pytest.mark.parametrize("seed", [0, 10])
def test_direction_and_concentration_are_recovered_from_angles(seed, draw, assert_recovered):
    x = draw(distribution(0.7, 2.5), seed=seed)
    assert_recovered(lambda v: VonMises(v[0], v[1].exp()), [0.7, np.log(2.5)], x)
