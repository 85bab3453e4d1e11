"""What an encoder may see of a slow sensor's window: gaps filled, the sensor undone."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from neurodsr.modalities.filters.causal import convolve
from neurodsr.modalities.filters.wiener import fill_gaps, wiener_filter
from neurodsr.modalities.observed import Observed

BRIDGE = 0.25
"""Part of the reach over which gaps are filled; the filter has the rest. Our own choice."""


def deconvolved(
    seen: Observed,
    kernel: Float[Tensor, "#channel lag_plus_1"],
    *,
    noise: float,
    half_length: int,
) -> tuple[Float[Tensor, "*batch time channel"], Bool[Tensor, "*batch time channel"]]:
    r"""The activity behind a window, from its observed entries alone, and where there is any.

    Short gaps are filled along lines. What is still unknown, beyond the window too, counts as the
    mean $\bar x_t$ of what is known within the filter's reach:

    $$ a_t = \sum_{k=-L}^{L} g_k \big(m_{t-k}\, x_{t-k} + (1 - m_{t-k})\, \bar x_t\big) $$

    A bin depends on those within `half_length` of it alone, so that a window shows what the whole
    recording does, but for its ends; and it is known where one of them is observed.

    Parameters
    ----------
    kernel
        What the sensor does to activity.
    noise
        Power of the noise over that of the activity.
    half_length
        Bins to either side that are looked at: a quarter to fill gaps, the rest for the filter.
    """
    bridge = int(BRIDGE * half_length)
    reach = half_length - bridge
    filled, known = fill_gaps(seen.values, seen.mask, reach=bridge)
    weight = known.to(filled.dtype)
    taps = wiener_filter(kernel, noise=noise, half_length=reach)
    ones = torch.ones_like(taps[:1])
    n_known = _around(weight, ones).round()
    mean = _around(filled * weight, ones) / n_known.clamp_min(1)
    missing = taps.sum(-1) - _around(weight, taps)
    activity = _around(filled * weight, taps) + missing * mean
    return torch.where(n_known > 0, activity, 0.0), n_known > 0


def _around(
    x: Float[Tensor, "*batch time channel"], taps: Float[Tensor, "#channel tap"]
) -> Float[Tensor, "*batch time channel"]:
    """A filter that looks as far ahead as back; zeros beyond the window."""
    half = taps.shape[-1] // 2
    return convolve(functional.pad(x, (0, 0, half, half)), taps)
