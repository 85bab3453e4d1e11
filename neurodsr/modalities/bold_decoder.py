r"""BOLD of regions: latents seen through the hemodynamic response, then a linear readout."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from neurodsr.modalities.correlated_noise import CorrelatedNoise
from neurodsr.modalities.decoders import MIN_LOG_NOISE, Decoder, masked_mean, masked_sd
from neurodsr.modalities.filters.causal import causal_filter
from neurodsr.modalities.observed import Observed
from neurodsr.modalities.responses import Response


class BoldDecoder(Decoder):
    r"""BOLD $x_{tc} = m_c + s_c \big(\sum_k w_{ck}^\top (h_k * z)_t + b_c\big) + \epsilon_{tc}$.

    Kernels $h_k$ are the response, or the response and its derivatives. They act on the few
    latents rather than on the many channels, which is the same, since the readout is linear.
    Noise of sd $s_c e^{\ell_c}$ is white, or correlated in time (`CorrelatedNoise`). Center m and
    scale s are those of the data.

    Bins that hold no volume are missing: latents have a finer clock than the scanner.

    Parameters
    ----------
    n_channels
        Number of regions or voxels.
    latent_dim
        Dimension of the latent state.
    response
        The kernels.
    memory
        What the noise remembers of itself; None: white noise.

    References
    ----------
    Koppe et al. 2019, PLoS Comput. Biol. 15:e1007263 (latent states convolved with the
    hemodynamic response in the observation model). Derivatives, a learned response and noise
    with a memory are our additions.
    """

    def __init__(
        self,
        n_channels: int,
        latent_dim: int,
        *,
        response: Response,
        memory: CorrelatedNoise | None = None,
    ) -> None:
        super().__init__()
        self.response, self.memory = response, memory
        self.readout = nn.Linear(response.n_kernels * latent_dim, n_channels)
        self.log_noise = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("center", torch.zeros(n_channels))
        self.register_buffer("scale", torch.ones(n_channels))
        with torch.no_grad():  # every channel starts with the response as it is
            self.readout.weight[:, latent_dim:] = 0.0

    @property
    def lag(self) -> int:
        """Bins of the response but the present one.

        Noise with a memory also compares the last volume with its own mean, which at the start
        of a window lacks the last bins of the response; these are next to zero.
        """
        return self.response.lag

    def filtered(
        self, z: Float[Tensor, "*batch time latent"]
    ) -> Float[Tensor, "*batch time feature"]:
        """Latents through each kernel, one kernel after the other."""
        kernels = self.response()
        every = kernels.repeat_interleave(z.shape[-1], dim=0)
        return causal_filter(torch.cat([z] * len(kernels), dim=-1), every)

    def forward(self, z: Float[Tensor, "*batch time latent"]) -> Distribution:
        """Gaussians around the signal that the latents cause."""
        mean = self.center + self.scale * self.readout(self.filtered(z))
        noise = self.scale * self.log_noise.clamp_min(MIN_LOG_NOISE).exp()
        return Normal(mean, noise.expand_as(mean), validate_args=False)

    def given(self, z: Float[Tensor, "*batch time latent"], seen: Observed) -> Distribution:
        """The same where the noise of the last volume is known, if noise remembers."""
        p = self(z)
        return p if self.memory is None else self.memory.given(p, seen)

    def simulate(
        self, z: Float[Tensor, "*batch time latent"]
    ) -> Float[Tensor, "*batch time channel"]:
        """BOLD with noise in every bin."""
        p = self(z)
        noise = torch.randn_like(p.loc) if self.memory is None else self.memory.draw(p.loc)
        return (p.loc + p.scale * noise).detach()

    @torch.no_grad()
    def initialize(self, seen: Observed) -> None:
        """Center and scale become the mean and standard deviation of the observed volumes."""
        self.center.copy_(masked_mean(seen.values, seen.mask))
        self.scale.copy_(masked_sd(seen.values, seen.mask))
        self.readout.bias.zero_()
        self.log_noise.zero_()

    def predict(self, p: Distribution) -> Float[Tensor, "*batch time channel"]:
        """Mean of the signal."""
        return p.mean
