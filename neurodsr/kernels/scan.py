r"""Run a piecewise-linear map through time, forced, driven or free: the specification.

$$\tilde z_t = (1 - \alpha_t)\, z_t + \alpha_t\, \hat z_t, \qquad z_{t+1} = F(\tilde z_t) + d_t$$
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.errors import ConfigError
from neurodsr.kernels.pwl import PiecewiseLinearMap, step

Backend = Literal["auto", "reference", "adjoint"]


def scan(
    pwl: PiecewiseLinearMap,
    z0: Float[Tensor, "*member batch latent"],
    *,
    n_steps: int | None = None,
    target: Float[Tensor, "*member batch time latent"] | None = None,
    alpha: float | Float[Tensor, "..."] | None = None,
    drive: Float[Tensor, "*member batch time latent"] | None = None,
    backend: Backend = "auto",
) -> Float[Tensor, "*member batch time latent"]:
    r"""States after each step of a map that is forced towards a target, driven, or free.

    $$\tilde z_t = (1 - \alpha_t)\, z_t + \alpha_t\, \hat z_t, \qquad
      z_{t+1} = F(\tilde z_t) + d_t$$

    A constant `alpha` is generalized teacher forcing, `alpha` in {0, 1} sparse forcing or a
    clamp, no target a free run, `drive` an input, noise or a pulse.

    Parameters
    ----------
    pwl
        The map, or a stack of maps with one leading axis; then every tensor has that axis.
    z0
        State before the first step.
    n_steps
        Number of steps; needed only where neither target nor drive gives it.
    target
        Teacher states, aligned with the state before each step.
    alpha
        Forcing strength in [0, 1]: a number, or a tensor that broadcasts against `target`;
        0 where no target is known.
    drive
        Added after each step.
    backend
        "reference" (autograd through the loop), "adjoint" (hand-written gradient, faster), or
        "auto", which takes the adjoint unless `alpha` itself needs a gradient.

    Returns
    -------
    States $z_1 \ldots z_T$.

    Raises
    ------
    ConfigError
        The number of steps is not given or not positive, shapes disagree, or a target comes
        without `alpha`.

    References
    ----------
    Hess et al. 2023, ICML (generalized teacher forcing).
    """
    n_steps = _n_steps(pwl, z0, n_steps, target, drive)
    if (target is None) != (alpha is None):
        raise ConfigError(
            "target and alpha belong together, one of them is missing",
            where="scan",
            fix="give both for a forced run, neither for a free one",
        )
    if alpha is not None:
        alpha = torch.as_tensor(alpha, dtype=z0.dtype, device=z0.device)
        _check_alpha(alpha, target)
    if backend == "reference" or (backend == "auto" and alpha is not None and alpha.requires_grad):
        return scan_reference(pwl, z0, n_steps, target, alpha, drive)
    from neurodsr.kernels.adjoint import scan_adjoint

    return scan_adjoint(pwl, z0, n_steps, target, alpha, drive)


def scan_reference(
    pwl: PiecewiseLinearMap,
    z0: Float[Tensor, "*member batch latent"],
    n_steps: int,
    target: Float[Tensor, "*member batch time latent"] | None,
    alpha: Float[Tensor, "..."] | None,
    drive: Float[Tensor, "*member batch time latent"] | None,
) -> Float[Tensor, "*member batch time latent"]:
    """The plain loop: in float64 the oracle that every fast path is tested against."""
    z, states = z0, []
    targets = None if target is None else target.unbind(-2)
    alphas = None if target is None else alpha.expand(target.shape).unbind(-2)
    drives = None if drive is None else drive.unbind(-2)
    for t in range(n_steps):
        if targets is not None:
            z = torch.lerp(z, targets[t], alphas[t])
        z = step(pwl, z)
        if drives is not None:
            z = z + drives[t]
        states.append(z)
    return torch.stack(states, dim=-2)


def _n_steps(
    pwl: PiecewiseLinearMap,
    z0: Tensor,
    n_steps: int | None,
    target: Tensor | None,
    drive: Tensor | None,
) -> int:
    if z0.shape[-1] != pwl.latent_dim:
        raise ConfigError(
            f"states have {z0.shape[-1]} latents, the map has {pwl.latent_dim}",
            where="scan",
            fix="start from states of the map's own latent space",
        )
    for name, given in (("target", target), ("drive", drive)):
        if given is None:
            continue
        expected = (*z0.shape[:-1], n_steps or given.shape[-2], z0.shape[-1])
        if given.shape != expected:
            raise ConfigError(
                f"{name} has shape {tuple(given.shape)}, expected {expected}",
                where="scan",
                fix=f"give {name} batch, time and latent like z0 and the steps asked for",
            )
        n_steps = given.shape[-2]
    if not n_steps or n_steps < 1:
        raise ConfigError(f"n_steps is {n_steps}", where="scan", fix="ask for at least one step")
    return n_steps


def _check_alpha(alpha: Tensor, target: Tensor) -> None:
    sizes = zip(reversed(alpha.shape), reversed(target.shape), strict=False)
    if alpha.ndim > target.ndim or any(a not in (1, n) for a, n in sizes):
        raise ConfigError(
            f"alpha has shape {tuple(alpha.shape)}, target {tuple(target.shape)}",
            where="scan",
            fix="give one number, or a shape that broadcasts against target",
        )
