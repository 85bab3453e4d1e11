"""Cells of a distribution: their probabilities are the known ones, and samples fill them evenly."""

import math

import pytest
import torch
from scipy import stats
from torch.distributions import (
    Bernoulli,
    Beta,
    Categorical,
    Cauchy,
    Distribution,
    Exponential,
    Gamma,
    Laplace,
    LogNormal,
    Normal,
    Poisson,
    StudentT,
    VonMises,
)

from neurodsr.modalities.distributions.negative_binomial import NegativeBinomial
from neurodsr.modalities.distributions.ordered import Ordered
from neurodsr.modalities.distributions.zero_inflated_gamma import ZeroInflatedGamma
from neurodsr.testing.conformance.cells import cut
from neurodsr.testing.conformance.likelihood import NEAR, _require_uniform
from neurodsr.testing.conformance.verdict import ContractError, NotApplicableError

SHAPE = (6, 2)
CENTERS = torch.linspace(-3, 3, 12, dtype=torch.float64).reshape(SHAPE)


def grid(low, high):
    """Parameters of six bins and two channels, evenly spread."""
    return torch.linspace(low, high, 12, dtype=torch.float64).reshape(SHAPE)


DISTRIBUTIONS = {
    "normal": lambda: Normal(CENTERS, grid(0.01, 5)),
    "laplace, with a kink": lambda: Laplace(CENTERS, grid(0.1, 2)),
    "student": lambda: StudentT(grid(2, 30), CENTERS, grid(0.1, 2)),
    "cauchy, without a mean": lambda: Cauchy(CENTERS, grid(0.1, 2)),
    "gamma, infinite at 0": lambda: Gamma(grid(0.4, 9), grid(0.1, 4)),
    "exponential": lambda: Exponential(grid(0.01, 4)),
    "lognormal": lambda: LogNormal(CENTERS, grid(0.1, 1.5)),
    "beta, infinite at both ends": lambda: Beta(grid(0.5, 9), grid(0.5, 3)),
    "von mises": lambda: VonMises(CENTERS, grid(0.1, 200)),
    "poisson": lambda: Poisson(grid(0.001, 60)),
    "negative binomial": lambda: NegativeBinomial(grid(0.1, 20), grid(0.01, 3)),
    "bernoulli": lambda: Bernoulli(probs=grid(0.001, 0.999)),
    "categorical": lambda: Categorical(logits=torch.stack([CENTERS, -CENTERS, CENTERS**2], -1)),
    "ordered": lambda: Ordered(CENTERS, torch.tensor([-1.0, 0.5, math.inf]).double()),
    "zero-inflated gamma": lambda: ZeroInflatedGamma(CENTERS, grid(0.5, 4), grid(0.5, 2)),
}


@pytest.mark.parametrize("make", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
@pytest.mark.parametrize("seed", range(4))
def test_probabilities_sum_to_one_and_samples_fill_them_evenly(make, seed):
    torch.manual_seed(seed)
    p = make()
    cells = cut(p)
    assert (cells.total - 1).abs().max() < NEAR / 2  # a margin of two to what the kit asks for
    u = cells.uniform(p.sample((100,)).double())
    _require_uniform(u, what="samples", fix="")  # a false alarm once in 10^6


def test_a_cell_has_the_probability_of_the_cumulative_distribution():
    p = Normal(CENTERS[:, :1], torch.ones(6, 1, dtype=torch.float64))
    torch.manual_seed(0)
    cells = cut(p)
    known = torch.from_numpy(stats.norm.cdf(cells.edges[:, None, :] - CENTERS[None, :, :1]))
    torch.testing.assert_close(cells.masses[1:], known.diff(dim=0), rtol=0, atol=1e-9)


def test_the_probability_of_no_event_is_that_of_the_atom():
    torch.manual_seed(0)
    cells = cut(ZeroInflatedGamma(CENTERS, grid(1, 2), grid(1, 2)))
    assert (cells.atom == 0).all()
    torch.testing.assert_close(cells.masses[0], CENTERS.sigmoid())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda u: u**1.15,  # a sixth too much at the lower end
        lambda u: torch.where(u < 0.1, u / 2, u),
        lambda u: u * torch.nan,
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_numbers_that_are_not_uniform_are_found_out(wrong, seed):
    u = torch.rand(3000, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    with pytest.raises(ContractError, match="fix: draw properly"):
        _require_uniform(wrong(u), what="samples", fix="draw properly")


class WithoutSupport(Distribution):
    """A distribution that does not tell what values it takes."""


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (WithoutSupport(validate_args=False), "does not tell its `support`"),
        (Poisson(torch.full(SHAPE, 1e5)), "too many to sum over"),
    ],
)
def test_what_cannot_be_summed_up_is_told_so(p, said):
    with pytest.raises(NotApplicableError, match=said):
        cut(p)
