r"""How fast nearby orbits of a map separate or meet: Lyapunov exponents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.errors import ConfigError, DataError
from neurodsr.kernels.native_map import stacked
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.kernels.tangents import (
    Advance,
    advance_tangents,
    compiled_growth,
    has_compiled_tangents,
)

Backend = Literal["auto", "reference"]


class Lengths(NamedTuple):
    """How long an orbit is followed; see `lyapunov_spectrum`."""

    n_steps: int
    n_transient: int
    every: int

    @property
    def n_discarded(self) -> int:
        """Intervals of the transient."""
        return -(-self.n_transient // self.every)


def lyapunov_spectrum(
    pwl: PiecewiseLinearMap,
    z0: Float[Tensor, "*starts latent"],
    *,
    n_steps: int,
    n_transient: int = 1000,
    every: int = 5,
    backend: Backend = "auto",
) -> Float[Tensor, "*starts latent"]:
    r"""All Lyapunov exponents of a piecewise-linear map along one or many orbits.

    $\lambda_i = \frac{1}{T} \sum_k \log |R^{(k)}_{ii}|$, with QR re-orthonormalization of the
    Jacobian product every `every` steps,
    $J Q = A \odot Q + W_1 (\mathbb{1}[W_2 z + h_2 > 0] \odot W_2 Q)$. Computed in float64,
    without inputs.

    Parameters
    ----------
    pwl
        The map, or a stack of members.
    z0
        Starting states, shape (latent,) or (start, latent); (member, start, latent) for a stack.
    n_steps
        Steps averaged over; a positive multiple of `every`.
    n_transient
        Steps discarded first, rounded up to a multiple of `every`. The tangents are carried
        along, so that they are aligned when the average begins.
    every
        Steps between re-orthonormalizations. `every` times the spread of the exponents must stay
        below about 30 (the digits of float64), or the strongest contraction is lost to rounding.
    backend
        "reference" (the loop in torch), or "auto", which takes compiled code where it is there.
        Both give the same up to rounding.

    Returns
    -------
    Exponents per step, shape of `z0`, descending. Divide by `bin_width` for 1/s. NaN for a start
    whose orbit leaves the finite numbers, -inf for a direction that is flattened.

    Raises
    ------
    ConfigError
        `n_steps` is not a positive multiple of `every`, or `n_transient` is negative.
    DataError
        The shape of `z0` does not fit the map.

    References
    ----------
    Benettin et al. 1980, Meccanica 15:9-20 (the re-orthonormalization method).
    """
    lengths, tangents = Lengths(n_steps, n_transient, every), torch.eye(pwl.latent_dim)
    total = _growth_along(pwl, z0, tangents, lengths, backend, each=False)[0]
    return (total / n_steps).sort(dim=-1, descending=True).values.reshape(z0.shape)


def lyapunov_history(
    pwl: PiecewiseLinearMap,
    z0: Float[Tensor, "*starts latent"],
    *,
    n_steps: int,
    n_transient: int = 1000,
    every: int = 5,
    backend: Backend = "auto",
) -> Float[Tensor, "interval *starts latent"]:
    """Running estimates of the Lyapunov exponents, to see whether they have converged.

    Parameters and errors as in `lyapunov_spectrum`.

    Returns
    -------
    Estimates per step after every re-orthonormalization, in the order of the final ones; the
    last row equals `lyapunov_spectrum`.
    """
    lengths, tangents = Lengths(n_steps, n_transient, every), torch.eye(pwl.latent_dim)
    total = _growth_along(pwl, z0, tangents, lengths, backend, each=True).cumsum(dim=0)
    steps = every * torch.arange(1, len(total) + 1, device=total.device)
    running = total / steps.view(-1, *[1] * (total.dim() - 1))
    order = running[-1].argsort(dim=-1, descending=True).expand_as(running)
    return running.gather(-1, order).reshape(-1, *z0.shape)


def largest_exponent(
    pwl: PiecewiseLinearMap,
    z0: Float[Tensor, "*starts latent"],
    *,
    n_steps: int,
    n_transient: int = 1000,
    every: int = 5,
    backend: Backend = "auto",
) -> Float[Tensor, "*starts"]:
    """The largest Lyapunov exponent, from a single tangent: cheap enough for many starts.

    Parameters and errors as in `lyapunov_spectrum`.

    Returns
    -------
    Exponent per step, shape of `z0` without its last axis; above 0 is chaos, at 0 a cycle or
    torus, below 0 a stable point or cycle. NaN for a start whose orbit diverges.
    """
    # Irregular entries, so that no symmetry of the map hides the growing direction from it.
    tangent = torch.cos(torch.arange(1.0, pwl.latent_dim + 1, dtype=torch.float64))
    tangents = (tangent / tangent.norm()).unsqueeze(0)
    lengths = Lengths(n_steps, n_transient, every)
    total = _growth_along(pwl, z0, tangents, lengths, backend, each=False)[0]
    return (total / n_steps).reshape(z0.shape[:-1])


def lyapunov_spectrum_of(
    step: Callable[[Tensor], Tensor],
    jacobian: Callable[[Tensor], Tensor],
    z0: Float[Tensor, "*starts latent"],
    *,
    n_steps: int,
    n_transient: int = 1000,
    every: int = 5,
) -> Float[Tensor, "*starts latent"]:
    """All Lyapunov exponents of any differentiable map, given as a step and its Jacobian.

    Parameters
    ----------
    step
        Takes states [..., latent] in float64 to the next ones.
    jacobian
        Derivative of `step` at states [..., latent], shape [..., latent, latent].
    z0
        Starting states, any leading axes.
    n_steps, n_transient, every
        As in `lyapunov_spectrum`.

    Returns
    -------
    Exponents per step, shape of `z0`, descending.

    Raises
    ------
    ConfigError
        `n_steps` is not a positive multiple of `every`, or `n_transient` is negative.
    """

    def advance(V: Tensor) -> Tensor:
        z = V[..., 0, :]
        return torch.cat((step(z).unsqueeze(-2), V[..., 1:, :] @ jacobian(z).mT), dim=-2)

    lengths = _checked(Lengths(n_steps, n_transient, every))
    growth = _growth(advance, z0, torch.eye(z0.shape[-1]), lengths)
    return (sum(growth) / n_steps).sort(dim=-1, descending=True).values


@torch.no_grad()
def _growth_along(
    pwl: PiecewiseLinearMap,
    z0: Tensor,
    tangents: Tensor,
    lengths: Lengths,
    backend: Backend,
    *,
    each: bool,
) -> Float[Tensor, "interval *member start tangent"]:
    """Log growth of every tangent, in each interval or in all of them together."""
    starts, lengths = _states(pwl, z0).to(torch.float64), _checked(lengths)
    if backend == "reference" or not has_compiled_tangents(pwl):
        growth = _growth(advance_tangents(pwl), starts, tangents, lengths)
        return torch.stack(list(growth)) if each else sum(growth).unsqueeze(0)
    growth = compiled_growth(
        stacked(pwl).to(torch.float64),
        starts if starts.dim() == 3 else starts.unsqueeze(0),
        tangents,
        every=lengths.every,
        discarded=lengths.n_discarded,
        intervals=lengths.n_steps // lengths.every,
        each=each,
    )
    return growth if starts.dim() == 3 else growth.squeeze(1)


@torch.no_grad()
def _growth(advance: Advance, z0: Tensor, tangents: Tensor, lengths: Lengths) -> Iterator[Tensor]:
    """Log growth of every tangent in each interval after the transient: the specification."""
    z0 = z0.to(torch.float64)
    tangents = tangents.to(z0).expand(*z0.shape[:-1], *tangents.shape)
    V = torch.cat((z0.unsqueeze(-2), tangents), dim=-2)
    for k in range(lengths.n_discarded + lengths.n_steps // lengths.every):
        for _ in range(lengths.every):
            V = advance(V)
        Q, R = torch.linalg.qr(V[..., 1:, :].mT)
        V = torch.cat((V[..., :1, :], Q.mT), dim=-2)
        if k >= lengths.n_discarded:
            # R's diagonal may be negative; only its magnitude is growth.
            growth = R.diagonal(dim1=-2, dim2=-1).abs().log()
            # Tangents of a diverged orbit stay finite, and mean nothing.
            lost = ~V[..., 0, :].isfinite().all(dim=-1, keepdim=True)
            yield growth.masked_fill(lost, torch.nan)


def _checked(lengths: Lengths) -> Lengths:
    n_steps, n_transient, every = lengths
    if every < 1 or n_steps < 1 or n_steps % every or n_transient < 0:
        # A last partial interval would count in T although its growth is never read off R.
        multiple = max(1, -(-n_steps // max(every, 1))) * max(every, 1)
        raise ConfigError(
            f"n_steps={n_steps}, n_transient={n_transient}, every={every} do not fit together",
            fix=f"use n_transient >= 0, every >= 1 and n_steps={multiple}",
        )
    return lengths


def _states(pwl: PiecewiseLinearMap, z0: Tensor) -> Tensor:
    """Starts with the axes [*member, start, latent], checked against the map."""
    several = pwl.A.dim() == 2
    fits = z0.dim() == 3 and len(z0) == len(pwl.A) if several else z0.dim() in (1, 2)
    if not fits or z0.shape[-1] != pwl.latent_dim:
        wanted = "[member, start, latent]" if several else "[latent] or [start, latent]"
        raise DataError(
            f"z0 has shape {tuple(z0.shape)}, the map's A {tuple(pwl.A.shape)}",
            fix=f"give z0 as {wanted} for this map",
        )
    return z0 if z0.dim() > 1 else z0.unsqueeze(0)
