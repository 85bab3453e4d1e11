r"""Angles, such as a head direction: the von Mises distribution, a Gaussian on the circle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.utils import broadcast_all

# Above it N_TERMS of Hankel's series are exact in float64.
HANKEL_ABOVE, N_TERMS = 30.0, 15
# At least 0.65 of the proposals are accepted, so that after these many rounds a number is left
# without a sample with probability 1e-45, unless its concentration is not a number.
N_ROUNDS = 100


class VonMises(Distribution):
    r"""Angles around a preferred direction, as precise as the concentration says.

    $p(x) = \frac{e^{\kappa\cos(x - \mu)}}{2\pi I_0(\kappa)}$. For large $\kappa$ it is a Gaussian
    of variance $1/\kappa$, for $\kappa \to 0$ uniform. torch's own takes a Bessel function that is
    good to seven digits; in float32 its gradient is not a number at $\kappa = 10^6$ and its
    variance 0 at $10^4$; and its sampling never ends where $\kappa$ is not a number. Computed is
    $-2\kappa\sin^2\frac{x - \mu}{2} - \log 2\pi - \log(e^{-\kappa} I_0(\kappa))$.

    Parameters
    ----------
    loc
        $\mu$, rad; any real number.
    concentration
        $\kappa$, positive, in 1/rad². Broadcasts with `loc`.
    validate_args
        Whether parameters and values are checked, as in torch.

    References
    ----------
    Mardia & Jupp 2000, Directional Statistics.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "loc": constraints.real,
        "concentration": constraints.positive,
    }
    support = constraints.real

    def __init__(
        self, loc: Tensor | float, concentration: Tensor | float, validate_args: bool | None = None
    ) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        r"""Circular mean, rad, in $[-\pi, \pi]$."""
        return _wrapped(self.loc)

    @property
    def variance(self) -> Tensor:
        r"""Circular variance $1 - I_1(\kappa)/I_0(\kappa)$, from 0 to 1 (uniform)."""
        large, inside, inverse = _split(self.concentration)
        zeroth, first = (_hankel_excess(inverse, order) for order in (0, 1))
        direct = 1 - torch.special.i1e(inside) / torch.special.i0e(inside)
        return torch.where(large, (zeroth - first) / (1 + zeroth), direct)

    def expand(self, batch_shape: Sequence[int], _instance: None = None) -> VonMises:
        """The same distribution with its batch dimensions expanded."""
        parameters = (p.expand(torch.Size(batch_shape)) for p in (self.loc, self.concentration))
        return VonMises(*parameters, validate_args=self._validate_args)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        r"""Angles in $[-\pi, \pi]$, rad, by torch's global generator.

        Proposals that are rejected are drawn anew, which ends for any concentration.
        """
        shape = self._extended_shape(sample_shape)
        concentration = self.concentration.expand(shape).flatten()
        angle = torch.full_like(concentration, torch.nan)
        left = torch.arange(len(angle), device=angle.device)
        for _ in range(N_ROUNDS):
            if not len(left):
                break
            proposed, accepted = _propose(concentration[left])
            angle[left[accepted]] = proposed[accepted]
            left = left[~accepted]
        return _wrapped(self.loc + angle.view(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density of angles in rad, which need not lie in one turn."""
        if self._validate_args:
            self._validate_sample(value)
        # cos - 1 would lose all digits where the angle is small and the concentration large.
        sine = torch.sin((value.to(self.loc.dtype) - self.loc) / 2)
        scaled = _log_scaled_bessel(self.concentration)
        return -2 * self.concentration * sine * sine - scaled - math.log(2 * math.pi)


def _wrapped(angle: Tensor) -> Tensor:
    r"""The same angle in $[-\pi, \pi]$; one that lies there already keeps every bit."""
    return angle - 2 * math.pi * torch.round(angle / (2 * math.pi))


def _propose(concentration: Tensor) -> tuple[Tensor, Tensor]:
    r"""Angles around 0 from a wrapped Cauchy distribution, and which of them are accepted.

    Best & Fisher 1979, Appl. Stat. 28:152-157, in terms of the tangent of the half angle, so that
    nothing cancels: with their r, $m = \kappa(r - 1)$ and $c = \kappa(r - \cos x)$.
    """
    double = 2 * concentration
    root = torch.hypot(double, torch.ones_like(double))
    m = (1 + 1 / (root + double)) / 2
    first, second = torch.rand((2, *double.shape), dtype=double.dtype, device=double.device)
    tangent = (m / (m + double)).sqrt() * torch.tan(math.pi * (first - 0.5))
    square = tangent * tangent
    c = m + double * square / (1 + square)
    return 2 * torch.atan(tangent), second < c * torch.exp(1 - c)


def _split(k: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where k is large, k where it is not, and 1/k where it is; harmless numbers elsewhere."""
    large = k > HANKEL_ABOVE
    return large, torch.where(large, 1.0, k), 1 / torch.where(large, k, HANKEL_ABOVE)


def _log_scaled_bessel(k: Tensor) -> Tensor:
    r"""$\log(e^{-\kappa} I_0(\kappa))$, also its derivative exact for large $\kappa$."""
    large, inside, inverse = _split(k)
    series = 0.5 * torch.log(inverse / (2 * math.pi)) + _hankel_excess(inverse, 0).log1p()
    return torch.where(large, series, torch.special.i0e(inside).log())


def _hankel_excess(y: Tensor, order: int) -> Tensor:
    r"""$\sqrt{2\pi\kappa}\,e^{-\kappa} I_\nu(\kappa) - 1$ at $\kappa = 1/y$, by its series.

    dlmf.nist.gov 10.40.1.
    """
    total = torch.zeros_like(y)
    for n in range(N_TERMS, 0, -1):
        total = ((2 * n - 1) ** 2 - 4 * order**2) / (8 * n) * y * (1 + total)
    return total
