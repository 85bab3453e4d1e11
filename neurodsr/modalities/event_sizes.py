r"""Deconvolved calcium events: how often they come and how large they are, from the latents."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution

from neurodsr.modalities.decoders import Decoder, masked_mean
from neurodsr.modalities.distributions.zero_inflated_gamma import ZeroInflatedGamma
from neurodsr.modalities.filters.bounded import Bounded
from neurodsr.modalities.observed import Observed

SHAPE = (0.05, 100.0)
"""Bounds of the gamma's shape: sizes that are all but equal, or spread over orders."""
MAX_LOG = 8.0
"""Largest log of a mean size in units of the data's own, so that a stray free run stays finite."""


class EventSizeDecoder(Decoder):
    r"""No event with probability $\sigma(-u_c^\top z_t - v_c)$, else a gamma variable.

    Its mean is $s_c \exp(w_c^\top z_t + b_c)$ and its shape $a_c$ learned; the scale s is the mean
    size of the data's events.

    Parameters
    ----------
    n_channels
        Number of cells.
    latent_dim
        Dimension of the latent state.

    References
    ----------
    Wei et al. 2019, bioRxiv 637652 (zero-inflated gamma for deconvolved traces).
    """

    def __init__(self, n_channels: int, latent_dim: int) -> None:
        super().__init__()
        self.odds = nn.Linear(latent_dim, n_channels)
        self.log_size = nn.Linear(latent_dim, n_channels)
        self.shape = Bounded(*SHAPE, initial=torch.ones(n_channels))
        self.register_buffer("scale", torch.ones(n_channels))

    def forward(self, z: Float[Tensor, "*batch time latent"]) -> Distribution:
        """Independent sizes of every channel in every bin, most of them 0."""
        mean = self.scale * self.log_size(z).clamp(-MAX_LOG, MAX_LOG).exp()
        shape = self.shape()
        return ZeroInflatedGamma(-self.odds(z), shape, shape / mean, validate_args=False)

    @torch.no_grad()
    def initialize(self, seen: Observed) -> None:
        """Odds, mean size and shape become those of the data's events."""
        event = (seen.values > 0) & seen.mask
        number, n_bins = event.sum(0), seen.mask.sum(0)
        share = (number + 0.5) / (n_bins + 1)
        mean = torch.where(number > 0, masked_mean(seen.values, event), 1.0)
        log_mean = masked_mean(torch.where(event, seen.values, 1.0).log(), event)
        shape = torch.where(number > 1, _likeliest_shape(mean.log() - log_mean), 1.0)
        self.scale.copy_(mean)
        self.odds.bias.copy_(torch.logit(share))
        self.log_size.bias.zero_()
        self.shape.set(shape)

    def predict(self, p: Distribution) -> Float[Tensor, "*batch time channel"]:
        """Expected size, bins without an event included."""
        return p.mean


def _likeliest_shape(excess: Float[Tensor, " channel"]) -> Float[Tensor, " channel"]:
    r"""The gamma shape with $\ln a - \psi(a)$ as given: log of the mean less mean of the logs.

    Newton's method from Minka's start, which is within 2 % of the solution.

    References
    ----------
    Minka 2002, "Estimating a Gamma distribution" (technical report).
    """
    s = excess.clamp_min(1e-6)
    a = (3 - s + ((s - 3) ** 2 + 24 * s).sqrt()) / (12 * s)
    for _ in range(4):
        slope = 1 / a - torch.polygamma(1, a)
        a = (a - (a.log() - torch.digamma(a) - s) / slope).maximum(0.5 * a)
    return a
