r"""Whether something happened in a bin: $P(x_{tc} = 1) = \sigma(w_c^\top z_t + b_c)$."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution

from neurodsr.modalities.decoders import Decoder, masked_mean
from neurodsr.modalities.observed import Observed

MAX_LOG_ODDS = 30.0
"""Neither a bin with an event nor one without is ever less probable than $e^{-30}$."""


class BinaryDecoder(Decoder):
    """Log odds of an event in a bin, such as a lick, that are linear in the latents."""

    def __init__(self, n_channels: int, latent_dim: int) -> None:
        super().__init__()
        self.log_odds = nn.Linear(latent_dim, n_channels)

    def forward(self, z: Float[Tensor, "*batch time latent"]) -> Distribution:
        """Independent events of every channel in every bin."""
        log_odds = self.log_odds(z).clamp(-MAX_LOG_ODDS, MAX_LOG_ODDS)
        return Bernoulli(logits=log_odds, validate_args=False)

    @torch.no_grad()
    def initialize(self, seen: Observed) -> None:
        """Offsets become the log odds of the observed frequencies.

        A channel whose bins are all alike counts as if half a bin were not.
        """
        half = 0.5 / seen.mask.sum(0).clamp_min(1)
        frequency = masked_mean(seen.values, seen.mask)
        self.log_odds.bias.copy_(torch.logit(frequency.maximum(half).minimum(1 - half)))

    def predict(self, p: Distribution) -> Float[Tensor, "*batch time channel"]:
        """Probability of an event in the bin."""
        return p.mean
