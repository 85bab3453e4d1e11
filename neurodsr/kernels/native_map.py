"""A map as compiled code reads it: checked, contiguous, of one kind of number."""

from __future__ import annotations

from ctypes import Structure, c_int64, c_void_p

from torch import Tensor

from neurodsr.errors import ConfigError
from neurodsr.kernels.native import View
from neurodsr.kernels.pwl import PiecewiseLinearMap

NAMES = ("A", "W1", "W2", "h1", "h2")


class Maps(Structure):
    """The C `Maps`: sizes, and where each tensor begins."""

    _fields_ = (
        *((name, c_int64) for name in ("members", "latent", "hidden")),
        *((name, c_void_p) for name in NAMES),
    )


def check_map(pwl: PiecewiseLinearMap, z0: Tensor, *, where: str) -> None:
    """Refuse a map whose tensors do not belong together, or starts that are not its states.

    Compiled code trusts these shapes, so that nothing may get past here.

    Parameters
    ----------
    z0
        States with the axes [*member, start, latent].
    where
        Name of the function that was called, for the message.

    Raises
    ------
    ConfigError
        Shapes, numbers or devices differ.
    """
    latent, hidden = pwl.W1.shape[-2:] if pwl.W1.ndim > 1 else (0, 0)
    members = pwl.W1.shape[:-2][:1]
    expected = {
        "A": (*members, latent),
        "W1": (*members, latent, hidden),
        "W2": (*members, hidden, latent),
        "h1": (*members, latent),
        "h2": (*members, hidden),
        "z0": (*members, z0.shape[-2] if z0.ndim > 1 else 1, latent),
    }
    given = {**{name: getattr(pwl, name) for name in NAMES}, "z0": z0}
    for name, tensor in given.items():
        if tensor.shape != expected[name]:
            raise ConfigError(
                f"{name} has shape {tuple(tensor.shape)}, expected {expected[name]}, "
                f"since W1 has {tuple(pwl.W1.shape)}",
                where=where,
                fix="give A and h1 as [*member, latent], W1 [*member, latent, hidden], W2 "
                "[*member, hidden, latent], h2 [*member, hidden] and z0 [*member, start, latent]",
            )
    kinds = {f"{tensor.dtype} on {tensor.device}" for tensor in given.values()}
    if len(kinds) > 1:
        raise ConfigError(
            f"the map and its starts are mixed: {', '.join(sorted(kinds))}",
            where=where,
            fix="bring them together with pwl.to(z0.dtype) and pwl.to(z0.device)",
        )


def lay_out(pwl: PiecewiseLinearMap) -> tuple[Maps, list[Tensor]]:
    """A stack of maps for a call, and the tensors that must outlive it."""
    alive = [getattr(pwl, name).detach().contiguous() for name in NAMES]
    members, latent, hidden = pwl.W1.shape
    return Maps(members, latent, hidden, *(p.data_ptr() for p in alive)), alive


def stacked(pwl: PiecewiseLinearMap) -> PiecewiseLinearMap:
    """One map as a stack of one; a stack as it is. Without the weights of inputs."""
    parts = pwl[:5] if pwl.A.ndim == 2 else [p.unsqueeze(0) for p in pwl[:5]]
    return PiecewiseLinearMap(*parts)


def view_of(x: Tensor | None) -> View:
    """Where a tensor [member, batch, time, latent], or [member, batch, latent], lies."""
    if x is None:
        return View(None, 0, 0, 0, 0)
    strides = x.stride() if x.ndim == 4 else (*x.stride()[:2], 0, x.stride(2))
    return View(x.data_ptr(), *strides)
