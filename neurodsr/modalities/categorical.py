r"""Labels with log-linear odds: $p(x_t = k) \propto \exp(w_k^\top z_t + b_k)$."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution

from neurodsr.modalities.decoders import Decoder
from neurodsr.modalities.observed import Observed


class CategoricalDecoder(Decoder):
    """Softmax over the levels of each channel; values are codes 0..n_levels-1."""

    def __init__(self, n_channels: int, n_levels: int, latent_dim: int) -> None:
        super().__init__()
        self.n_channels, self.n_levels = n_channels, n_levels
        self.logits = nn.Linear(latent_dim, n_channels * n_levels)

    def forward(self, z: Float[Tensor, "*batch time latent"]) -> Distribution:
        """Independent labels of every channel in every bin."""
        logits = self.logits(z).unflatten(-1, (self.n_channels, self.n_levels))
        return Categorical(logits=logits, validate_args=False)

    @torch.no_grad()
    def initialize(self, seen: Observed) -> None:
        """Offsets become the log of the level frequencies, with half a count added to each."""
        x, mask = seen.values, seen.mask
        codes = torch.arange(self.n_levels, dtype=x.dtype, device=x.device)
        number = ((x.unsqueeze(-1) == codes) & mask.unsqueeze(-1)).sum(0) + 0.5
        self.logits.bias.copy_((number / number.sum(-1, keepdim=True)).log().flatten())

    def predict(self, p: Distribution) -> Float[Tensor, "*batch time channel"]:
        """The likeliest code."""
        return p.logits.argmax(-1).to(p.logits.dtype)
