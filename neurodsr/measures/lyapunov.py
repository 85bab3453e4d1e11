r"""How fast nearby orbits of a map separate or meet: Lyapunov exponents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.errors import ConfigError, DataError
from neurodsr.kernels.pwl import PiecewiseLinearMap

# Takes and returns [..., 1 + n_tangents, latent]: row 0 is the state, the others are tangents.
# One array, so that a piecewise-linear map advances both by the same two matrix products.
Advance: TypeAlias = Callable[[Tensor], Tensor]


def lyapunov_spectrum(
    pwl: PiecewiseLinearMap,
    z0: Float[Tensor, "*starts latent"],
    *,
    n_steps: int,
    n_transient: int = 1000,
    every: int = 5,
) -> Float[Tensor, "*starts latent"]:
    r"""All Lyapunov exponents of a piecewise-linear map along one or many orbits.

    $\lambda_i = \frac{1}{T} \sum_k \log |R^{(k)}_{ii}|$, with QR re-orthonormalization of the
    Jacobian product every `every` steps. The Jacobian is never formed:
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
    starts, tangents = _states(pwl, z0), torch.eye(pwl.latent_dim)
    growth = _growth(_advance_pwl(pwl), starts, tangents, n_steps, n_transient, every)
    return (sum(growth) / n_steps).sort(dim=-1, descending=True).values.reshape(z0.shape)


def lyapunov_history(
    pwl: PiecewiseLinearMap,
    z0: Float[Tensor, "*starts latent"],
    *,
    n_steps: int,
    n_transient: int = 1000,
    every: int = 5,
) -> Float[Tensor, "interval *starts latent"]:
    """Running estimates of the Lyapunov exponents, to see whether they have converged.

    Parameters and errors as in `lyapunov_spectrum`.

    Returns
    -------
    Estimates per step after every re-orthonormalization, in the order of the final ones; the
    last row equals `lyapunov_spectrum`.
    """
    starts, tangents = _states(pwl, z0), torch.eye(pwl.latent_dim)
    growth = _growth(_advance_pwl(pwl), starts, tangents, n_steps, n_transient, every)
    total = torch.stack(list(growth)).cumsum(dim=0)
    steps = every * torch.arange(1, len(total) + 1, device=total.device)
    running = total / steps.view(-1, *[1] * starts.dim())
    order = running[-1].argsort(dim=-1, descending=True).expand_as(running)
    return running.gather(-1, order).reshape(-1, *z0.shape)


def largest_exponent(
    pwl: PiecewiseLinearMap,
    z0: Float[Tensor, "*starts latent"],
    *,
    n_steps: int,
    n_transient: int = 1000,
    every: int = 5,
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
    growth = _growth(_advance_pwl(pwl), _states(pwl, z0), tangents, n_steps, n_transient, every)
    return (sum(growth) / n_steps).reshape(z0.shape[:-1])


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

    tangents = torch.eye(z0.shape[-1])
    growth = _growth(advance, z0, tangents, n_steps, n_transient, every)
    return (sum(growth) / n_steps).sort(dim=-1, descending=True).values


@torch.no_grad()
def _growth(
    advance: Advance, z0: Tensor, tangents: Tensor, n_steps: int, n_transient: int, every: int
) -> Iterator[Tensor]:
    """Log growth of every tangent in each interval after the transient."""
    if every < 1 or n_steps < 1 or n_steps % every or n_transient < 0:
        # A last partial interval would count in T although its growth is never read off R.
        raise ConfigError(
            f"n_steps={n_steps}, n_transient={n_transient}, every={every} do not fit together",
            fix=f"use n_transient >= 0, every >= 1 and n_steps={_multiple(n_steps, every)}",
        )
    z0 = z0.to(torch.float64)
    tangents = tangents.to(z0).expand(*z0.shape[:-1], *tangents.shape)
    V = torch.cat((z0.unsqueeze(-2), tangents), dim=-2)
    n_discarded = -(-n_transient // every)
    for k in range(n_discarded + n_steps // every):
        for _ in range(every):
            V = advance(V)
        Q, R = torch.linalg.qr(V[..., 1:, :].mT)
        V = torch.cat((V[..., :1, :], Q.mT), dim=-2)
        if k >= n_discarded:
            # R's diagonal may be negative; only its magnitude is growth.
            growth = R.diagonal(dim1=-2, dim2=-1).abs().log()
            # Tangents of a diverged orbit stay finite, and mean nothing.
            lost = ~V[..., 0, :].isfinite().all(dim=-1, keepdim=True)
            yield growth.masked_fill(lost, torch.nan)


def _multiple(n_steps: int, every: int) -> int:
    every = max(every, 1)
    return max(1, -(-n_steps // every)) * every


def _states(pwl: PiecewiseLinearMap, z0: Tensor) -> Tensor:
    """Starts with the axes [*member, start, latent], checked against the map."""
    stacked = pwl.A.dim() == 2
    fits = z0.dim() == 3 and len(z0) == len(pwl.A) if stacked else z0.dim() in (1, 2)
    if not fits or z0.shape[-1] != pwl.latent_dim:
        wanted = "[member, start, latent]" if stacked else "[latent] or [start, latent]"
        raise DataError(
            f"z0 has shape {tuple(z0.shape)}, the map's A {tuple(pwl.A.shape)}",
            fix=f"give z0 as {wanted} for this map",
        )
    return z0 if z0.dim() > 1 else z0.unsqueeze(0)


def _advance_pwl(pwl: PiecewiseLinearMap) -> Advance:
    pwl = pwl.to(torch.float64)
    A, W1, W2 = pwl.A[..., None, None, :], pwl.W1.mT, pwl.W2.mT
    h1, h2 = pwl.h1.unsqueeze(-2), pwl.h2.unsqueeze(-2)

    def advance(V: Tensor) -> Tensor:
        rows = V.shape[-3:-1]
        hidden = (V.flatten(-3, -2) @ W2).unflatten(-2, rows)
        hidden[..., 0, :] += h2
        # The state's ReLU is this product, too: its own row is the one that decides.
        # Multiplying by floats in place is several times faster than by booleans.
        hidden *= (hidden[..., :1, :] > 0).to(hidden.dtype)
        out = A * V + (hidden.flatten(-3, -2) @ W1).unflatten(-2, rows)
        out[..., 0, :] += h1
        return out

    return advance
