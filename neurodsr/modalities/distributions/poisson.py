r"""Counts of independent events: torch's Poisson distribution, with a likelihood that is fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.utils import broadcast_all

MOST_LOOKED_UP = 10_000
"""Largest count whose log-factorial is taken from a table."""


class Poisson(Distribution):
    r"""Counts $P(k) = e^{-\lambda}\lambda^k / k!$.

    The same as `torch.distributions.Poisson`, whose likelihood takes ten times as long on a CPU:
    torch evaluates $k \log \lambda$ and $\log k!$ number by number.

    Parameters
    ----------
    rate
        $\lambda$, the expected count, not negative; 0 allows no count but 0.
    validate_args
        Whether parameters and values are checked, as in torch.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate: Tensor | float, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """Expected count."""
        return self.rate

    @property
    def variance(self) -> Tensor:
        """Variance of the count, in squared counts."""
        return self.rate

    def expand(self, batch_shape: Sequence[int], _instance: None = None) -> Poisson:
        """The same distribution with its batch dimensions expanded."""
        return Poisson(self.rate.expand(torch.Size(batch_shape)), validate_args=self._validate_args)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Counts, in the number format of `rate`, by torch's global generator."""
        return torch.poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability of counts."""
        if self._validate_args:
            self._validate_sample(value)
        k = value.to(self.rate.dtype)
        # log(rate) has no finite gradient at 0, and does not matter where k is 0.
        log_rate = torch.where(k > 0, self.rate, 1.0).log()
        return k * log_rate - self.rate - log_factorial(k)


def log_factorial(k: Tensor) -> Tensor:
    r"""$\log k!$ of whole numbers $k \ge 0$, in their own number format.

    On a CPU the gamma function is slow, and counts are small: they are looked up.
    """
    if k.device.type != "cpu" or k.numel() == 0 or not k.amax().item() <= MOST_LOOKED_UP:
        return torch.lgamma(k + 1)
    codes = k.long().clamp_min(0)
    table = torch.lgamma(torch.arange(1, int(codes.amax()) + 2, dtype=k.dtype))
    return table.index_select(0, codes.flatten()).view(k.shape)
