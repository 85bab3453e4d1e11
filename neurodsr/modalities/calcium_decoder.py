r"""Fluorescence of cells: activity from the latents, smeared by an indicator, then noise."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution, StudentT
from torch.nn.functional import softplus

from neurodsr.modalities.decoders import MIN_LOG_NOISE, Decoder, masked_mean, masked_sd
from neurodsr.modalities.distributions.gaussian import Gaussian
from neurodsr.modalities.filters.bounded import Bounded
from neurodsr.modalities.filters.causal import causal_filter, kernel_bins
from neurodsr.modalities.filters.indicator import rise_decay_kernel
from neurodsr.modalities.filters.kinetics import DECAYS, kernel_length
from neurodsr.modalities.observed import Observed
from neurodsr.modalities.student import FIRST_FREEDOM, FREEDOM

SATURATION = (0.2, 200.0)
"""Bounds of the half-saturation, in units of the mean activity of a cell."""
MIN_RISE = 1e-3
"""Shortest rise that is learned, s; a rise of 0 is instantaneous and fixed."""


class CalciumDecoder(Decoder):
    r"""Fluorescence $x_{tc} = m_c + s_c\,(g_c\, \phi(c_{tc}) + o_c) + s_c e^{\ell_c} \epsilon$.

    Activity $a_{tc} = \mathrm{softplus}(w_c^\top z_t + b_c)$ is never negative; calcium
    $c_{tc} = \sum_k h_{ck}\, a_{t-k,c}$ follows it through the indicator's kernel, of area 1;
    $\phi(c) = c$, or $c / (1 + c / k_c)$ where the indicator saturates. Center m and scale s are
    those of the data, so that dF/F and raw counts train alike.

    Parameters
    ----------
    n_channels
        Number of cells.
    latent_dim
        Dimension of the latent state.
    bin_width
        Width of a bin, s.
    decay, rise
        Time constants of the indicator to start from, s; a rise of 0 is instantaneous.
    spread
        Factor by which a learned time constant may leave its start to either side; 1: fixed.
    saturates
        Whether light saturates with calcium.
    heavy_tails
        Whether noise is Student's t, degrees of freedom learned, rather than Gaussian.

    References
    ----------
    Vogelstein et al. 2010, J. Neurophysiol. 104:3691-3704 (fluorescence as filtered activity with
    noise, and its saturation). Activity from latents through a softplus is our choice.
    """

    def __init__(
        self,
        n_channels: int,
        latent_dim: int,
        *,
        bin_width: float,
        decay: float,
        rise: float,
        spread: float = 1.0,
        saturates: bool = False,
        heavy_tails: bool = False,
    ) -> None:
        super().__init__()
        self.bin_width, self.length = bin_width, kernel_length(decay, rise, spread=spread)
        self.drive = nn.Linear(latent_dim, n_channels)
        self.log_gain = nn.Parameter(torch.zeros(n_channels))
        self.offset = nn.Parameter(torch.zeros(n_channels))
        self.log_noise = nn.Parameter(torch.zeros(n_channels))
        self.decay = _time(torch.full((n_channels,), decay), spread, DECAYS[0])
        self.rise = None if rise == 0 else _time(torch.tensor(rise), spread, MIN_RISE)
        every = torch.ones(n_channels)
        self.half_saturation = Bounded(*SATURATION, initial=10.0 * every) if saturates else None
        self.freedom = Bounded(*FREEDOM, initial=FIRST_FREEDOM * every) if heavy_tails else None
        self.register_buffer("center", torch.zeros(n_channels))
        self.register_buffer("scale", torch.ones(n_channels))

    @property
    def lag(self) -> int:
        """Bins of the kernel but the present one."""
        return kernel_bins(self.length, bin_width=self.bin_width) - 1

    def kernel(self) -> Float[Tensor, "channel lag_plus_1"]:
        """The indicator's response of every cell, of sum 1."""
        decay = self.decay()
        rise = torch.zeros_like(decay) if self.rise is None else self.rise()
        return rise_decay_kernel(rise, decay, bin_width=self.bin_width, length=self.length)

    def forward(self, z: Float[Tensor, "*batch time latent"]) -> Distribution:
        """Independent noise around the fluorescence that the latents cause."""
        calcium = causal_filter(softplus(self.drive(z)), self.kernel())
        # Both affine steps in one: an operation less on every entry.
        gain = self.scale * self.log_gain.exp()
        mean = torch.addcmul(self.center + self.scale * self.offset, self._saturated(calcium), gain)
        noise = self.scale * self.log_noise.clamp_min(MIN_LOG_NOISE).exp()
        if self.freedom is None:
            return Gaussian(mean, noise, validate_args=False)
        return StudentT(self.freedom(), mean, noise, validate_args=False)

    @torch.no_grad()
    def initialize(self, seen: Observed) -> None:
        """Center and scale become those of the data; at z = 0 the mean is the center."""
        self.center.copy_(masked_mean(seen.values, seen.mask))
        self.scale.copy_(masked_sd(seen.values, seen.mask))
        self.log_gain.zero_()
        self.log_noise.zero_()
        self.drive.bias.zero_()
        self.offset.copy_(-self._saturated(softplus(self.drive.bias)))

    def predict(self, p: Distribution) -> Float[Tensor, "*batch time channel"]:
        """Fluorescence without noise."""
        return p.mean

    def _saturated(self, calcium: Tensor) -> Tensor:
        return (
            calcium
            if self.half_saturation is None
            else calcium / (1 + calcium / self.half_saturation())
        )


def _time(start: Tensor, spread: float, shortest: float) -> Bounded:
    """A time constant that is fixed, or learned within a factor of its start."""
    low = (start / max(spread, 1.01)).clamp_min(0.5 * shortest)
    return Bounded(low, start * max(spread, 1.01), initial=start, fixed=spread == 1)
