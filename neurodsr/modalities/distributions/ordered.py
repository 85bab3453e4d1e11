r"""Graded labels, such as the difficulty of a trial: a cumulative-link distribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.nn.functional import logsigmoid, pad


class _Ascending(constraints.Constraint):
    """Along the last axis strictly ascending and above -inf; it may end in +inf, repeatedly."""

    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        lower, upper = value[..., :-1], value[..., 1:]
        ascending = (lower < upper) | ((lower > -torch.inf) & (upper == torch.inf))
        return (value > -torch.inf).all(-1) & ascending.all(-1)


class Ordered(Distribution):
    r"""Levels 0..K-1 that have an order but no distances: thresholds cut a hidden quantity.

    $P(x \le k) = \sigma(\theta_k - \eta)$: x is the number of thresholds below $\eta + \epsilon$,
    with $\epsilon$ standard logistic. With $\theta_{-1} = -\infty$ and $\theta_{K-1} = \infty$,

    $\log P(x = k) = \log\sigma(\theta_k - \eta) + \log\sigma(\eta - \theta_{k-1})
    + \log(1 - e^{\theta_{k-1} - \theta_k})$,

    which is the logarithm of the difference of two sigmoids without subtracting them. Where
    rounding makes two thresholds equal, their distance is taken as the smallest positive number, so
    that no level of the channel is impossible.

    Parameters
    ----------
    location
        $\eta$, shape (*batch); larger is a higher level.
    thresholds
        $\theta_0 < \dots < \theta_{K-2}$, shape (*batch, K - 1), where the batch shape broadcasts
        with that of `location`. Entries of +inf at the end take the last levels away from a
        channel that has fewer than others.
    validate_args
        Whether parameters and values are checked, as in torch.

    References
    ----------
    McCullagh 1980, J. R. Stat. Soc. B 42:109-142 (the proportional-odds model).
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "location": constraints.real,
        "thresholds": _Ascending(),
    }

    def __init__(
        self, location: Tensor, thresholds: Tensor, validate_args: bool | None = None
    ) -> None:
        shape = torch.broadcast_shapes(location.shape, thresholds.shape[:-1])
        self.location = location.expand(shape)
        self.thresholds = thresholds.expand(*shape, thresholds.shape[-1])
        super().__init__(shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> constraints.Constraint:
        """The codes that each channel has."""
        return constraints.integer_interval(0, (self.thresholds < torch.inf).sum(-1))

    @property
    def log_probs(self) -> Tensor:
        """Log-probability of every level, shape (*batch, K); -inf of levels a channel lacks."""
        lower = pad(self.thresholds, (1, 0), value=-torch.inf)
        upper = pad(self.thresholds, (0, 1), value=torch.inf)
        # A level that a channel lacks lies between inf and inf, whose difference is not a number.
        gap = torch.where(lower < torch.inf, upper - lower, torch.inf)
        gap = gap.clamp_min(torch.finfo(gap.dtype).tiny)
        eta = self.location.unsqueeze(-1)
        return logsigmoid(upper - eta) + logsigmoid(eta - lower) + (-torch.expm1(-gap)).log()

    @property
    def probs(self) -> Tensor:
        """Probability of every level, shape (*batch, K)."""
        return self.log_probs.exp()

    @property
    def mean(self) -> Tensor:
        r"""Expected code, $\sum_k P(x > k)$."""
        return torch.sigmoid(self.location.unsqueeze(-1) - self.thresholds).sum(-1)

    @property
    def variance(self) -> Tensor:
        """Variance of the code."""
        codes = torch.arange(self.thresholds.shape[-1] + 1, device=self.location.device)
        return (self.probs * (codes - self.mean.unsqueeze(-1)) ** 2).sum(-1)

    @property
    def mode(self) -> Tensor:
        """The likeliest code."""
        return self.log_probs.argmax(-1).to(self.location.dtype)

    def expand(self, batch_shape: Sequence[int], _instance: None = None) -> Ordered:
        """The same distribution with its batch dimensions expanded."""
        location = self.location.expand(torch.Size(batch_shape))
        return Ordered(location, self.thresholds, validate_args=self._validate_args)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Codes, in the number format of `location`, by torch's global generator."""
        shape = self._extended_shape(sample_shape)
        uniform = torch.rand(shape, dtype=self.location.dtype, device=self.location.device)
        hidden = self.location + torch.logit(uniform)
        return (self.thresholds < hidden.unsqueeze(-1)).sum(-1).to(self.location.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability of codes, whole numbers of any number format."""
        if self._validate_args:
            self._validate_sample(value)
        codes, log_probs = torch.broadcast_tensors(value.long().unsqueeze(-1), self.log_probs)
        return log_probs.gather(-1, codes[..., :1]).squeeze(-1)
