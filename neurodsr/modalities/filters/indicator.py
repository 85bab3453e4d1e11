r"""How a calcium indicator shows activity: a rise and a decay, $e^{-t/d} - e^{-t/r}$."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.modalities.filters.causal import kernel_bins

LARGEST_RISE = 0.99
"""Fraction of the decay that a rise may reach: at 1 the difference is 0/0, and the kernel from here
on is t e^(-t/d) to within 2e-5 of its peak, with the mean of both times as d."""


def rise_decay_kernel(
    rise: Float[Tensor, "..."], decay: Float[Tensor, "..."], *, bin_width: float, length: float
) -> Float[Tensor, "... lag_plus_1"]:
    r"""An indicator's response to activity as weights of lags, each the mean over a bin.

    $$ h_k \propto \int_{k\Delta}^{(k+1)\Delta} e^{-t/d} - e^{-t/r}\, dt, \qquad
       \sum_k h_k = 1 $$

    which is what activity that is constant within bins adds at the end of a bin. The sum is 1
    rather than the peak: constant activity is then a signal of the same size whatever the time
    constants, so that these and the gain of a decoder can be learned without chasing each other.

    Parameters
    ----------
    rise, decay
        Time constants r < d, s; shape () or (channel,). A rise of 0 is instantaneous: the kernel
        is a plain exponential, and no gradient leads away from it. A rise above 0.99 of the decay
        counts as that, since both are learned and may meet.
    bin_width, length
        Bins and extent of the kernel, s. Five decays leave out less than 1 % of an exponential.

    Returns
    -------
    Kernel, one row per channel or a single one; differentiable in rise and decay.
    """
    rise, decay = torch.broadcast_tensors(torch.minimum(rise, LARGEST_RISE * decay), decay)
    n_bins = kernel_bins(length, bin_width=bin_width)
    starts = bin_width * torch.arange(n_bins, dtype=decay.dtype, device=decay.device)
    kernel = _areas(decay, starts, bin_width) - _areas(rise, starts, bin_width)
    return kernel / kernel.sum(-1, keepdim=True)


def ar_coefficients(
    rise: Float[Tensor, "..."], decay: Float[Tensor, "..."], *, bin_width: float
) -> Float[Tensor, "... 2"]:
    r"""The same response as a recursion: calcium now from calcium in the two bins before.

    $$ c_t = (\gamma_d + \gamma_r)\, c_{t-1} - \gamma_d \gamma_r\, c_{t-2} + \dots,
       \qquad \gamma_d = e^{-\Delta/d},\ \gamma_r = e^{-\Delta/r} $$

    The kernel of `rise_decay_kernel` obeys it from lag 2 on, and the input enters through its
    first two bins: with $h_0$ and $h_1 - (\gamma_d + \gamma_r) h_0$ times activity now and a bin
    before on the right, both are the same filter. Without a rise this is the first-order process
    $c_t = \gamma_d c_{t-1} + h_0 s_t$ of deconvolution software.

    Parameters
    ----------
    rise, decay
        Time constants, s; shape () or (channel,).
    bin_width
        s.

    Returns
    -------
    The two coefficients, last axis; (gamma, 0) for a rise of 0.

    References
    ----------
    Pnevmatikakis et al. 2016, Neuron 89:285-299 (autoregressive calcium; theirs has the input
    enter in one bin, since they sample the response instead of taking means).
    """
    fast, slow = _per_bin(rise, bin_width), _per_bin(decay, bin_width)
    fast, slow = torch.broadcast_tensors(fast, slow)
    return torch.stack([slow + fast, -slow * fast], dim=-1)


def _areas(tau: Tensor, starts: Tensor, bin_width: float) -> Tensor:
    """Integral of exp(-t / tau) over the bins that start there; 0 for tau = 0."""
    exists, safe = _positive(tau.unsqueeze(-1))
    first = -safe * torch.expm1(-bin_width / safe)
    return torch.where(exists, first * torch.exp(-starts / safe), 0.0)


def _per_bin(tau: Tensor, bin_width: float) -> Tensor:
    exists, safe = _positive(tau)
    return torch.where(exists, torch.exp(-bin_width / safe), 0.0)


def _positive(tau: Tensor) -> tuple[Tensor, Tensor]:
    """Where tau is above 0, and tau there; 1 elsewhere, so that the gradient is no NaN."""
    exists = tau > 0
    return exists, torch.where(exists, tau, 1.0)
