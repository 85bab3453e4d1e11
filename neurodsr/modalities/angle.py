r"""Angles around a direction: a vector linear in the latents points, von Mises noise strays."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution

from neurodsr.modalities.decoders import Decoder, masked_mean
from neurodsr.modalities.distributions.von_mises import VonMises
from neurodsr.modalities.filters.bounded import Bounded
from neurodsr.modalities.observed import Observed

CONCENTRATION = (0.01, 1e4)
"""Bounds of the concentration, 1/rad²: from no direction at all to a spread of 0.6 degrees."""
SMALLEST = 1e-6
"""Length of a readout below which it has no direction."""


class AngleDecoder(Decoder):
    r"""Angles around the direction of a vector that is linear in the latents.

    $(c_{tc}, s_{tc})^\top = W_c z_t + b_c$ points where the channel is expected; how far angles
    stray from there is the channel's own concentration $\kappa_c$, learned between 0.01 and
    10000. The vector's length plays no part.

    Parameters
    ----------
    n_channels
        Number of angles.
    latent_dim
        Dimension of the latent state.
    """

    def __init__(self, n_channels: int, latent_dim: int) -> None:
        super().__init__()
        self.vector = nn.Linear(latent_dim, 2 * n_channels)
        self.concentration = Bounded(*CONCENTRATION, initial=torch.ones(n_channels))

    def forward(self, z: Float[Tensor, "*batch time latent"]) -> Distribution:
        """Independent von Mises distributions of every channel in every bin."""
        cosine, sine = self.vector(z).unflatten(-1, (-1, 2)).unbind(-1)
        return VonMises(_direction(cosine, sine), self.concentration(), validate_args=False)

    @torch.no_grad()
    def initialize(self, seen: Observed) -> None:
        r"""Direction and concentration become the likeliest constant ones.

        They are the circular mean, and the $\kappa$ with $I_1(\kappa) / I_0(\kappa) = R$, the
        length of the mean vector.
        """
        x = seen.values.double()
        cosine, sine = masked_mean(x.cos(), seen.mask), masked_mean(x.sin(), seen.mask)
        direction = torch.atan2(sine, cosine)
        self.vector.bias.copy_(torch.stack([direction.cos(), direction.sin()], -1).flatten())
        likeliest = _concentration(1 - torch.hypot(cosine, sine))
        self.concentration.set(likeliest)

    def predict(self, p: Distribution) -> Float[Tensor, "*batch time channel"]:
        """Circular mean, rad."""
        return p.mean


def _direction(
    cosine: Float[Tensor, "*batch time channel"], sine: Float[Tensor, "*batch time channel"]
) -> Float[Tensor, "*batch time channel"]:
    """The angle of a vector, rad; at the origin 0, with a gradient that is large but finite."""
    nowhere = cosine.square() + sine.square() < SMALLEST**2
    return torch.atan2(sine, torch.where(nowhere, SMALLEST, cosine))


def _concentration(variance: Float[Tensor, " channel"]) -> Float[Tensor, " channel"]:
    """The concentration of a circular variance, within the bounds, by bisection."""
    low, high = (torch.full_like(variance, bound) for bound in CONCENTRATION)
    for _ in range(60):  # halves a ratio of 10^6 down to the last digit of float64
        middle = (low * high).sqrt()
        wider = VonMises(0.0, middle, validate_args=False).variance > variance
        low, high = torch.where(wider, middle, low), torch.where(wider, high, middle)
    return (low * high).sqrt()
