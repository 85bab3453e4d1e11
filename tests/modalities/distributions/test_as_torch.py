"""The distributions that torch has too, but slower: the same values, gradients and samples."""

import pytest
import torch

from neurodsr.modalities.distributions.gaussian import Gaussian
from neurodsr.modalities.distributions.poisson import MOST_LOOKED_UP, Poisson, log_factorial


def numbers(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


PAIRS = {
    "poisson": (
        lambda a, b: Poisson((a + b).exp()),
        lambda a, b: torch.distributions.Poisson((a + b).exp()),
        torch.tensor([0.0, 1.0, 2.0, 7.0, 300.0], dtype=torch.float64).view(5, 1, 1),
    ),
    "gaussian": (
        lambda a, b: Gaussian(a, b.exp()),
        lambda a, b: torch.distributions.Normal(a, b.exp()),
        torch.tensor([-50.0, 0.0, 0.3], dtype=torch.float64).view(3, 1, 1),
    ),
}
every_pair = pytest.mark.parametrize("name", PAIRS)


@every_pair
def test_likelihoods_moments_and_gradients_are_those_of_torch(name):
    ours, theirs, x = PAIRS[name]
    found = []
    for build in (ours, theirs):
        a, b = numbers(6, 4).requires_grad_(), numbers(4, seed=1).requires_grad_()
        p = build(a, b)
        likelihood = p.log_prob(x)
        gradients = torch.autograd.grad(likelihood.sum(), (a, b))
        found.append((likelihood, *gradients, p.mean, p.variance))
        assert p.batch_shape == (6, 4)
    for mine, torchs in zip(*found, strict=True):
        torch.testing.assert_close(mine, torchs, rtol=1e-12, atol=1e-12)


@every_pair
def test_samples_are_those_of_torch_to_the_bit(name):
    ours, theirs, _ = PAIRS[name]
    draws = []
    for build in (ours, theirs):
        with torch.random.fork_rng():
            torch.manual_seed(1)
            draws.append(build(numbers(6, 4), numbers(4, seed=1)).sample((3,)))
    assert torch.equal(*draws)


def test_a_rate_of_zero_allows_no_count_but_zero():
    p = Poisson(torch.zeros(2), validate_args=False)
    assert p.log_prob(torch.tensor([0.0, 1.0])).tolist() == [0.0, -torch.inf]


@pytest.mark.parametrize("largest", [0, 1, 170, MOST_LOOKED_UP, MOST_LOOKED_UP + 1])
def test_log_factorials_are_those_of_the_gamma_function(largest):
    k = torch.arange(largest + 1, dtype=torch.float64)
    assert torch.equal(log_factorial(k), torch.lgamma(k + 1))


def test_the_log_factorial_of_nothing_is_nothing():
    assert log_factorial(torch.zeros(0, 3)).shape == (0, 3)


def test_one_scale_for_many_entries_is_not_written_out():
    p = Gaussian(torch.zeros(50, 4), torch.ones(4))
    assert p.scale.shape == (4,)
    assert p.expand((2, 50, 4)).variance.shape == (2, 50, 4)
