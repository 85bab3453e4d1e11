r"""Ordered answers cut from a linear quantity: $P(x_t \le k) = \sigma(\theta_k - w^\top z_t)$."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import pad

from neurodsr.modalities.decoders import Decoder
from neurodsr.modalities.distributions.ordered import Ordered
from neurodsr.modalities.observed import Observed

LOG_GAP = (-9.0, 4.0)
"""Bounds of the log distance of two thresholds: no level between two others is impossible."""


class OrdinalDecoder(Decoder):
    r"""Levels 0..K-1 in order, cut from one linear quantity per channel by its own thresholds.

    $\theta_{c0} = a_c$ and $\theta_{ck} = \theta_{c,k-1} + e^{g_{ck}}$, so that thresholds stay in
    order whatever the optimizer does. Every channel can take every level; one that uses fewer
    than others learns that the rest are improbable, and none is ever impossible: what a test
    stretch holds always has a finite likelihood.

    Parameters
    ----------
    n_channels
        Number of answers in each bin.
    n_levels
        Number of levels K, at least 2.
    latent_dim
        Dimension of the latent state.
    """

    def __init__(self, n_channels: int, n_levels: int, latent_dim: int) -> None:
        super().__init__()
        self.location = nn.Linear(latent_dim, n_channels, bias=False)
        self.lowest = nn.Parameter(torch.full((n_channels,), 1 - n_levels / 2))
        self.log_gaps = nn.Parameter(torch.zeros(n_channels, n_levels - 2))

    @property
    def thresholds(self) -> Float[Tensor, "channel threshold"]:
        """Where the linear quantity is cut, ascending for each channel."""
        gaps = self.log_gaps.clamp(*LOG_GAP).exp()
        return self.lowest[:, None] + pad(gaps.cumsum(-1), (1, 0))

    def forward(self, z: Float[Tensor, "*batch time latent"]) -> Distribution:
        """Independent levels of every channel in every bin."""
        return Ordered(self.location(z), self.thresholds, validate_args=False)

    @torch.no_grad()
    def initialize(self, seen: Observed) -> None:
        r"""Thresholds become the log odds of the cumulative level frequencies.

        A level that does not occur counts as seen half a time.
        """
        codes = torch.arange(self.log_gaps.shape[1] + 2, device=seen.values.device)
        is_level = (seen.values.unsqueeze(-1) == codes) & seen.mask.unsqueeze(-1)
        number = is_level.sum(0).double().clamp_min(0.5)
        below, above = number.cumsum(-1), number.flip(-1).cumsum(-1).flip(-1)
        thresholds = below[:, :-1].log() - above[:, 1:].log()
        self.lowest.copy_(thresholds[:, 0])
        self.log_gaps.copy_(thresholds.diff(dim=-1).log().clamp(*LOG_GAP))

    def predict(self, p: Distribution) -> Float[Tensor, "*batch time channel"]:
        """The median level's code, which has the smallest expected distance."""
        return (p.location.unsqueeze(-1) > p.thresholds).sum(-1).to(p.location.dtype)
