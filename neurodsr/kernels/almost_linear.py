r"""The almost-linear map through time: a scan of its own, for half the arithmetic.

$$\tilde z_t = (1 - \alpha_t)\, z_t + \alpha_t\, \hat z_t, \qquad
  z_{t+1} = A \odot \tilde z_t + W \phi(\tilde z_t) + h + d_t$$
"""

from __future__ import annotations

from functools import partial
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

from neurodsr.errors import ConfigError, ResourceError
from neurodsr.kernels.almost_linear_adjoint import ADJOINT
from neurodsr.kernels.almost_linear_map import AlmostLinearMap, step_almost_linear
from neurodsr.kernels.almost_linear_native import native_path, suits_native
from neurodsr.kernels.arguments import check_arguments, check_kinds
from neurodsr.kernels.library import load_library
from neurodsr.kernels.native import n_lanes
from neurodsr.kernels.path import Path, Problem, scan_along
from neurodsr.kernels.scan import unroll
from neurodsr.kernels.split import find_segments, split

Backend = Literal["auto", "reference", "adjoint", "native"]

WHERE = "scan_almost_linear"


def scan_almost_linear(
    pwl: AlmostLinearMap,
    z0: Float[Tensor, "*member batch latent"],
    *,
    n_steps: int | None = None,
    target: Float[Tensor, "*member batch time latent"] | None = None,
    alpha: float | Float[Tensor, "..."] | None = None,
    drive: Float[Tensor, "*member batch time latent"] | None = None,
    backend: Backend = "auto",
) -> Float[Tensor, "*member batch time latent"]:
    r"""States after each step of an almost-linear map that is forced, driven, or free.

    $$\tilde z_t = (1 - \alpha_t)\, z_t + \alpha_t\, \hat z_t, \qquad
      z_{t+1} = A \odot \tilde z_t + W \phi(\tilde z_t) + h + d_t$$

    Parameters
    ----------
    pwl
        The map, or a stack of maps with one leading axis; then every tensor has that axis.
    z0, n_steps, target, alpha, drive
        As `scan` takes them.
    backend
        "reference" (autograd through the loop), "adjoint" (hand-written gradient in plain torch),
        "native" (compiled), or "auto", the fastest that is there; where `alpha` itself needs a
        gradient that is the reference.

    Returns
    -------
    States $z_1 \ldots z_T$.

    Raises
    ------
    ConfigError
        The map's tensors do not belong together, the number of steps is not given or not
        positive, shapes, precisions or devices disagree, or a target comes without `alpha`.
    ResourceError
        This machine has no such backend, or it cannot run this problem.

    References
    ----------
    Brenner et al. 2024, NeurIPS (the map); Hess et al. 2023, ICML (generalized teacher forcing).
    """
    n_steps, alpha = check_arguments(
        z0, n_steps, target, alpha, drive, latent_dim=pwl.latent_dim, where=WHERE
    )
    _check_map(pwl, z0)
    if backend == "reference" or (backend == "auto" and alpha is not None and alpha.requires_grad):
        return scan_reference(pwl, z0, n_steps, target, alpha, drive)
    check_kinds(z0, A=pwl.A, W=pwl.W, h=pwl.h, target=target, drive=drive, where=WHERE)
    pick = partial(_pick_path, backend=backend)
    return scan_along(pick, pwl, z0, n_steps, target, alpha, drive)


def scan_reference(
    pwl: AlmostLinearMap,
    z0: Float[Tensor, "*member batch latent"],
    n_steps: int,
    target: Float[Tensor, "*member batch time latent"] | None,
    alpha: Float[Tensor, "..."] | None,
    drive: Float[Tensor, "*member batch time latent"] | None,
) -> Float[Tensor, "*member batch time latent"]:
    """The plain loop: in float64 the oracle that every fast path is tested against."""
    return unroll(partial(step_almost_linear, pwl), z0, n_steps, target, alpha, drive)


def _pick_path(problem: Problem, *, backend: Backend) -> Path:
    """The path for a problem, cut into independent segments where forcing allows it."""
    path = _fastest(problem) if backend == "auto" else _named(problem, backend)
    if problem.target is None or not _has_empty_lanes(problem.z0, path):
        return path
    segments = find_segments(problem.alpha)
    return path if segments is None else split(path, segments)


def _has_empty_lanes(z0: Tensor, path: Path) -> bool:
    """Whether segments side by side are faster at all: compiled, full lanes gain nothing."""
    return path is ADJOINT or z0.shape[1] < n_lanes(load_library(), z0)


def _fastest(problem: Problem) -> Path:
    return (native_path() if suits_native(problem) else None) or ADJOINT


def _named(problem: Problem, backend: Backend) -> Path:
    if backend == "adjoint":
        return ADJOINT
    if backend != "native":
        raise ConfigError(
            f"unknown backend {backend!r}",
            where=WHERE,
            fix=f"choose one of {', '.join(get_args(Backend))}",
        )
    if not suits_native(problem):
        raise _absent("it takes float32 or float64 tensors on the CPU", "convert and move them")
    if (path := native_path()) is None:
        raise _absent("no library was built", "install GCC 12 or clang, then neurodsr again")
    return path


def _absent(why: str, fix: str) -> ResourceError:
    return ResourceError(
        f"backend 'native' cannot run here: {why}", where=WHERE, fix=f"{fix}, or use auto"
    )


def _check_map(pwl: AlmostLinearMap, z0: Tensor) -> None:
    """Refuse a map whose tensors do not belong together: compiled code trusts their shapes."""
    members, latent = z0.shape[:-2], z0.shape[-1]
    expected = {"A": (latent,), "W": (latent, latent), "h": (latent,)}
    for name, shape in expected.items():
        given = tuple(getattr(pwl, name).shape)
        if given != (*members, *shape):
            raise ConfigError(
                f"{name} has shape {given}, expected {(*members, *shape)}",
                where=WHERE,
                fix="give A and h a number for each latent, W a square, and a member axis to all "
                "tensors or to none",
            )
    if not 0 <= pwl.n_linear <= latent:
        raise ConfigError(
            f"n_linear is {pwl.n_linear}, the map has {latent} latents",
            where=WHERE,
            fix="give the number of latents that are not rectified",
        )
