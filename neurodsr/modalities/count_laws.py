"""The distributions that counts may have around their rate, and the best constant one of each."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution

from neurodsr.modalities.distributions.negative_binomial import NegativeBinomial
from neurodsr.modalities.distributions.poisson import Poisson
from neurodsr.modalities.distributions.zero_inflated_poisson import ZeroInflatedPoisson
from neurodsr.modalities.exposure import mean_rate, per_whole_bin, watched
from neurodsr.modalities.observed import Observed

MIN_DISPERSION, MAX_DISPERSION = 0.01, 100.0
MIN_GATE, MAX_GATE = 0.01, 0.99
"""Where a fit begins: at no bound, where gradients vanish."""


class CountLaw(nn.Module, ABC):
    """How the counts of each unit scatter around a rate; what it learns is one number a unit."""

    @abstractmethod
    def forward(self, rate: Float[Tensor, "*batch channel"]) -> Distribution:
        """The counts of bins of the given rates."""

    @abstractmethod
    def fit(self, seen: Observed) -> Float[Tensor, " channel"]:
        """Set the law's own numbers, and give the constant rate with which it fits the data best.

        Estimates by moments, exact for the mean where all bins were watched whole; finite for
        units that were never observed.
        """

    def largest_rate(
        self, seen: Observed, rate: Float[Tensor, " channel"]
    ) -> Float[Tensor, " channel"]:
        """Rates that are never exceeded, so that a free run stays finite.

        An optional hook. The default is twice the largest count of a bin, or twice the best
        constant rate, if that is larger.
        """
        return 2 * per_whole_bin(seen).amax(0).clamp_min(1).maximum(rate)


class PoissonLaw(CountLaw):
    r"""Counts of independent spikes: $x \sim \mathrm{Poisson}(\lambda)$."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()

    def forward(self, rate: Float[Tensor, "*batch channel"]) -> Distribution:
        """Mean and variance are the rate."""
        return Poisson(rate, validate_args=False)

    def fit(self, seen: Observed) -> Float[Tensor, " channel"]:
        """The mean count."""
        return mean_rate(seen)[0]


class NegativeBinomialLaw(CountLaw):
    r"""Counts that vary more than Poisson ones: mean $\lambda$, variance $\lambda + a\lambda^2$.

    A rate that varies by itself from bin to bin, with a gamma distribution. Dispersion a is one
    number a unit, and holds for bins watched in part as well: it is the rate that varies.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.log_dispersion = nn.Parameter(torch.zeros(n_channels))

    def forward(self, rate: Float[Tensor, "*batch channel"]) -> Distribution:
        """The mean is the rate."""
        return NegativeBinomial(rate, self.log_dispersion.exp(), validate_args=False)

    @torch.no_grad()
    def fit(self, seen: Observed) -> Float[Tensor, " channel"]:
        r"""The mean count; $1 + a = \mathrm E[x(x - 1)] / \lambda^2$."""
        rate, _ = mean_rate(seen)
        dispersion = mean_pairs(seen) / rate**2 - 1
        self.log_dispersion.copy_(dispersion.clamp(MIN_DISPERSION, MAX_DISPERSION).log())
        return rate


class ZeroInflatedLaw(CountLaw):
    r"""Poisson counts of a unit that is silent in a fraction $\pi$ of the bins, whatever the rate.

    $P(0) = \pi + (1 - \pi)e^{-\lambda}$; one number $\pi$ a unit.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.gate_logits = nn.Parameter(torch.zeros(n_channels))

    def forward(self, rate: Float[Tensor, "*batch channel"]) -> Distribution:
        r"""The mean is $(1 - \pi)\lambda$."""
        return ZeroInflatedPoisson(rate, self.gate_logits, validate_args=False)

    @torch.no_grad()
    def fit(self, seen: Observed) -> Float[Tensor, " channel"]:
        r"""$1 - \pi = \mathrm E[x]^2 / \mathrm E[x(x - 1)]$, $\lambda = \mathrm E[x]/(1 - \pi)$."""
        mean, _ = mean_rate(seen)
        gate = (1 - mean**2 / mean_pairs(seen)).clamp(MIN_GATE, MAX_GATE)
        self.gate_logits.copy_(gate.logit())
        return mean / (1 - gate)


class BernoulliLaw(CountLaw):
    r"""A spike or none in a fine bin: $P(1) = 1 - e^{-\lambda}$.

    That is the probability of a Poisson count above 0. A rate so means what it means for the
    other laws: it adds up over time, exposure scales it, and bits and rates of the same unit can
    be compared, whereas a logit would mean something else for each bin width.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()

    def forward(self, rate: Float[Tensor, "*batch channel"]) -> Distribution:
        """The mean is the probability of a spike."""
        # Log-odds log(p / (1 - p)), from log(1 - p) = -rate, which no rounding spoils.
        log_odds = rate + (-(-rate).expm1()).log()
        return Bernoulli(logits=log_odds, validate_args=False)

    def fit(self, seen: Observed) -> Float[Tensor, " channel"]:
        """The rate of the mean probability, at the mean exposure."""
        number = seen.mask.sum(0).clamp_min(1)
        p = ((seen.values * seen.mask).sum(0) / number).maximum(0.5 / number)
        whole = watched(seen).sum(0) / number
        return -(-p.minimum(1 - 0.5 / number)).log1p() / torch.where(whole > 0, whole, 1)

    def largest_rate(
        self, seen: Observed, rate: Float[Tensor, " channel"]
    ) -> Float[Tensor, " channel"]:
        """A silent bin stays as likely as half a one of all that were seen."""
        most = (2.0 * seen.mask.sum(0)).clamp_min(8).log()
        return most.to(rate.dtype).maximum(2 * rate)


def mean_pairs(seen: Observed) -> Float[Tensor, " channel"]:
    r"""Mean number $\sum x(x - 1) / \sum e^2$ of ordered pairs of spikes in a whole bin.

    It is the square of the rate for Poisson counts, and an excess tells of another law.
    """
    squares = (watched(seen) ** 2).sum(0)
    pairs = (seen.values * (seen.values - 1) * seen.mask).sum(0)
    return pairs / torch.where(squares > 0, squares, 1)
