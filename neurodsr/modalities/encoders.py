r"""What one stream contributes to the latent estimate: additive evidence, zero where unseen.

For observation models of the exponential family, Bayes' rule adds the natural parameters of what
each stream says about the state: a product of experts is a sum in information form. A stream's
expert is therefore a linear map of its masked features, and experts multiply by adding
(`neurodsr.models.fusion`); a stream that is absent adds exactly nothing.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from neurodsr.modalities.decoders import masked_mean, masked_sd
from neurodsr.modalities.observed import as_numbers


class StreamEncoder(nn.Module):
    r"""Evidence $W [\,m \odot (f(x) - \mu)/\sigma,\ \bar m\,]$ of one stream in every bin.

    Features are standardized by the mean and standard deviation of the training data;
    $\bar m$ is the fraction of them that is known.

    Parameters
    ----------
    n_features
        Length of the feature axis.
    width
        Dimension of the evidence.
    """

    def __init__(self, n_features: int, width: int) -> None:
        super().__init__()
        self.evidence = nn.Linear(n_features + 1, width, bias=False)
        self.register_buffer("center", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))

    def forward(
        self,
        features: Float[Tensor, "*batch time feature"],
        known: Bool[Tensor, "*batch time feature"],
    ) -> Float[Tensor, "*batch time width"]:
        """Evidence of every bin; exactly zero where nothing is known."""
        seen = as_numbers(known, features.dtype)
        # In place: these are a training step's largest tensors, and memory is what it waits for.
        standardized = (features - self.center).div_(self.scale).mul_(seen)
        return self.evidence(torch.cat([standardized, seen.mean(-1, keepdim=True)], dim=-1))

    @torch.no_grad()
    def initialize(
        self, features: Float[Tensor, "time feature"], known: Bool[Tensor, "time feature"]
    ) -> None:
        """Take the mean and standard deviation of the known features."""
        self.center.copy_(masked_mean(features, known))
        self.scale.copy_(masked_sd(features, known))
