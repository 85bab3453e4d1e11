"""From the evidence of all streams to the latent path: add the experts, look around in time."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class TemporalFusion(nn.Module):
    r"""The path $\hat z = \mathrm{conv}\,\phi(\mathrm{conv}\,\phi(b + \sum_m e_m))$, GELU $\phi$.

    The sum over streams is the product of their experts in information form; both convolutions
    are valid ones of length `kernel`, so each latent looks `kernel - 1` bins to either side and
    a window must bring that much context.

    A diagonal precision-weighted product of per-stream Gaussian experts was measured beside it
    and is far worse for states that no stream resolves alone (docs/methods.md).
    """

    def __init__(self, width: int, latent_dim: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.bias = nn.Parameter(torch.zeros(width))
        self.inner = nn.Conv1d(width, width, kernel)
        self.outer = nn.Conv1d(width, latent_dim, kernel)

    @property
    def context(self) -> int:
        """Bins lost at either end."""
        return self.kernel - 1

    def forward(
        self, evidence: Float[Tensor, "batch padded_time width"]
    ) -> Float[Tensor, "batch time latent"]:
        """Latents of the inner bins of each window."""
        h = functional.gelu(evidence + self.bias).mT
        return self.outer(functional.gelu(self.inner(h))).mT

    @torch.no_grad()
    def normalize(self, z: Float[Tensor, "time latent"]) -> None:
        """Rescale and shift the output so that the given path gets zero mean and unit variance."""
        center, scale = z.mean(0), z.std(0).mean().clamp_min(1e-3)
        self.outer.weight.div_(scale)
        self.outer.bias.copy_((self.outer.bias - center) / scale)
