"""What a unit's own past spikes do to it: refractoriness, adaptation, bursts."""

from __future__ import annotations

from math import pi

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from neurodsr.modalities.exposure import watched
from neurodsr.modalities.observed import Observed

N_BUMPS = 5


def raised_cosines(n_lags: int, n_bumps: int = N_BUMPS) -> Float[Tensor, "lag bump"]:
    r"""Smooth bumps over the lags 1..L, the later the wider, the first with its peak at lag 1.

    $b_j(l) = \frac12\big(1 + \cos(\mathrm{clip}(\frac{\pi}{2d}(\log(l + 1) - c_j),
    -\pi, \pi))\big)$ with centers $c_j = \log 2 + j d$ and a spacing $d$ that lets the last bump
    end at lag L + 1. So few lags as there are bumps have a number each instead.

    Parameters
    ----------
    n_lags
        Length L of the filter, bins, at least 1.
    n_bumps
        Number of bumps, at least 1.

    References
    ----------
    Pillow et al. 2008, Nature 454:995-999 (raised cosines on a logarithmic axis; spacing and
    number are ours).
    """
    if n_lags <= n_bumps:
        return torch.eye(n_lags)
    position = torch.arange(2, n_lags + 2, dtype=torch.float64).log()
    first, end = torch.tensor([2.0, n_lags + 2.0], dtype=torch.float64).log()
    spacing = (end - first) / (n_bumps + 1)
    centers = first + spacing * torch.arange(n_bumps)
    angle = (position[:, None] - centers) * pi / (2 * spacing)
    return (0.5 * (1 + angle.clamp(-pi, pi).cos())).to(torch.get_default_dtype())


class SpikeHistory(nn.Module):
    r"""Drive $\sum_{l=1}^{L} k_c(l)\,(x_{t-l,c} - \bar x_c)$ of each unit from its own past counts.

    Counts enter as their difference from the unit's mean $\bar x_c$: a bin that is not known
    counts as that mean and adds nothing. Where nothing of the past is known the drive is `usual`,
    which a decoder sets after training so that the unit's mean rate comes out right: the rate at
    a mean past is not the mean rate over pasts.

    Parameters
    ----------
    n_channels
        Number of units.
    n_lags
        Length L of the filter, bins, at least 1.
    """

    def __init__(self, n_channels: int, n_lags: int) -> None:
        super().__init__()
        basis = raised_cosines(n_lags)
        self.n_lags = n_lags
        self.weight = nn.Parameter(torch.zeros(n_channels, basis.shape[1]))
        self.register_buffer("basis", basis)
        self.register_buffer("mean", torch.zeros(n_channels))
        self.register_buffer("usual", torch.zeros(n_channels))

    @property
    def filter(self) -> Float[Tensor, "channel lag"]:
        """What one spike adds to the drive 1, 2, ... bins later."""
        return self.weight @ self.basis.T

    def forward(self, seen: Observed) -> Float[Tensor, "*batch time channel"]:
        """The drive of every bin from the bins before it; none of it from what was not watched.

        Of a bin watched in part, the rest counts as the unit's mean.
        """
        surplus = seen.values * seen.mask - watched(seen) * self.mean
        lines = surplus.flatten(0, -3) if surplus.ndim > 2 else surplus[None]
        # Bin t meets the bins t - L to t - 1.
        before = functional.pad(lines.transpose(1, 2), (self.n_lags, -1))
        kernel = self.filter.flip(-1).unsqueeze(1).to(before.dtype)
        drive = functional.conv1d(before, kernel, groups=kernel.shape[0])
        drive = drive.transpose(1, 2).reshape(surplus.shape)
        return torch.where(self._known(seen), drive, self.usual)

    def _known(self, seen: Observed) -> Bool[Tensor, "*batch time channel"]:
        """Whether any of the bins that the filter looks at was observed."""
        number = functional.pad(seen.mask.to(self.mean.dtype).cumsum(-2), (0, 0, 1, 0))
        bins = torch.arange(seen.mask.shape[-2], device=number.device)
        first = (bins - self.n_lags).clamp_min(0)
        return number[..., bins, :] > number[..., first, :]
