r"""Numbers around a mean: the Gaussian distribution, for a noise that many entries share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Gaussian(Distribution):
    r"""Densities $p(x) = \frac{1}{\sqrt{2\pi}\sigma} e^{-(x - \mu)^2 / 2\sigma^2}$.

    The same as `torch.distributions.Normal`, which expands $\sigma$ to the shape of $\mu$ before
    it takes logarithms and squares: one number a channel becomes one an entry.

    Parameters
    ----------
    loc
        $\mu$.
    scale
        $\sigma$, positive; kept as it is given where it broadcasts with `loc`.
    validate_args
        Whether parameters and values are checked, as in torch.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real

    def __init__(self, loc: Tensor, scale: Tensor, validate_args: bool | None = None) -> None:
        shape = torch.broadcast_shapes(loc.shape, scale.shape)
        self.loc, self.scale = loc.expand(shape), scale
        super().__init__(shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        r"""$\mu$."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        r"""$\sigma^2$."""
        return self.scale.square().expand_as(self.loc)

    def expand(self, batch_shape: Sequence[int], _instance: None = None) -> Gaussian:
        """The same distribution with its batch dimensions expanded."""
        loc = self.loc.expand(torch.Size(batch_shape))
        return Gaussian(loc, self.scale, validate_args=self._validate_args)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Numbers by torch's global generator."""
        shape = self._extended_shape(sample_shape)
        return torch.normal(self.loc.expand(shape), self.scale.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density of numbers."""
        if self._validate_args:
            self._validate_sample(value)
        squared = ((value.to(self.loc.dtype) - self.loc) * self.scale.reciprocal()).square()
        return torch.sub(-self.scale.log() - HALF_LOG_2PI, squared, alpha=0.5)
