"""The scan by the kernels of `triton_kernels.py`: for CUDA, and maps that fit into registers.

Values and gradients were checked in Triton's interpreter only; no GPU has run this path yet. So
`triton_trial.py` tries each size on the device at hand before anything relies on it. Every sum has
a fixed order, without atomics: the same device gives the same numbers again.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neurodsr.errors import ConfigError
from neurodsr.kernels.devices import Tiles, scan_tiles, sum_tiles
from neurodsr.kernels.path import Gradients, Path, Problem
from neurodsr.kernels.pwl import PiecewiseLinearMap


def forward(problem: Problem, keep: bool) -> tuple[Tensor, Tensor | None]:
    """All steps in one launch; keeps the mixed states [member, batch, time, latent].

    Raises
    ------
    ConfigError
        The map does not fit into registers.
    """
    from neurodsr.kernels.triton_kernels import run_forward

    tiles, pwl, z0 = _tiles(problem), problem.pwl, problem.z0
    n_members, n_batch, latent = z0.shape
    states = z0.new_empty(n_members, n_batch, problem.n_steps, latent)
    mixed = torch.empty_like(states) if keep else None
    with torch.cuda.device_of(z0):
        run_forward[n_batch, n_members](
            *_contiguous(pwl.A, _packed(pwl, tiles), pwl.h1, pwl.h2, z0, problem.target),
            problem.alpha,
            *_contiguous(problem.drive),
            states,
            mixed,
            *_strides(problem.alpha),
            problem.n_steps,
            *_sizes(pwl, tiles),
            **_options(tiles),
        )
    return states, mixed


def backward(problem: Problem, mixed: Tensor, grad: Tensor, wanted: frozenset[str]) -> Gradients:
    """One launch back through the steps, and one for the weights if anybody wants them."""
    from neurodsr.kernels.triton_kernels import run_adjoint

    tiles, pwl = _tiles(problem), problem.pwl
    n_members, n_batch, latent = problem.z0.shape
    weights, total = _packed(pwl, tiles), torch.empty_like(mixed)
    to_target = torch.empty_like(mixed) if "target" in wanted else None
    to_z0, to_A, to_h1 = mixed.new_empty(3, n_members, n_batch, latent).unbind(0)
    with torch.cuda.device_of(mixed):
        run_adjoint[n_batch, n_members](
            *_contiguous(pwl.A, weights, pwl.h2),
            problem.alpha,
            mixed,
            *_contiguous(grad),
            total,
            to_target,
            *(to_z0, to_A, to_h1),
            *_strides(problem.alpha),
            problem.n_steps,
            *_sizes(pwl, tiles),
            **_options(tiles),
        )
    to_drive = total if "drive" in wanted else None
    found = Gradients(A=to_A.sum(1), h1=to_h1.sum(1), z0=to_z0, target=to_target, drive=to_drive)
    if wanted.isdisjoint({"W1", "W2", "h2"}):
        return found
    to_W1, to_W2, to_h2 = _to_weights(problem, weights, mixed, total, tiles)
    return found._replace(W1=to_W1, W2=to_W2, h2=to_h2)


def _to_weights(
    problem: Problem, weights: Tensor, mixed: Tensor, total: Tensor, tiles: Tiles
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of W1, W2 and h2: each program sums over time, then torch over samples."""
    from neurodsr.kernels.triton_kernels import sum_over_time

    n_members, n_batch, n_steps, latent = mixed.shape
    part, hidden = sum_tiles(tiles, mixed.itemsize), problem.pwl.h2.shape[-1]
    to_W1t, to_W2 = mixed.new_empty(2, n_members, n_batch, hidden, latent).unbind(0)
    to_h2 = mixed.new_empty(n_members, n_batch, hidden)
    with torch.cuda.device_of(mixed):
        sum_over_time[n_batch, n_members, -(-hidden // part.hidden)](
            *_contiguous(weights, problem.pwl.h2),
            *(mixed, total, to_W1t, to_W2, to_h2),
            n_steps,
            *_sizes(problem.pwl, tiles),
            part.hidden,
            **_options(part),
        )
    return to_W1t.sum(1).mT, to_W2.sum(1), to_h2.sum(1)


def _tiles(problem: Problem) -> Tiles:
    latent, hidden = problem.pwl.W1.shape[-2:]
    tiles = scan_tiles(latent, hidden, problem.z0.itemsize)
    if tiles is None:
        raise ConfigError(
            f"{latent} latents and {hidden} hidden units do not fit into registers",
            where="scan",
            fix="let backend='auto' choose",
        )
    return tiles


def _packed(pwl: PiecewiseLinearMap, tiles: Tiles) -> Tensor:
    """W1 transposed and W2, [member, 2, hidden, latent], padded with zeros to whole tiles."""
    members, latent, hidden = pwl.W1.shape
    packed = pwl.W1.new_zeros(members, 2, tiles.hidden, tiles.latent)
    packed[:, 0, :hidden, :latent] = pwl.W1.mT
    packed[:, 1, :hidden, :latent] = pwl.W2
    return packed


def _contiguous(*tensors: Tensor | None) -> tuple[Tensor | None, ...]:
    return tuple(None if x is None else x.contiguous() for x in tensors)


def _strides(alpha: Tensor | None) -> tuple[int, ...]:
    return (0, 0, 0, 0) if alpha is None else alpha.stride()


def _sizes(pwl: PiecewiseLinearMap, tiles: Tiles) -> tuple[int, int, int, int]:
    return (*pwl.W1.shape[-2:], tiles.latent, tiles.hidden)


def _options(tiles: Tiles) -> dict[str, int | bool]:
    """A product and its sum are one instruction, whatever a version of Triton does by default."""
    return {"num_warps": tiles.warps, "num_stages": 1, "enable_fp_fusion": True}


TRITON = Path("triton", forward, backward)
"""On CUDA the whole scan in one launch, its gradient in two."""
