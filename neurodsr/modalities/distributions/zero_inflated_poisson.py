r"""Counts of a channel that is silent at times: Poisson counts with additional zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.utils import broadcast_all
from torch.nn.functional import logsigmoid

from neurodsr.modalities.distributions.poisson import log_factorial


class ZeroInflatedPoisson(Distribution):
    r"""Counts that are 0 with probability $\pi$, and else Poisson counts, 0 among them.

    $P(0) = \pi + (1 - \pi)e^{-\lambda}$ and
    $P(k) = (1 - \pi)\,e^{-\lambda}\lambda^k / k!$ for $k > 0$. A zero is thus never attributed to
    one of its two causes; without the Poisson mass at 0 the probabilities would not sum to 1.

    Parameters
    ----------
    rate
        $\lambda$, the expected count of the Poisson part, not negative.
    gate_logits
        Log-odds of an additional zero, $\log\frac{\pi}{1 - \pi}$. Broadcasts with `rate`.
    validate_args
        Whether parameters and values are checked, as in torch.

    References
    ----------
    Lambert 1992, Technometrics 34:1-14.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "rate": constraints.nonnegative,
        "gate_logits": constraints.real,
    }
    support = constraints.nonnegative_integer

    def __init__(
        self, rate: Tensor | float, gate_logits: Tensor | float, validate_args: bool | None = None
    ) -> None:
        self.rate, self.gate_logits = broadcast_all(rate, gate_logits)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """Expected count, additional zeros included."""
        return torch.sigmoid(-self.gate_logits) * self.rate

    @property
    def variance(self) -> Tensor:
        """Variance of the count, in squared counts."""
        return self.mean * (1 + torch.sigmoid(self.gate_logits) * self.rate)

    def expand(self, batch_shape: Sequence[int], _instance: None = None) -> ZeroInflatedPoisson:
        """The same distribution with its batch dimensions expanded."""
        parameters = (p.expand(torch.Size(batch_shape)) for p in (self.rate, self.gate_logits))
        return ZeroInflatedPoisson(*parameters, validate_args=self._validate_args)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Poisson counts, some replaced by 0, by torch's global generator."""
        shape = self._extended_shape(sample_shape)
        counts = torch.poisson(self.rate.expand(shape))
        return counts * torch.bernoulli(torch.sigmoid(-self.gate_logits).expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability of counts."""
        if self._validate_args:
            self._validate_sample(value)
        k, rate, gate = broadcast_all(value.to(self.rate.dtype), self.rate, self.gate_logits)
        log_open = logsigmoid(-gate)
        zero = torch.logaddexp(logsigmoid(gate), log_open - rate)
        # log(rate) has no finite gradient at 0, and does not matter where k is 0.
        log_rate = torch.where(k > 0, rate, 1.0).log()
        return torch.where(k > 0, log_open + k * log_rate - rate - log_factorial(k), zero)
