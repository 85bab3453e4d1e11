r"""From a unit's drive to its expected count: an exponential, or a softplus that grows linearly."""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

LOWEST = -30.0
"""Log of the smallest expected count: no count is impossible, and no likelihood infinite."""


class Link(NamedTuple):
    """How drive and expected count belong together.

    Parameters
    ----------
    rate
        Called as rate(drive, ceiling): expected counts a bin, from $e^{-30}$ to $e^c$ with the
        ceiling c of each channel.
    drive
        The drive of a given rate, where neither bound is met.
    """

    rate: Callable[[Tensor, Tensor], Tensor]
    drive: Callable[[Tensor], Tensor]


def exponential_rate(
    drive: Float[Tensor, "*batch channel"], ceiling: Float[Tensor, " channel"]
) -> Float[Tensor, "*batch channel"]:
    """Rates that drives multiply: a step in the drive is a factor in the rate."""
    return drive.clamp_min(LOWEST).minimum(ceiling).exp()


def softplus_rate(
    drive: Float[Tensor, "*batch channel"], ceiling: Float[Tensor, " channel"]
) -> Float[Tensor, "*batch channel"]:
    r"""Rates $\log(1 + e^d)$ that drives add to, once they are above about one spike a bin."""
    return softplus(drive).clamp_min(exp(LOWEST)).minimum(ceiling.exp())


def exponential_drive(rate: Tensor) -> Tensor:
    """Logarithm of the rate."""
    return rate.log()


def softplus_drive(rate: Tensor) -> Tensor:
    r"""$\log(e^\lambda - 1)$, without the overflow of the exponential."""
    return rate + (-(-rate).expm1()).log()


EXPONENTIAL = Link(exponential_rate, exponential_drive)
SOFTPLUS = Link(softplus_rate, softplus_drive)
LINKS = {"exponential": EXPONENTIAL, "softplus": SOFTPLUS}
