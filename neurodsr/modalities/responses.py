r"""The kernels through which a BOLD decoder sees latents: fixed, with derivatives, or learned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor, nn

from neurodsr.modalities.filters.bounded import Bounded
from neurodsr.modalities.filters.causal import kernel_bins
from neurodsr.modalities.filters.hemodynamic import (
    dispersion_derivative,
    hrf_kernel,
    time_derivative,
)
from neurodsr.modalities.hrf import PEAK_DELAYS, RATIOS, UNDERSHOOT_DELAYS, HrfConfig


class Response(nn.Module, ABC):
    """One or more kernels over the lags 0, 1, ... in bins, the same for all latents."""

    n_kernels: int
    lag: int
    """Bins of the kernels but the present one."""

    @abstractmethod
    def forward(self) -> Float[Tensor, "kernel lag_plus_1"]:
        """The kernels; the first sums to 1."""


class FixedResponse(Response):
    """Kernels that do not change.

    Parameters
    ----------
    kernels
        One a row.
    """

    def __init__(self, kernels: Float[Tensor, "kernel lag_plus_1"]) -> None:
        super().__init__()
        self.n_kernels, self.lag = kernels.shape[0], kernels.shape[1] - 1
        self.register_buffer("kernels", kernels)

    def forward(self) -> Float[Tensor, "kernel lag_plus_1"]:
        """The kernels that were given."""
        return self.kernels


class LearnedResponse(Response):
    """One double gamma whose delays and ratio are learned within physiological bounds.

    Parameters
    ----------
    hrf
        Where learning starts, and what stays as it is.
    bin_width
        Width of a bin, s.
    """

    n_kernels = 1

    def __init__(self, hrf: HrfConfig, *, bin_width: float) -> None:
        super().__init__()
        self.hrf, self.bin_width = hrf, bin_width
        self.lag = kernel_bins(hrf.length, bin_width=bin_width) - 1
        self.peak_delay = Bounded(*PEAK_DELAYS, initial=torch.tensor([hrf.peak_delay]))
        self.undershoot_delay = Bounded(
            *UNDERSHOOT_DELAYS, initial=torch.tensor([hrf.undershoot_delay])
        )
        self.ratio = Bounded(*RATIOS, initial=torch.tensor([hrf.ratio]))

    def forward(self) -> Float[Tensor, "kernel lag_plus_1"]:
        """The response of the present parameters, differentiable in them."""
        learned = {
            "peak_delay": self.peak_delay(),
            "undershoot_delay": self.undershoot_delay(),
            "ratio": self.ratio(),
        }
        return hrf_kernel(self.bin_width, **(dict(self.hrf) | learned))


def canonical_response(hrf: HrfConfig, *, bin_width: float) -> FixedResponse:
    """The double gamma of the configuration alone."""
    return FixedResponse(hrf_kernel(bin_width, **dict(hrf))[None])


def derivative_basis(hrf: HrfConfig, *, bin_width: float) -> FixedResponse:
    r"""The double gamma, its time derivative and its dispersion derivative.

    A channel with weights w for them responds about $w_2 / w_1$ s earlier, and with a dispersion
    smaller by $w_3 / w_1$ s, as long as both are small.

    References
    ----------
    Friston et al. 1998, NeuroImage 7:30-40 (the informed basis set).
    """
    build = (hrf_kernel, time_derivative, dispersion_derivative)
    return FixedResponse(torch.stack([kernel(bin_width, **dict(hrf)) for kernel in build]))


RESPONSES: Mapping[str, Callable[..., Response]] = MappingProxyType(
    {
        "canonical": canonical_response,
        "derivatives": derivative_basis,
        "learned": LearnedResponse,
    }
)
"""What the names in a configuration build; each is called as build(hrf, bin_width=...)."""
