r"""Noise that remembers: first-order autoregressive, exact for any pattern of missing values."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn.functional import pad

from neurodsr.modalities.filters.bounded import Bounded
from neurodsr.modalities.observed import Observed

TIME_CONSTANTS = (0.1, 5.0)
"""Bounds of the noise's time constant, s (our own choice): correlations up to 0.67 over a TR of
2 s. Noise that lasted as long as the response would take the signal's place."""
START = 1.0


class CorrelatedNoise(nn.Module):
    r"""Gaussian noise whose correlation over a time s is $e^{-s/\tau_c}$ in channel c.

    With $x_p$ the last value before bin t that was observed in the channel, however long ago,

    $$ x_t \mid \text{past} \sim \mathcal N\big(\mu_t + r\,(x_p - \mu_p),\ \sigma^2 (1 - r^2)\big),
       \qquad r = e^{-(t - p)\Delta/\tau} $$

    The noise is Markov, so that this is the density given the whole past, and the product over
    observed bins is their joint density, whichever bins are missing.

    Parameters
    ----------
    n_channels
        Number of channels.
    bin_width
        Width of a bin, s.
    """

    def __init__(self, n_channels: int, *, bin_width: float) -> None:
        super().__init__()
        self.bin_width = bin_width
        self.tau = Bounded(*TIME_CONSTANTS, initial=START * torch.ones(n_channels))

    def given(self, p: Normal, seen: Observed) -> Normal:
        """What is expected in each bin, when the channel's earlier values are known.

        Parameters
        ----------
        p
            What is expected when they are not: mean and sd of every entry.
        seen
            Values and mask of the same bins; of each bin only those before it are used.
        """
        last, known = last_observed(seen.mask)
        bins = torch.arange(seen.mask.shape[-2], device=last.device).unsqueeze(-1)
        tau = self.tau()
        # Whole numbers times a float would be float32, whatever tau is.
        decays = (bins - last).to(tau.dtype) * self.bin_width / tau
        correlation = torch.where(known, (-decays).exp(), 0.0)
        # 1 - r^2 without the rounding of r near 1.
        left = torch.where(known, -torch.expm1(-2 * decays), 1.0).sqrt()
        surprise = (seen.values - p.loc).gather(-2, last)
        return Normal(p.loc + correlation * surprise, p.scale * left, validate_args=False)

    def draw(self, like: Float[Tensor, "*batch time channel"]) -> Tensor:
        r"""A path of unit variance, stationary from its first bin on, of shape and type of `like`.

        $e_t = \rho e_{t-1} + \sqrt{1 - \rho^2}\, \xi_t$ with $\rho = e^{-\Delta/\tau}$, summed by
        doubling: after k rounds every bin holds the last $2^k$ innovations.
        """
        noise = torch.randn_like(like)
        weight = (-self.bin_width / self.tau()).exp().to(like)
        first, later = noise[..., :1, :], noise[..., 1:, :] * (1 - weight**2).sqrt()
        path, step = torch.cat([first, later], dim=-2), 1
        while step < path.shape[-2]:
            path = path + weight * pad(path[..., :-step, :], (0, 0, step, 0))
            weight, step = weight**2, 2 * step
        return path


def last_observed(
    mask: Bool[Tensor, "*batch time channel"],
) -> tuple[Int[Tensor, "*batch time channel"], Bool[Tensor, "*batch time channel"]]:
    """The last observed bin before each bin, and whether there is one; 0 where there is none."""
    bins = torch.arange(mask.shape[-2], device=mask.device).unsqueeze(-1)
    latest = torch.where(mask, bins, -1).cummax(dim=-2).values
    before = pad(latest[..., :-1, :], (0, 0, 1, 0), value=-1)
    return before.clamp_min(0), before >= 0
