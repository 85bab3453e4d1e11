r"""Counts with a log-linear rate: $x_{tc} \sim \mathrm{Poisson}(\exp(w_c^\top z_t + b_c))$."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.distributions import Distribution, Poisson

from neurodsr.modalities.decoders import Decoder, masked_mean


class PoissonDecoder(Decoder):
    r"""Expected counts per bin are $\exp(w_c^\top z_t + b_c)$, capped at twice the largest count.

    The cap keeps a free run that strays from the data from producing infinite rates, a floor of
    $e^{-30}$ keeps every count possible.
    """

    def __init__(self, n_channels: int, latent_dim: int) -> None:
        super().__init__()
        self.log_rate = nn.Linear(latent_dim, n_channels)
        self.register_buffer("ceiling", torch.full((n_channels,), 4.0))

    def forward(self, z: Float[Tensor, "*batch time latent"]) -> Distribution:
        """Independent Poisson counts of every channel in every bin."""
        log_rate = self.log_rate(z).clamp_min(-30).minimum(self.ceiling)
        return Poisson(log_rate.exp(), validate_args=False)

    @torch.no_grad()
    def initialize(
        self, x: Float[Tensor, "time channel"], mask: Bool[Tensor, "time channel"]
    ) -> None:
        """Offsets become the log of the mean counts."""
        mean = masked_mean(x, mask)
        floor = 0.5 / mask.sum(0).clamp_min(1)
        self.log_rate.bias.copy_(mean.maximum(floor).log())
        self.ceiling.copy_((2 * x.amax(0).clamp_min(1)).log())

    def predict(self, p: Distribution) -> Float[Tensor, "*batch time channel"]:
        """Expected counts per bin."""
        return p.mean
