r"""What a slow sensor does to a channel: a causal filter, $y_t = \sum_{k \ge 0} h_k\, x_{t-k}$."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from neurodsr.errors import ConfigError

BLOCK = 32
"""Bins that are computed together: wide enough for matrix products, little wider than kernels."""


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

    $y_t = \sum_k h_k\, x_{t + K - k}$ for $t = 0, \dots, T - K - 1$, with K + 1 taps. Computed in
    blocks of bins: what a block of the signal adds to a block of the result is a product with a
    matrix that has the taps on its diagonals, and no other way is as fast on a CPU. (Through
    spectra, the future would leak into the past by rounding.)

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
    n_before = math.ceil((kernel.shape[-1] - 1) / BLOCK)
    n_blocks = math.ceil(kept / BLOCK)
    blocks = _in_blocks(signal.reshape(-1, time, n_channels), n_before + n_blocks)
    diagonals = _diagonals(kernel, n_before + 1).expand(n_channels, -1, -1, -1)
    found = blocks.new_zeros(())
    for lag, matrix in enumerate(diagonals.unbind(1)):
        found = torch.baddbmm(found, blocks[:, lag : lag + n_blocks].flatten(1, 2), matrix)
    found = found.unflatten(1, (n_blocks, -1)).permute(2, 1, 3, 0).flatten(1, 2)
    return found[:, :kept].reshape(*batch, kept, n_channels)


def _in_blocks(
    signal: Float[Tensor, "line time channel"], n_blocks: int
) -> Float[Tensor, "channel block line bin"]:
    """The signal channel by channel and block by block, zeros after its end."""
    padded = pad(signal, (0, 0, 0, n_blocks * BLOCK - signal.shape[1]))
    return padded.unflatten(1, (n_blocks, BLOCK)).permute(3, 1, 0, 2).contiguous()


def _diagonals(
    kernel: Float[Tensor, "row tap"], n_blocks: int
) -> Float[Tensor, "row block bin_in bin_out"]:
    """The matrices of a block's own bins and of those after it: bin j sees taps j, j + 1, ..."""
    width = n_blocks * BLOCK
    # Read on with a period shorter by one, each copy begins one bin later than that before it.
    copies = pad(kernel.flip(-1), (0, width + 1 - kernel.shape[-1])).repeat(1, BLOCK)
    rows = copies[:, : BLOCK * width].unflatten(1, (BLOCK, width))
    return rows.unflatten(2, (n_blocks, BLOCK)).permute(0, 2, 3, 1)


def kernel_bins(length: float, *, bin_width: float) -> int:
    """Number of bins that a kernel of some length takes, at least 1; its lag is one less.

    Parameters
    ----------
    length, bin_width
        Both in s.
    """
    # 0.9 s are 3 bins of 0.3 s, although floats make it 0.9 / 0.3 = 3.0000000000000004.
    return max(1, math.ceil(length / bin_width * (1 - 1e-9)))
