r"""Deconvolved calcium events: mostly none at all, else of a positive, skewed size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, Gamma, constraints
from torch.distributions.utils import broadcast_all
from torch.nn.functional import logsigmoid


class ZeroInflatedGamma(Distribution):
    r"""Sizes of events: 0, no event, with probability $\pi$, and else a gamma variable.

    $P(x = 0) = \pi$, and for $x > 0$ the density
    $p(x) = (1 - \pi)\,\frac{b^a}{\Gamma(a)}\,x^{a - 1} e^{-bx}$. `log_prob` is the logarithm of a
    probability at 0 and of a density above: it depends on the unit of x, but comparisons of models
    on the same values do not.

    Parameters
    ----------
    gate_logits
        Log-odds of no event, $\log\frac{\pi}{1 - \pi}$.
    concentration
        Shape a of the sizes, positive: their squared mean over their variance.
    rate
        b, the inverse scale of the sizes, positive, in 1/unit of x. All three broadcast.
    validate_args
        Whether parameters and values are checked, as in torch.

    References
    ----------
    Wei et al. 2019, "A zero-inflated gamma model for post-deconvolved calcium imaging traces",
    bioRxiv 637652.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "gate_logits": constraints.real,
        "concentration": constraints.positive,
        "rate": constraints.positive,
    }
    support = constraints.nonnegative

    def __init__(
        self,
        gate_logits: Tensor | float,
        concentration: Tensor | float,
        rate: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self.gate_logits, self.concentration, self.rate = broadcast_all(
            gate_logits, concentration, rate
        )
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """Expected size, bins without an event included."""
        return torch.sigmoid(-self.gate_logits) * self.concentration / self.rate

    @property
    def variance(self) -> Tensor:
        """Variance of the size, bins without an event included."""
        return self.mean * (1 + torch.sigmoid(self.gate_logits) * self.concentration) / self.rate

    def expand(self, batch_shape: Sequence[int], _instance: None = None) -> ZeroInflatedGamma:
        """The same distribution with its batch dimensions expanded."""
        shape = torch.Size(batch_shape)
        parameters = (self.gate_logits, self.concentration, self.rate)
        return ZeroInflatedGamma(
            *(p.expand(shape) for p in parameters), validate_args=self._validate_args
        )

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Sizes, some of them exactly 0, by torch's global generator."""
        shape = self._extended_shape(sample_shape)
        sizes = Gamma(self.concentration, self.rate, validate_args=False)
        event = torch.bernoulli(torch.sigmoid(-self.gate_logits).expand(shape))
        return event * sizes.sample(torch.Size(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability of 0, log-density of a positive size."""
        if self._validate_args:
            self._validate_sample(value)
        x = value.to(self.rate.dtype)
        a, b = self.concentration, self.rate
        # log(x) has no finite gradient at 0, where it does not matter.
        size = torch.where(x > 0, x, 1.0)
        density = a * b.log() + (a - 1) * size.log() - b * size - torch.lgamma(a)
        return torch.where(
            x > 0, logsigmoid(-self.gate_logits) + density, logsigmoid(self.gate_logits)
        )
