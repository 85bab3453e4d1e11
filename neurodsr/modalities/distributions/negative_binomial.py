r"""Counts that vary more than Poisson counts: negative binomial by its mean and dispersion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, Gamma, constraints
from torch.distributions.utils import broadcast_all

from neurodsr.modalities.distributions.poisson import log_factorial

# Below this dispersion (r > 10) seven terms of Stirling's series are as good as float64, their
# derivative too.
STIRLING_BELOW = 0.1
# Below this argument so are four terms of atanh's.
SERIES_BELOW = 0.05
# A gamma variable this concentrated is 1 to six digits: a Poisson count, for a simulation.
LEAST_SIMULATED_DISPERSION = 1e-12


class NegativeBinomial(Distribution):
    r"""Counts whose variance grows faster than their mean, as that of most neurons' spikes does.

    $P(k) = \frac{\Gamma(k + r)}{\Gamma(r)\,k!}\,(1 - p)^r p^k$ with $r = 1/\alpha$ and
    $p = \alpha\mu / (1 + \alpha\mu)$: the mean is $\mu$, the variance $\mu + \alpha\mu^2$. This is
    `torch.distributions.NegativeBinomial(r, p)` and SciPy's `nbinom(r, 1 - p)`. Where the
    dispersion $\alpha$ goes to 0 those two subtract numbers that grow without bound; here the
    logarithm is taken as

    $\log P(k) = k\log\mu - \log k! - \tfrac{1}{\alpha}\log(1 + \alpha\mu) - k\log(1 + \alpha\mu)
    + \sum_{j<k}\log(1 + \alpha j)$,

    whose terms are all finite, and at $\alpha = 0$ those of the Poisson distribution.

    Parameters
    ----------
    mean
        Expected count, not negative; 0 allows no count but 0.
    dispersion
        $\alpha$, not negative; 0 is the Poisson distribution. Broadcasts with `mean`.
    validate_args
        Whether parameters and values are checked, as in torch.

    References
    ----------
    Cameron & Trivedi 2013, Regression Analysis of Count Data (NB2).
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "mean": constraints.nonnegative,
        "dispersion": constraints.nonnegative,
    }
    support = constraints.nonnegative_integer

    def __init__(
        self, mean: Tensor | float, dispersion: Tensor | float, validate_args: bool | None = None
    ) -> None:
        self._mean, self.dispersion = broadcast_all(mean, dispersion)
        super().__init__(self._mean.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """Expected count."""
        return self._mean

    @property
    def variance(self) -> Tensor:
        """Variance of the count, in squared counts."""
        return self.mean * (1 + self.dispersion * self.mean)

    def expand(self, batch_shape: Sequence[int], _instance: None = None) -> NegativeBinomial:
        """The same distribution with its batch dimensions expanded."""
        parameters = (p.expand(torch.Size(batch_shape)) for p in (self.mean, self.dispersion))
        return NegativeBinomial(*parameters, validate_args=self._validate_args)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Poisson counts whose rate is a gamma variable, by torch's global generator."""
        r = 1 / self.dispersion.clamp_min(LEAST_SIMULATED_DISPERSION)
        gain = Gamma(r, r, validate_args=False).sample(torch.Size(sample_shape))
        return torch.poisson(self.mean * gain)

    def log_prob(self, value: Tensor) -> Tensor:
        r"""Log-probability of counts, to within the rounding of its largest term, $k\log k$."""
        if self._validate_args:
            self._validate_sample(value)
        k, mean, dispersion = broadcast_all(value.to(self.mean.dtype), self.mean, self.dispersion)
        x = dispersion * mean
        # log(mean) has no finite gradient at 0, and does not matter where k is 0.
        log_mean = torch.where(k > 0, mean, 1.0).log()
        poisson = k * log_mean - log_factorial(k) - mean
        return poisson - mean * _log1p_excess(x) - k * x.log1p() + _log_rising(k, dispersion)


def _log1p_excess(x: Tensor) -> Tensor:
    r"""$\log(1 + x)/x - 1$ for $x \ge 0$, with exact derivatives where x is small or 0."""
    small = x < SERIES_BELOW
    # log(1 + x) = 2 atanh(s), which converges four times as fast as the series in x.
    s = torch.where(small, x, 0.0)
    s = s / (2 + s)
    q = s * s
    series = (1 - s) * q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q / 9))) - s
    large = torch.where(small, 1.0, x)
    return torch.where(small, series, large.log1p() / large - 1)


def _log_rising(k: Tensor, a: Tensor) -> Tensor:
    r"""$\sum_{j<k}\log(1 + aj) = \log\Gamma(k + 1/a) - \log\Gamma(1/a) + k\log a$."""
    small = a < STIRLING_BELOW
    b = torch.where(small, a, 0.0)
    x = b * k
    by_stirling = k * _log1p_excess(x) + (k - 0.5) * x.log1p()
    by_stirling = by_stirling + _stirling_error(b / (1 + x)) - _stirling_error(b)
    c = torch.where(small, 1.0, a)
    by_gamma = torch.lgamma(k + 1 / c) - torch.lgamma(1 / c) + k * c.log()
    return torch.where(small, by_stirling, by_gamma)


def _stirling_error(y: Tensor) -> Tensor:
    r"""What $\log\Gamma(1/y)$ exceeds Stirling's $(1/y - 1/2)\log(1/y) - 1/y + \log\sqrt{2\pi}$ by.

    Stirling's series, dlmf.nist.gov 5.11.1.
    """
    q = y * y
    tail = 1 / 1260 - q * (1 / 1680 - q * (1 / 1188 - q * (691 / 360360 - q / 156)))
    return y * (1 / 12 - q * (1 / 360 - q * tail))
