r"""The default family: a clipped shallow PLRNN whose free orbits cannot leave for infinity."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.models.dynamics import LatentDynamics


class ClippedShallow(LatentDynamics):
    r"""$z' = A z + W_1 [\mathrm{relu}(W_2 z + h_2) - \mathrm{relu}(W_2 z)] + h_1$, $|A| < 1$.

    The bracket is bounded by $|h_2|$ and $A = \tanh(a)$ contracts, so every free orbit stays
    bounded by construction.

    Parameters
    ----------
    a, W1, W2, h1, h2
        Shapes (member, latent), (member, latent, hidden), (member, hidden, latent),
        (member, latent), (member, hidden).

    References
    ----------
    Hess et al. 2023, ICML (the clipped shallow PLRNN). The bound on A by tanh is our own.
    """

    def __init__(
        self,
        a: Float[Tensor, "member latent"],
        W1: Float[Tensor, "member latent hidden"],
        W2: Float[Tensor, "member hidden latent"],
        h1: Float[Tensor, "member latent"],
        h2: Float[Tensor, "member hidden"],
    ) -> None:
        super().__init__()
        self.a, self.W1, self.W2 = nn.Parameter(a), nn.Parameter(W1), nn.Parameter(W2)
        self.h1, self.h2 = nn.Parameter(h1), nn.Parameter(h2)

    def as_map(self) -> PiecewiseLinearMap:
        """Canonical form with twice the hidden units: [W1, -W1], [W2; W2], [h2; 0]."""
        return PiecewiseLinearMap(
            A=self.a.tanh(),
            W1=torch.cat([self.W1, -self.W1], dim=-1),
            W2=torch.cat([self.W2, self.W2], dim=-2),
            h1=self.h1,
            h2=torch.cat([self.h2, torch.zeros_like(self.h2)], dim=-1),
        )

    @classmethod
    def draw(
        cls, latent_dim: int, hidden_dim: int, *, generators: list[torch.Generator]
    ) -> ClippedShallow:
        """A = 0.9; W1, W2 and h2 uniform.

        W1 in ±1/sqrt(hidden), W2 in ±1/sqrt(latent) as published; h2 in ±1, because with h2 near
        0 the clipped net starts linear and W1, W2 get no gradient.
        """
        uniform = lambda *shape, bound: torch.stack(  # noqa: E731  one line says more here
            [(2 * torch.rand(*shape, generator=g) - 1) * bound for g in generators]
        )
        n = len(generators)
        return cls(
            a=torch.full((n, latent_dim), math.atanh(0.9)),
            W1=uniform(latent_dim, hidden_dim, bound=hidden_dim**-0.5),
            W2=uniform(hidden_dim, latent_dim, bound=latent_dim**-0.5),
            h1=torch.zeros(n, latent_dim),
            h2=uniform(hidden_dim, bound=1.0),
        )
