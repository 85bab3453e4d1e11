r"""How blood follows neural activity: the canonical hemodynamic response, a double gamma."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.errors import ConfigError
from neurodsr.modalities.filters.causal import kernel_bins

Number = float | Float[Tensor, "..."]

TIME_STEP, DISPERSION_STEP = 1.0, 0.01
"""Steps of SPM's finite differences: 1 s of onset, 0.01 s of the peak's dispersion."""
PIECE, N_NODES = 0.5, 6
"""A mean is taken piece by piece, s, by Gauss-Legendre quadrature of so many nodes."""


class _Response(NamedTuple):
    """The parameters of a response, as `double_gamma` names them."""

    peak_delay: Number
    undershoot_delay: Number
    peak_dispersion: Number
    undershoot_dispersion: Number
    ratio: Number
    onset: Number

    def at(self, times: Tensor) -> Tensor:
        """Response at some times, with a row for each channel if a parameter has one."""
        like = (torch.as_tensor(v, dtype=times.dtype, device=times.device) for v in self)
        d1, d2, b1, b2, ratio, onset = (v.unsqueeze(-1) for v in like)
        after = times - onset
        return _gamma_density(after, d1 / b1, b1) - _gamma_density(after, d2 / b2, b2) / ratio

    def kernel(self, bin_width: float, length: float) -> Tensor:
        """Means over the ages that lie around each lag, with sum 1."""
        given = [v for v in self if isinstance(v, Tensor)]
        ages, weights = _nodes(kernel_bins(length, bin_width=bin_width), bin_width)
        ages = torch.as_tensor(ages).to(given[0] if given else torch.get_default_dtype())
        # Nothing responds before its cause: of lag 0, half a bin counts.
        response = self.at(ages.flatten()).unflatten(-1, ages.shape) * (ages > 0)
        means = response @ torch.as_tensor(weights).to(ages)
        return means / means.sum(-1, keepdim=True)

    def require_peak_within(self, length: float, *, bin_width: float) -> None:
        peak = torch.as_tensor(self.onset + self.peak_delay - self.peak_dispersion)
        latest = float(peak.detach().max())
        oldest = (kernel_bins(length, bin_width=bin_width) - 0.5) * bin_width
        if not min(length, oldest) > latest:
            raise ConfigError(
                f"a hemodynamic kernel of {length:g} s in bins of {bin_width:g} s ends before its "
                f"peak at {latest:.3g} s",
                fix="make it longer; 32 s hold the canonical response with its undershoot",
            )


def double_gamma(
    times: Float[Tensor, " time"],
    *,
    peak_delay: Number = 6.0,
    undershoot_delay: Number = 16.0,
    peak_dispersion: Number = 1.0,
    undershoot_dispersion: Number = 1.0,
    ratio: Number = 6.0,
    onset: Number = 0.0,
) -> Float[Tensor, "*channel time"]:
    r"""The blood's response to a short burst of activity: a rise, then a weaker undershoot.

    $$ h(t) = g(t - o;\, d_1 / b_1,\, b_1) - \tfrac{1}{r}\, g(t - o;\, d_2 / b_2,\, b_2),
       \qquad g(t;\, a, b) = \frac{t^{a-1} e^{-t/b}}{b^a\, \Gamma(a)} \text{ for } t > 0 $$

    with the gamma density $g$ of shape $a$ and scale $b$. Its mean is the delay $d$ and its mode
    $d - b$, so that the canonical response peaks near 5 s. The integral of $h$ is $1 - 1/r$; what
    is normalized to sum 1 is the sampled kernel (`hrf_kernel`), as in SPM.

    Parameters
    ----------
    times
        Times after the burst, s.
    peak_delay, undershoot_delay
        $d_1$ and $d_2$, s. Every parameter is one number, or a tensor with one per channel.
    peak_dispersion, undershoot_dispersion
        $b_1$ and $b_2$, s.
    ratio
        $r$, area of the rise over that of the undershoot; above 1.
    onset
        $o$, s.

    Returns
    -------
    Response in 1/s, a row for each channel if a parameter has one; differentiable in all.

    References
    ----------
    Friston et al. 1998, NeuroImage 7:30-40. The parameters are the first six of SPM's `spm_hrf`,
    whose defaults are 6, 16, 1, 1, 6, 0, at a length of 32 s.
    """
    return _Response(
        peak_delay, undershoot_delay, peak_dispersion, undershoot_dispersion, ratio, onset
    ).at(times)


def hrf_kernel(
    bin_width: float,
    *,
    length: float = 32.0,
    peak_delay: Number = 6.0,
    undershoot_delay: Number = 16.0,
    peak_dispersion: Number = 1.0,
    undershoot_dispersion: Number = 1.0,
    ratio: Number = 6.0,
    onset: Number = 0.0,
) -> Float[Tensor, "*channel lag_plus_1"]:
    r"""The hemodynamic response as weights of lags, each the mean around a lag; they sum to 1.

    $$ h_k \propto \int_{\max(0,\, (k - 1/2)\Delta)}^{(k + 1/2)\Delta} h(t)\, dt $$

    which is what activity that is constant within bins adds to the signal in the middle of a bin.
    The middle is what a bin's value stands for, and a volume's time is that of its middle. SPM
    takes points at $k\Delta$ instead, which miss the peak where bins are as wide as a TR of 2 s;
    with narrow bins both agree. With sum 1, constant activity is a signal of the same size.

    Parameters
    ----------
    bin_width, length
        Bins and extent of the kernel, s. The last weight is that of the last lag below the
        length.
    peak_delay, undershoot_delay, peak_dispersion, undershoot_dispersion, ratio, onset
        As in `double_gamma`. Dtype and device are those of the first that is a tensor.

    Raises
    ------
    ConfigError
        The kernel would end before its peak.
    """
    response = _Response(
        peak_delay, undershoot_delay, peak_dispersion, undershoot_dispersion, ratio, onset
    )
    response.require_peak_within(length, bin_width=bin_width)
    return response.kernel(bin_width, length)


def time_derivative(
    bin_width: float,
    *,
    length: float = 32.0,
    peak_delay: Number = 6.0,
    undershoot_delay: Number = 16.0,
    peak_dispersion: Number = 1.0,
    undershoot_dispersion: Number = 1.0,
    ratio: Number = 6.0,
    onset: Number = 0.0,
) -> Float[Tensor, "*channel lag_plus_1"]:
    r"""How the kernel changes when the response comes earlier; in a sum with it, a small shift.

    $(h_{o} - h_{o + 1\,\mathrm{s}}) / 1\,\mathrm s$, SPM's difference of two kernels of sum 1, so
    that it sums to 0. SPM then orthogonalizes its basis, which is left to the user here.
    Parameters and errors are those of `hrf_kernel`.
    """
    response = _Response(
        peak_delay, undershoot_delay, peak_dispersion, undershoot_dispersion, ratio, onset
    )
    response.require_peak_within(length, bin_width=bin_width)
    later = response._replace(onset=onset + TIME_STEP)
    return (response.kernel(bin_width, length) - later.kernel(bin_width, length)) / TIME_STEP


def dispersion_derivative(
    bin_width: float,
    *,
    length: float = 32.0,
    peak_delay: Number = 6.0,
    undershoot_delay: Number = 16.0,
    peak_dispersion: Number = 1.0,
    undershoot_dispersion: Number = 1.0,
    ratio: Number = 6.0,
    onset: Number = 0.0,
) -> Float[Tensor, "*channel lag_plus_1"]:
    r"""How the kernel changes when the peak narrows; in a sum with it, a small change of width.

    $(h_{b_1} - h_{b_1 + 0.01\,\mathrm{s}}) / 0.01\,\mathrm s$, SPM's difference of two kernels of
    sum 1. Parameters and errors are those of `hrf_kernel`.
    """
    response = _Response(
        peak_delay, undershoot_delay, peak_dispersion, undershoot_dispersion, ratio, onset
    )
    response.require_peak_within(length, bin_width=bin_width)
    wider = response._replace(peak_dispersion=peak_dispersion + DISPERSION_STEP)
    return (response.kernel(bin_width, length) - wider.kernel(bin_width, length)) / DISPERSION_STEP


def _gamma_density(t: Tensor, shape: Tensor, scale: Tensor) -> Tensor:
    started = t > 0
    # Before the onset the density is 0; a time of 1 there keeps the gradient finite.
    t = torch.where(started, t, 1.0) / scale
    log_density = (shape - 1) * t.log() - t - shape.lgamma() - scale.log()
    return torch.where(started, log_density.exp(), 0.0)


def _nodes(n_bins: int, bin_width: float) -> tuple[np.ndarray, np.ndarray]:
    """Ages [lag, node] from half a bin before each lag to half a bin after, and weights [node]."""
    # An even number, so that age 0 lies between two pieces.
    n_pieces = 2 * math.ceil(bin_width / 2 / PIECE)
    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
    around = (np.arange(n_pieces)[:, None] + (nodes + 1) / 2) / n_pieces - 0.5
    ages = (np.arange(n_bins)[:, None] + around.flatten()) * bin_width
    return ages, np.tile(weights / 2 / n_pieces, n_pieces)
