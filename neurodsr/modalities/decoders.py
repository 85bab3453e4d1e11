"""The contract of an observation model: a latent path in, a distribution over what is seen out."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.distributions import Distribution


class Decoder(nn.Module, ABC):
    r"""Observation model $p(x_t \mid z)$ of one stream.

    It sees a whole window of latents, so that slow sensors may convolve over time inside it.
    The loss is `-(p.log_prob(x) * mask).sum() / mask.sum()`, a simulation is `p.sample()`.
    """

    @abstractmethod
    def forward(self, z: Float[Tensor, "*batch time latent"]) -> Distribution:
        """The distribution of every channel in every bin, batch shape (*batch, time, channel)."""

    @abstractmethod
    def initialize(
        self, x: Float[Tensor, "time channel"], mask: Bool[Tensor, "time channel"]
    ) -> None:
        """Set offsets and scales so that z = 0 gives the best constant prediction of the data."""

    @abstractmethod
    def predict(self, p: Distribution) -> Float[Tensor, "*batch time channel"]:
        """The point prediction in the stream's own unit: a mean, or the likeliest code."""


def masked_mean(
    x: Float[Tensor, "time channel"], mask: Bool[Tensor, "time channel"]
) -> Float[Tensor, " channel"]:
    """Mean over the observed bins of each channel; 0 for a channel never observed."""
    return (x * mask).sum(0) / mask.sum(0).clamp_min(1)


def masked_sd(
    x: Float[Tensor, "time channel"], mask: Bool[Tensor, "time channel"]
) -> Float[Tensor, " channel"]:
    """Standard deviation over the observed bins; 1 for a channel that does not vary."""
    variance = masked_mean((x - masked_mean(x, mask)) ** 2, mask)
    return torch.where(variance > 0, variance, torch.ones_like(variance)).sqrt()
