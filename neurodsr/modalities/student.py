r"""Continuous signals with outliers: $x_{tc} \sim t_{\nu_c}(w_c^\top z_t + b_c, \sigma_c)$."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.distributions import Distribution, StudentT

from neurodsr.modalities.decoders import MIN_LOG_NOISE, Decoder, masked_sd
from neurodsr.modalities.filters.bounded import Bounded
from neurodsr.modalities.observed import Observed

FREEDOM = (2.0, 100.0)
"""Bounds of the degrees of freedom: below 2 no variance exists, above 100 it is a Gaussian."""
FIRST_FREEDOM = 10.0
MAX_BINS = 20_000
"""Bins that the best constant is fitted to, evenly chosen; more would not change it visibly."""
GAUSSIAN_MAD = 1.4826
"""Standard deviation of a Gaussian in units of its median absolute deviation."""


class StudentDecoder(Decoder):
    r"""Location $m_c + s_c (w_c^\top z_t + b_c)$ and scale $s_c e^{\ell_c}$, tails of their own.

    With $\nu_c$ degrees of freedom, learned between 2 and 100, a value $y$ scales from its
    location weighs as much as a Gaussian one times $(\nu + 1) / (\nu + y^2)$: a tracker that
    jumps for some frames does not pull the latent along. Center m and scale s are robust ones of
    the data, the median and the median absolute deviation.

    Parameters
    ----------
    n_channels
        Number of signals.
    latent_dim
        Dimension of the latent state.
    """

    def __init__(self, n_channels: int, latent_dim: int) -> None:
        super().__init__()
        self.mean = nn.Linear(latent_dim, n_channels)
        self.log_noise = nn.Parameter(torch.zeros(n_channels))
        self.freedom = Bounded(*FREEDOM, initial=torch.full((n_channels,), FIRST_FREEDOM))
        self.register_buffer("center", torch.zeros(n_channels))
        self.register_buffer("scale", torch.ones(n_channels))

    def forward(self, z: Float[Tensor, "*batch time latent"]) -> Distribution:
        """Independent Student's t distributions of every channel in every bin."""
        location = self.center + self.scale * self.mean(z)
        noise = self.scale * self.log_noise.clamp_min(MIN_LOG_NOISE).exp()
        return StudentT(self.freedom(), location, noise, validate_args=False)

    @torch.no_grad()
    def initialize(self, seen: Observed) -> None:
        """Location, scale and tails become the likeliest ones of the observed data."""
        observed = seen.mask.any(-1).nonzero().squeeze(-1)
        some = observed[:: max(1, len(observed) // MAX_BINS)] if len(observed) else slice(1)
        x, mask = seen.values[some], seen.mask[some]
        center, scale = _robust_moments(x, mask)
        self.center.copy_(center)
        self.scale.copy_(scale)
        self.mean.bias.zero_()
        self.log_noise.zero_()
        self.freedom.set(torch.full_like(center, FIRST_FREEDOM))
        self._fit_constant(x, mask)

    def predict(self, p: Distribution) -> Float[Tensor, "*batch time channel"]:
        """Center of the distribution, which is its mean."""
        return p.loc

    @torch.enable_grad()
    def _fit_constant(
        self, x: Float[Tensor, "time channel"], mask: Bool[Tensor, "time channel"]
    ) -> None:
        """Maximize the likelihood of the prediction at z = 0; there is no closed form."""
        offsets = [self.mean.bias, self.log_noise, self.freedom.coordinate]
        z = self.mean.weight.new_zeros(1, self.mean.in_features)
        number = mask.sum(0).clamp_min(1)
        optimizer = torch.optim.LBFGS(
            offsets, max_iter=100, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
        )

        def loss() -> Tensor:
            optimizer.zero_grad()
            likelihood = (self(z).log_prob(x) * mask).sum(0) / number
            (-likelihood.sum()).backward(inputs=offsets)
            return -likelihood.sum()

        optimizer.step(loss)
        optimizer.zero_grad()


def _robust_moments(
    x: Float[Tensor, "time channel"], mask: Bool[Tensor, "time channel"]
) -> tuple[Float[Tensor, " channel"], Float[Tensor, " channel"]]:
    """Median and scaled median absolute deviation; where that is 0, the standard deviation."""
    known = x.masked_fill(~mask, torch.nan)
    center = known.nanmedian(0).values.nan_to_num()
    scale = GAUSSIAN_MAD * (known - center).abs().nanmedian(0).values.nan_to_num()
    return center, torch.where(scale > 0, scale, masked_sd(x, mask))
