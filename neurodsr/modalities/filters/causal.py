r"""What a slow sensor does to a channel: a causal filter, $y_t = \sum_{k \ge 0} h_k\, x_{t-k}$."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from neurodsr.errors import ConfigError


def causal_filter(
    signal: Float[Tensor, "*batch time channel"], kernel: Float[Tensor, "#channel lag_plus_1"]
) -> Float[Tensor, "*batch time channel"]:
    r"""What a slow sensor shows of a signal: each bin is a weighted sum of it and its past.

    $$ y_t = \sum_{k=0}^{K} h_k\, x_{t-k}, \qquad x_s = x_0 \text{ for } s < 0 $$

    Nothing is known of the time before the window; that the signal was at its first value
    (a steady state) leaves an error in the first $K$ bins, which fades as the kernel does.

    Parameters
    ----------
    signal
        Any unit, shape (..., time, channel).
    kernel
        Weights of lag 0, 1, ... in bins; one row per channel, or one row for all.

    Returns
    -------
    The filtered signal, differentiable in both; a change at bin t changes nothing before t.

    Raises
    ------
    ConfigError
        The kernel has neither one row nor one per channel.
    """
    lag = kernel.shape[-1] - 1
    before = signal[..., :1, :].expand(*signal.shape[:-2], lag, signal.shape[-1])
    return convolve(torch.cat([before, signal], dim=-2), kernel)


def convolve(
    signal: Float[Tensor, "*batch time channel"], kernel: Float[Tensor, "#channel tap"]
) -> Float[Tensor, "*batch kept channel"]:
    r"""Convolution of each channel over time, kept where the kernel lies wholly in the signal.

    $y_t = \sum_k h_k\, x_{t + K - k}$ for $t = 0, \dots, T - K - 1$, with K + 1 taps.

    Raises
    ------
    ConfigError
        The kernel has neither one row nor one per channel.
    """
    *batch, time, n_channels = signal.shape
    if kernel.shape[0] not in (1, n_channels):
        raise ConfigError(
            f"a kernel of shape {tuple(kernel.shape)} for a signal of shape {tuple(signal.shape)}",
            fix=f"give the kernel 1 row, or {n_channels}: one for each channel",
        )
    kept = time - kernel.shape[-1] + 1
    if signal.numel() == 0:
        return signal[..., :kept, :]
    weight = kernel.flip(-1).expand(n_channels, -1).unsqueeze(1)
    rows = signal.reshape(-1, time, n_channels).mT
    return functional.conv1d(rows, weight, groups=n_channels).mT.reshape(*batch, kept, n_channels)


def kernel_bins(length: float, *, bin_width: float) -> int:
    """Number of bins that a kernel of some length takes, at least 1; its lag is one less.

    Parameters
    ----------
    length, bin_width
        Both in s.
    """
    # 0.9 s are 3 bins of 0.3 s, although floats make it 0.9 / 0.3 = 3.0000000000000004.
    return max(1, math.ceil(length / bin_width * (1 - 1e-9)))
