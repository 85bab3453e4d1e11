"""The arguments that every scan takes, checked once for all of them."""

from __future__ import annotations

import torch
from torch import Tensor

from neurodsr.errors import ConfigError


def check_arguments(
    z0: Tensor,
    n_steps: int | None,
    target: Tensor | None,
    alpha: float | Tensor | None,
    drive: Tensor | None,
    *,
    latent_dim: int,
    where: str,
) -> tuple[int, Tensor | None]:
    """The number of steps, and the forcing strength as a tensor that suits the target.

    Parameters
    ----------
    z0, n_steps, target, alpha, drive
        As `scan` takes them.
    latent_dim
        Dimension of the map's state.
    where
        Name of the function that was called, for the message.

    Raises
    ------
    ConfigError
        The number of steps is not given or not positive, shapes disagree, or a target comes
        without `alpha`.
    """
    n_steps = _count_steps(z0, n_steps, target, drive, latent_dim=latent_dim, where=where)
    if (target is None) != (alpha is None):
        raise ConfigError(
            "target and alpha belong together, one of them is missing",
            where=where,
            fix="give both for a forced run, neither for a free one",
        )
    if alpha is None:
        return n_steps, None
    alpha = _as_tensor(alpha, z0)
    _check_alpha(alpha, target, where=where)
    return n_steps, alpha


def check_kinds(z0: Tensor, *, where: str, **others: Tensor | None) -> None:
    """Refuse mixed precisions and devices: a silent conversion would be a silent loss.

    Raises
    ------
    ConfigError
        A tensor differs from `z0` in precision or device.
    """
    for name, given in others.items():
        if given is not None and (given.dtype, given.device) != (z0.dtype, z0.device):
            raise ConfigError(
                f"{name} is {given.dtype} on {given.device}, z0 {z0.dtype} on {z0.device}",
                where=where,
                fix=f"convert with {name}.to(z0)",
            )


def _as_tensor(alpha: float | Tensor, z0: Tensor) -> Tensor:
    """Of the kind of `z0`. For a number, `as_tensor` takes 20 µs longer amid a training step."""
    if isinstance(alpha, float | int):
        return torch.scalar_tensor(alpha, dtype=z0.dtype, device=z0.device)
    return torch.as_tensor(alpha, dtype=z0.dtype, device=z0.device)


def _count_steps(
    z0: Tensor,
    n_steps: int | None,
    target: Tensor | None,
    drive: Tensor | None,
    *,
    latent_dim: int,
    where: str,
) -> int:
    if z0.shape[-1] != latent_dim:
        raise ConfigError(
            f"states have {z0.shape[-1]} latents, the map has {latent_dim}",
            where=where,
            fix="start from states of the map's own latent space",
        )
    for name, given in (("target", target), ("drive", drive)):
        if given is None:
            continue
        expected = (*z0.shape[:-1], n_steps or given.shape[-2], z0.shape[-1])
        if given.shape != expected:
            raise ConfigError(
                f"{name} has shape {tuple(given.shape)}, expected {expected}",
                where=where,
                fix=f"give {name} batch, time and latent like z0 and the steps asked for",
            )
        n_steps = given.shape[-2]
    if not n_steps or n_steps < 1:
        raise ConfigError(f"n_steps is {n_steps}", where=where, fix="ask for at least one step")
    return n_steps


def _check_alpha(alpha: Tensor, target: Tensor, *, where: str) -> None:
    sizes = zip(reversed(alpha.shape), reversed(target.shape), strict=False)
    if alpha.ndim > target.ndim or any(a not in (1, n) for a, n in sizes):
        raise ConfigError(
            f"alpha has shape {tuple(alpha.shape)}, target {tuple(target.shape)}",
            where=where,
            fix="give one number, or a shape that broadcasts against target",
        )
