r"""Run a piecewise-linear map through time, forced, driven or free: the specification.

$$\tilde z_t = (1 - \alpha_t)\, z_t + \alpha_t\, \hat z_t, \qquad z_{t+1} = F(\tilde z_t) + d_t$$
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.kernels.arguments import check_arguments, check_kinds
from neurodsr.kernels.dispatch import Backend, pick_path
from neurodsr.kernels.native_map import check_map
from neurodsr.kernels.path import scan_along
from neurodsr.kernels.pwl import PiecewiseLinearMap, step


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
        "reference" (autograd through the loop), "adjoint" (hand-written gradient in plain torch),
        "native" (compiled), "triton" and "cuda-graph" (on a GPU), or "auto", the fastest that is
        there; where `alpha` itself needs a gradient that is the reference. See `dispatch.py`.

    Returns
    -------
    States $z_1 \ldots z_T$.

    Raises
    ------
    ConfigError
        The number of steps is not given or not positive, shapes, precisions or devices disagree,
        or a target comes without `alpha`.
    ResourceError
        This machine has no such backend.

    References
    ----------
    Hess et al. 2023, ICML (generalized teacher forcing).
    """
    n_steps, alpha = check_arguments(
        z0, n_steps, target, alpha, drive, latent_dim=pwl.latent_dim, where="scan"
    )
    if backend == "reference" or (backend == "auto" and alpha is not None and alpha.requires_grad):
        return scan_reference(pwl, z0, n_steps, target, alpha, drive)
    check_map(pwl, z0, where="scan")
    check_kinds(z0, target=target, alpha=alpha, drive=drive, where="scan")
    pick = partial(pick_path, backend=backend)
    return scan_along(pick, pwl, z0, n_steps, target, alpha, drive)


def scan_reference(
    pwl: PiecewiseLinearMap,
    z0: Float[Tensor, "*member batch latent"],
    n_steps: int,
    target: Float[Tensor, "*member batch time latent"] | None,
    alpha: Float[Tensor, "..."] | None,
    drive: Float[Tensor, "*member batch time latent"] | None,
) -> Float[Tensor, "*member batch time latent"]:
    """The plain loop: in float64 the oracle that every fast path is tested against."""
    return unroll(partial(step, pwl), z0, n_steps, target, alpha, drive)


def unroll(
    advance: Callable[[Tensor], Tensor],
    z0: Float[Tensor, "*member batch latent"],
    n_steps: int,
    target: Float[Tensor, "*member batch time latent"] | None,
    alpha: Float[Tensor, "..."] | None,
    drive: Float[Tensor, "*member batch time latent"] | None,
) -> Float[Tensor, "*member batch time latent"]:
    """Any map forced, driven or free, one step after the other: the forcing equation itself."""
    z, states = z0, []
    targets = None if target is None else target.unbind(-2)
    alphas = None if target is None else alpha.expand(target.shape).unbind(-2)
    drives = None if drive is None else drive.unbind(-2)
    for t in range(n_steps):
        if targets is not None:
            z = torch.lerp(z, targets[t], alphas[t])
        z = advance(z)
        if drives is not None:
            z = z + drives[t]
        states.append(z)
    return torch.stack(states, dim=-2)
