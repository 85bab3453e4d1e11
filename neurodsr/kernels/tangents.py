r"""Tangents along an orbit: how small perturbations of a state grow, shrink and turn.

$$v_{t+1} = J(z_t)\, v_t, \qquad
  J(z) = \mathrm{diag}(A) + W_1\, \mathrm{diag}(\mathbb 1[W_2 z + h_2 > 0])\, W_2$$

All in float64: products of many Jacobians span more orders of magnitude than float32 has digits.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import Structure, byref, c_int64, c_void_p
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.errors import ConfigError
from neurodsr.kernels.library import load_library
from neurodsr.kernels.native import View
from neurodsr.kernels.native_map import Maps, check_map, lay_out, stacked, view_of
from neurodsr.kernels.pwl import PiecewiseLinearMap, jacobian
from neurodsr.kernels.scan import scan

# Takes and returns [..., 1 + n_tangents, latent]: row 0 is the state, the others are tangents.
# One array, so that a piecewise-linear map advances both by the same two matrix products.
Advance: TypeAlias = Callable[[Tensor], Tensor]


class Exponents(Structure):
    """The C `Exponents`."""

    _fields_ = (
        ("maps", Maps),
        *((name, c_int64) for name in ("batch", "tangents", "every", "discarded", "intervals")),
        ("z0", View),
        ("first", c_void_p),
        ("growth", View),
    )


class Products(Structure):
    """The C `Products`."""

    _fields_ = (
        ("maps", Maps),
        *((name, c_int64) for name in ("batch", "vectors", "n_steps")),
        ("z0", View),
        ("v", View),
        ("states", c_void_p),
    )


@torch.no_grad()
def tangents(
    pwl: PiecewiseLinearMap,
    z0: Float[Tensor, "*member start latent"],
    v: Float[Tensor, "*member start vector latent"],
    n_steps: int,
) -> Float[Tensor, "*member start vector latent"]:
    r"""What small perturbations of a state become some steps later.

    $J(z_{T-1}) \cdots J(z_0)\, v$, not re-orthonormalized, in float64.

    Parameters
    ----------
    pwl
        The map, or a stack of members.
    z0
        The states that are perturbed.
    v
        Perturbations of each, any number of them.
    n_steps
        Number of steps T.

    Raises
    ------
    ConfigError
        `n_steps` is below 1, or shapes disagree.
    """
    return _product(pwl, z0, v, n_steps, back=False)


@torch.no_grad()
def cotangents(
    pwl: PiecewiseLinearMap,
    z0: Float[Tensor, "*member start latent"],
    v: Float[Tensor, "*member start vector latent"],
    n_steps: int,
) -> Float[Tensor, "*member start vector latent"]:
    r"""To which perturbations of a state the state some steps later is sensitive.

    $J(z_0)^\top \cdots J(z_{T-1})^\top v$: the gradient of $v^\top z_T$ with respect to $z_0$.
    Parameters and errors as in `tangents`, `v` being readouts of the final state. Memory grows with
    `n_steps`, one state a step.
    """
    return _product(pwl, z0, v, n_steps, back=True)


def compiled_growth(
    pwl: PiecewiseLinearMap,
    z0: Float[Tensor, "member start latent"],
    first: Float[Tensor, "tangent latent"],
    *,
    every: int,
    discarded: int,
    intervals: int,
    each: bool,
) -> Float[Tensor, "interval member start tangent"]:
    r"""Log growth of orthonormalized tangents, $\ln |R_{ii}|$ of $v = Q R$, in compiled code.

    The specification is the loop in `neurodsr/measures/lyapunov.py`.

    Parameters
    ----------
    pwl, z0
        A stack of members and their starts, in float64.
    first
        Orthonormal tangents to begin with, the same for all starts.
    every
        Steps of an interval, after which tangents are orthonormalized.
    discarded, intervals
        How many intervals are discarded first, and how many are measured then.
    each
        Whether every interval is returned, or their sum as the only one.

    Returns
    -------
    NaN for a start whose orbit leaves the finite numbers, -inf where a direction is flattened.

    Raises
    ------
    ConfigError
        Tensors do not belong together, or are not float64.
    """
    check_map(pwl, z0, where="Lyapunov exponents")
    n_tangents, latent = first.shape
    if z0.dtype != torch.float64 or latent != z0.shape[-1] or n_tangents > latent:
        raise ConfigError(
            f"starts are {z0.dtype} of {z0.shape[-1]} latents, tangents {tuple(first.shape)}",
            where="Lyapunov exponents",
            fix="give maps and starts in float64, and at most as many tangents as latents",
        )
    shape = (*z0.shape[:2], intervals if each else 1, len(first))
    growth = torch.zeros(shape, dtype=torch.float64)
    if not growth.numel():
        return growth.permute(2, 0, 1, 3)
    maps, alive = lay_out(pwl)
    first = first.to(torch.float64).contiguous()
    to = view_of(growth)
    to.time *= each  # with stride 0 all intervals add up in one place
    counts = (z0.shape[1], len(first), every, discarded, intervals)
    problem = Exponents(maps, *counts, view_of(z0), first.data_ptr(), to)
    load_library().functions.neurodsr_add_growth(byref(problem))
    del alive
    return growth.permute(2, 0, 1, 3)


def has_compiled_tangents(pwl: PiecewiseLinearMap) -> bool:
    """Whether compiled code takes tangents of this map."""
    return pwl.A.device.type == "cpu" and load_library() is not None


def advance_tangents(pwl: PiecewiseLinearMap) -> Advance:
    """One step of states together with their tangents, in plain torch, float64."""
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


def _product(pwl: PiecewiseLinearMap, z0: Tensor, v: Tensor, n_steps: int, *, back: bool) -> Tensor:
    check_map(pwl, z0, where="tangents")
    if n_steps < 1 or v.shape != (*z0.shape[:-1], *v.shape[-2:-1], z0.shape[-1]):
        raise ConfigError(
            f"n_steps is {n_steps}, v has shape {tuple(v.shape)} and z0 {tuple(z0.shape)}",
            where="tangents",
            fix="take at least one step, and give v like z0 with an axis [vector] before latent",
        )
    pwl, z0 = pwl.to(torch.float64), z0.to(torch.float64)
    v = v.to(z0)
    if has_compiled_tangents(pwl):
        return _compiled_product(pwl, z0, v, n_steps, back=back)
    if not back:
        advance, V = advance_tangents(pwl), torch.cat((z0.unsqueeze(-2), v), dim=-2)
        for _ in range(n_steps):
            V = advance(V)
        return V[..., 1:, :]
    states = torch.cat((z0.unsqueeze(-2), scan(pwl, z0, n_steps=n_steps)), dim=-2)
    for z in states.unbind(-2)[-2::-1]:
        v = v @ jacobian(pwl, z)
    return v


def _compiled_product(
    pwl: PiecewiseLinearMap, z0: Tensor, v: Tensor, n_steps: int, *, back: bool
) -> Tensor:
    shape = v.shape
    if not v.numel():
        return v
    v = v.clone(memory_format=torch.contiguous_format).view(-1, *shape[-3:])
    z0 = z0.reshape(-1, *z0.shape[-2:])
    maps, alive = lay_out(stacked(pwl))
    states = z0.new_empty(n_steps, z0.shape[-1]) if back else None
    to = None if states is None else states.data_ptr()
    problem = Products(maps, z0.shape[1], v.shape[2], n_steps, view_of(z0), view_of(v), to)
    load_library().functions.neurodsr_carry(byref(problem))
    del alive
    return v.view(shape)
