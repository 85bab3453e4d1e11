r"""Sparse forcing cut, exactly, into segments that run side by side.

Where $\alpha_t = 1$ for every latent, $\tilde z_t = \hat z_t$ whatever came before: no value goes
forward and no gradient backward across such a time. The sequence falls apart there, and many
steps of a batch become few steps of many short sequences. Since a forced step forgets everything,
short segments may also lie end to end in one row, so that rows come out about equally long.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from math import ceil, inf
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from neurodsr.kernels.path import Gradients, Path, Problem

WIDEST = 1024
"""Samples at once beyond which plain torch gains nothing: their hidden layer leaves the cache."""

OVERHEAD = 64
"""What a step costs however few its samples, counted in samples: 8 at M 20, L 500, and 260 at
M 3, L 50, measured with the adjoint path."""


class Segments(NamedTuple):
    """Where each step of a sequence goes when its segments lie side by side, in rows.

    Parameters
    ----------
    length
        Steps in a row.
    order
        The step at each place, row after row; None where that is the order in time. A row that
        ends early is filled up with a forced step, which is finite whatever the map does.
    place
        Where each step went: the inverse of `order`.
    """

    length: int
    order: Int[Tensor, "place"] | None = None
    place: Int[Tensor, "time"] | None = None


def find_segments(
    alpha: Float[Tensor, "*member batch time latent"], *, widest: int = WIDEST
) -> Segments | None:
    """The independent segments of a forced run; None where splitting it gains nothing.

    Only what `alpha` depends on is looked at, so that a constant costs next to nothing. (On a
    GPU, looking waits for `alpha`.)

    Parameters
    ----------
    alpha
        Forcing strength, as a view expanded to the shape of the target.
    widest
        Samples at once beyond which the path that is to be split gains nothing; for the compiled
        kernel that is what fills its lanes, whatever the number of members.
    """
    n_samples, n_steps = alpha[..., 0, 0].numel(), alpha.shape[-2]
    if not 0 < 2 * n_samples <= widest:
        return None
    bounds = [0, *(t for t in forced_times(alpha) if t), n_steps]
    if len(bounds) == 2:
        return None
    starts = _row_starts(bounds, n_samples, widest)
    return None if len(starts) == 1 else _in_rows(starts, bounds, alpha.device)


def forced_times(alpha: Float[Tensor, "*member batch time latent"]) -> list[int]:
    """Times at which every latent of every sample is replaced by its target, ascending."""
    known = essential(alpha).movedim(-2, 0)
    if len(known) < alpha.shape[-2]:
        return list(range(alpha.shape[-2])) if bool((known == 1).all()) else []
    # Few times pass the look at one latent of one sample; only these are looked at in full.
    times = (known[(slice(None), *known[0].ndim * (0,))] == 1).nonzero().squeeze(1)
    if known[0].numel() > 1 and len(times):
        times = times[(known[times] == 1).flatten(1).all(1)]
    return times.tolist()


def split(path: Path, segments: Segments) -> Path:
    """The same path run on all segments at once: the same values and gradients, sooner."""

    def forward(problem: Problem, keep: bool) -> tuple[Tensor, Tensor | None]:
        states, kept = path.forward(_side_by_side(problem, segments), keep)
        return _in_time(states, problem.z0.shape[1], segments), kept

    def backward(problem: Problem, kept: Tensor, grad: Tensor, wanted: frozenset[str]) -> Gradients:
        n_batch, laid = problem.z0.shape[1], _side_by_side(problem, segments)
        found = path.backward(laid, kept, _lay_gradient(grad, segments), wanted)
        return found._replace(
            z0=None if found.z0 is None else rows_of(found.z0, n_batch)[:, :, 0],
            target=_in_time(found.target, n_batch, segments),
            drive=_in_time(found.drive, n_batch, segments),
        )

    return Path(f"split {path.name}", forward, backward)


def essential(alpha: Tensor) -> Tensor:
    """A tensor without its mere repetitions: axes of stride 0 shrink to length 1."""
    sizes = [1 if step == 0 else n for n, step in zip(alpha.shape, alpha.stride(), strict=True)]
    return alpha.as_strided(sizes, alpha.stride())


def lay(x: Tensor, length: int) -> Tensor:
    """[member, batch, time, latent] as [member, batch and row, step, latent], a view if it can."""
    n_members, n_batch, n_steps, latent = x.shape
    return x.reshape(n_members, n_batch * n_steps // length, length, latent)


def lay_alpha(alpha: Tensor, target: Tensor, n_batch: int) -> Tensor:
    """An essential `alpha` for a target that lies in rows, repeated no more than it must be.

    Batch and rows share an axis now, so what varies along one of them is repeated along the
    other; members and latents stay views, and so does a constant.
    """
    if alpha.shape[1:3] != (1, 1):
        n_rows, length = target.shape[1] // n_batch, target.shape[2]
        steps = length if alpha.shape[2] > 1 else 1
        alpha = alpha.unflatten(2, (-1, steps)).expand(-1, n_batch, n_rows, -1, -1).flatten(1, 2)
    return alpha.expand(target.shape)


def rows_of(x: Tensor, n_batch: int) -> Tensor:
    """[member, batch and row, ...] as [member, batch, row, ...], a view."""
    return x.view(x.shape[0], n_batch, x.shape[1] // n_batch, *x.shape[2:])


def _row_starts(bounds: list[int], n_samples: int, widest: int) -> list[int]:
    """Where to begin a new row, for the row length that should be fastest.

    No row can be shorter than the longest segment. Longer rows fill better, shorter ones are
    fewer steps; where rows are full at once, nothing else is tried.
    """
    n_steps = bounds[-1]
    longest = max(b - a for a, b in pairwise(bounds))
    shortest = max(longest, ceil(n_steps * n_samples / widest))
    best, least = [0], inf
    for factor in (1, 1.25, 1.5, 2, 3, 4):
        length = int(factor * shortest)
        starts = _fill(bounds, length)
        width = n_samples * len(starts)
        cost = length * (OVERHEAD + width)
        if width <= widest and cost < least:
            best, least = starts, cost
            if length * len(starts) == n_steps:
                break
    return best


def _fill(bounds: list[int], length: int) -> list[int]:
    """Starts of rows that each end at the last possible segment end within `length` steps."""
    starts = [0]
    while bounds[-1] - starts[-1] > length:
        starts.append(bounds[bisect_right(bounds, starts[-1] + length) - 1])
    return starts


def _in_rows(starts: list[int], bounds: list[int], device: torch.device) -> Segments:
    n_steps = bounds[-1]
    sizes = [b - a for a, b in pairwise([*starts, n_steps])]
    length = max(sizes)
    if length * len(sizes) == n_steps:
        return Segments(length)
    shifts = torch.tensor([i * length - start for i, start in enumerate(starts)])
    time = torch.arange(n_steps)
    place = time + shifts.repeat_interleave(torch.tensor(sizes))
    # The first time after 0 is forced, and what fills a row up is as good as forced there.
    order = torch.full((length * len(sizes),), bounds[1]).index_copy_(0, place, time)
    return Segments(length, order.to(device), place.to(device))


def _side_by_side(problem: Problem, segments: Segments) -> Problem:
    """The problem with all segments in rows; only the first row starts at `z0`."""
    n_batch = problem.z0.shape[1]
    target, drive = (_lay(x, segments) for x in (problem.target, problem.drive))
    alpha = essential(problem.alpha)
    if segments.order is not None and alpha.shape[2] > 1:
        alpha = alpha.index_select(2, segments.order)
    z0 = problem.z0.new_zeros(target[:, :, 0].shape)
    rows_of(z0, n_batch)[:, :, 0] = problem.z0
    alpha = lay_alpha(alpha, target, n_batch)
    return problem._replace(z0=z0, n_steps=segments.length, target=target, alpha=alpha, drive=drive)


def _lay(x: Tensor | None, segments: Segments) -> Tensor | None:
    if x is None:
        return None
    return lay(x if segments.order is None else x.index_select(2, segments.order), segments.length)


def _lay_gradient(grad: Tensor, segments: Segments) -> Tensor:
    """A gradient of the states in rows; what fills rows up gets none."""
    if segments.place is None:
        return lay(grad, segments.length)
    n_places = len(segments.order)
    laid = grad.new_zeros(*grad.shape[:2], n_places, grad.shape[3])
    return lay(laid.index_copy_(2, segments.place, grad), segments.length)


def _in_time(x: Tensor | None, n_batch: int, segments: Segments) -> Tensor | None:
    """[member, batch and row, step, latent] as [member, batch, time, latent] again."""
    if x is None:
        return None
    x = rows_of(x, n_batch).flatten(2, 3)
    return x if segments.place is None else x.index_select(2, segments.place)
