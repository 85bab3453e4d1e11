r"""Continuous signals, linear mean: $x_{tc} \sim \mathcal N(w_c^\top z_t + b_c, \sigma_c^2)$."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution

from neurodsr.modalities.decoders import MIN_LOG_NOISE, Decoder, masked_mean, masked_sd
from neurodsr.modalities.distributions.gaussian import Gaussian
from neurodsr.modalities.observed import Observed


class GaussianDecoder(Decoder):
    r"""Mean $m_c + s_c (w_c^\top z_t + b_c)$ and noise $s_c e^{\ell_c}$ in the stream's own unit.

    Center m and scale s are those of the data, so that pixels and metres train alike.
    """

    def __init__(self, n_channels: int, latent_dim: int) -> None:
        super().__init__()
        self.mean = nn.Linear(latent_dim, n_channels)
        self.log_noise = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("center", torch.zeros(n_channels))
        self.register_buffer("scale", torch.ones(n_channels))

    def forward(self, z: Float[Tensor, "*batch time latent"]) -> Distribution:
        """Independent Gaussians of every channel in every bin."""
        mean = self.center + self.scale * self.mean(z)
        noise = self.scale * self.log_noise.clamp_min(MIN_LOG_NOISE).exp()
        return Gaussian(mean, noise, validate_args=False)

    @torch.no_grad()
    def initialize(self, seen: Observed) -> None:
        """Center and scale become the mean and standard deviation of the observed data."""
        self.center.copy_(masked_mean(seen.values, seen.mask))
        self.scale.copy_(masked_sd(seen.values, seen.mask))
        self.mean.bias.zero_()
        self.log_noise.zero_()

    def predict(self, p: Distribution) -> Float[Tensor, "*batch time channel"]:
        """Mean of the signal."""
        return p.mean
