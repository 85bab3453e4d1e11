"""Deconvolved events: a mass at zero, a gamma density above it."""

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from neurodsr.modalities.distributions.zero_inflated_gamma import ZeroInflatedGamma

every_parameter = pytest.mark.parametrize(
    ("gate", "concentration", "rate"), [(1.0, 2.5, 3.0), (-2.0, 0.6, 0.1), (3.0, 30.0, 100.0)]
)


def distribution(gate, concentration, rate):
    parameters = (torch.tensor(v, dtype=torch.float64) for v in (gate, concentration, rate))
    return ZeroInflatedGamma(*parameters)


def moment(p, order):
    """Integral of x^order over the density above zero, in x = e^u, where it has no pole."""

    def integrand(u):
        x = torch.tensor(np.exp(u), dtype=torch.float64)
        return (p.log_prob(x).exp() * x ** (order + 1)).item()

    peak = np.log((p.concentration / p.rate).item())
    return integrate.quad(integrand, peak - 80, peak + 8, points=[peak], limit=200)[0]


@every_parameter
def test_mass_and_density_make_one_with_the_stated_moments(gate, concentration, rate):
    p = distribution(gate, concentration, rate)
    at_zero = p.log_prob(torch.tensor(0.0)).exp().item()
    assert at_zero == pytest.approx(special.expit(gate))
    assert at_zero + moment(p, 0) == pytest.approx(1, rel=1e-7)
    assert moment(p, 1) == pytest.approx(p.mean.item(), rel=1e-7)
    assert moment(p, 2) - moment(p, 1) ** 2 == pytest.approx(p.variance.item(), rel=1e-6)


@every_parameter
def test_the_density_is_that_of_scipy(gate, concentration, rate):
    x = np.geomspace(1e-6, 50, 40)
    expected = np.log1p(-special.expit(gate)) + stats.gamma.logpdf(x, concentration, scale=1 / rate)
    found = distribution(gate, concentration, rate).log_prob(torch.from_numpy(x))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@every_parameter
def test_samples_follow_mass_and_density(gate, concentration, rate, draw):
    x = draw(distribution(gate, concentration, rate)).numpy()
    n_zeros = int((x == 0).sum())
    assert stats.binomtest(n_zeros, len(x), special.expit(gate)).pvalue > 1e-3
    sizes = stats.gamma(concentration, scale=1 / rate)
    assert stats.kstest(x[x > 0], sizes.cdf).pvalue > 1e-3


def test_only_a_bin_without_an_event_is_simulated_as_zero(draw):
    """Also where most sizes are too small for the number format."""
    p = ZeroInflatedGamma(torch.tensor(-30.0), torch.tensor(1e-3), torch.tensor(1.0))
    assert (draw(p) > 0).all()


@pytest.mark.parametrize("seed", [0, 10])
def test_gate_shape_and_rate_are_recovered_from_events(seed, draw, assert_recovered):
    x = draw(distribution(0.8, 1.7, 3.0), seed=seed)
    build = lambda v: ZeroInflatedGamma(v[0], v[1].exp(), v[2].exp())  # noqa: E731
    assert_recovered(build, [0.8, np.log(1.7), np.log(3.0)], x)
