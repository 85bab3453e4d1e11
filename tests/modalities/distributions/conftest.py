"""What the tests of every distribution do: draw, compare draws with probabilities, and fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Distribution

N_DRAWS = 20_000


@pytest.fixture(scope="session")
def draw() -> Callable[..., Tensor]:
    """A function that draws 20,000 values from a distribution, without touching the generator."""

    def sample(p: Distribution, *, seed: int = 0) -> Tensor:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return p.sample((N_DRAWS,))

    return sample


@pytest.fixture(scope="session")
def count_p_value() -> Callable[..., float]:
    """A function that gives the chi-square p value of counts under one count distribution."""

    def test(p: Distribution, counts: Tensor) -> float:
        codes = torch.arange(counts.max().item() + 1, dtype=torch.float64)
        expected = len(counts) * p.log_prob(codes).exp().numpy()
        observed = np.bincount(counts.int(), minlength=len(codes))
        # The statistic is chi-square distributed where some five are expected; the rest is pooled.
        common = expected >= 5
        rest = len(counts) - expected[common].sum()
        if rest < 1e-6:  # there is none, but for rounding
            return stats.chisquare(observed[common], expected[common]).pvalue
        observed = np.append(observed[common], observed[~common].sum())
        return stats.chisquare(observed, np.append(expected[common], rest)).pvalue

    return test


@pytest.fixture(scope="session")
def assert_recovered() -> Callable[..., None]:
    """A function that fits a distribution to values and finds the parameters they came from.

    `build` makes the distribution from a vector of unbounded parameters. Each must lie within three
    standard errors of the truth, by the inverse of the observed information.
    """

    def check(build: Callable[[Tensor], Distribution], truth: list[float], x: Tensor) -> None:
        found = fitted(build, torch.zeros(len(truth), dtype=torch.float64), x)
        information = torch.autograd.functional.hessian(
            lambda v: -build(v).log_prob(x).sum(), found
        )
        se = torch.linalg.inv(information).diagonal().sqrt()
        z = (found - torch.tensor(truth, dtype=torch.float64)) / se
        assert (z.abs() < 3).all(), z

    return check


def fitted(build: Callable[[Tensor], Distribution], start: Tensor, x: Tensor) -> Tensor:
    parameters = start.requires_grad_()
    loss = lambda: -build(parameters).log_prob(x).mean()  # noqa: E731
    optimizer = torch.optim.LBFGS(
        [parameters], max_iter=200, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)
    # At 20,000 values a standard error is some 0.01; a gradient this small is far below it.
    assert torch.autograd.grad(loss(), parameters)[0].abs().max() < 1e-6
    return parameters.detach()
