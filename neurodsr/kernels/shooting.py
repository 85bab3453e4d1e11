r"""One long forced sequence run as many short ones: chunked multiple shooting, and its check.

Forcing makes a map forget: two states under the same targets approach each other by a factor of
about $1 - \alpha$ a step, and what a gradient tells of later times fades alike on its way back. So
the sequence is cut into chunks that run side by side in the batch axis. A run-up over the end of
each chunk gives the state $s_{j+1}$ that the next one starts from; one sweep then gives all states,
and with them the state $e_j$ that each chunk really ends at. Where

$$|e_j - s_{j+1}| \le \epsilon \max |s|$$

is missed, the next sweep starts from $e_j$; after $k$ sweeps the first $k$ chunks are exact.
Gradients go the same way backward: what the start of each chunk receives is passed on. Whatever
does not settle in a few sweeps runs in sequence after all.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, inf, log, log1p
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from neurodsr.kernels.path import Gradients, Path, Problem
from neurodsr.kernels.split import essential, lay, lay_alpha, rows_of

TOLERANCE = {torch.float32: 3e-6, torch.float64: 1e-12}
"""Largest mismatch at a boundary, relative to the largest value at any. It fades within tens of
steps: gradients of trained maps were off by at most 0.1 of it with chunks of 625 steps, 0.6 with
125. In float32 it is 25 roundings, what a map that forgets within 25 steps adds up."""

EXPANSION = 0.02
"""Largest Lyapunov exponent that a map is assumed to have, per step. Under forcing, two states
approach each other at the rate of forcing, 0.163, 0.051 and 0.020 at alpha 0.15, 0.05 and 0.02,
less that exponent: 0.15, 0.033 and 0.002 were measured with a Lorenz system of 0.018 a step."""

MARGIN = 1.25
"""How much longer a run-up is than that rate asks for, since it varies along a sequence. A run-up
that is too long costs some steps; one that is too short costs a sweep."""

WORTH = 2.0
"""How many times fewer steps in a row there must be."""

OVERHEAD = 450_000
"""What laying out and checking cost, in parameters of the map times steps; with the compiled
kernel, whose steps are cheapest, some 1,300 steps at M 3, L 50."""

Result = TypeVar("Result")


def shooting(
    path: Path, *, n_chunk: int, tolerance: float | None = None, max_sweeps: int = 4
) -> Path:
    """The same path, run on all chunks of a long forced sequence at once.

    Memory is that of a few copies of the target.

    Parameters
    ----------
    path
        How a chunk is run. It also runs, in sequence, what has no target, what is no longer than
        a chunk, and what does not settle.
    n_chunk
        Steps in a chunk, see `suits_shooting`.
    tolerance
        Largest relative mismatch at a boundary; default by precision, see `TOLERANCE`.
    max_sweeps
        Sweeps over all chunks, in either direction, before it runs in sequence.
    """
    shot = _Shot(path, n_chunk, tolerance, max_sweeps)

    def forward(problem: Problem, keep: bool) -> tuple[Tensor, Tensor | None]:
        if not _is_long(problem, n_chunk):
            return path.forward(problem, keep)
        settled = _shoot(shot, problem, keep)
        if settled is None:
            # Nothing kept says so to the backward pass.
            return path.forward(problem, False)[0], problem.z0.new_empty(0) if keep else None
        starts, (states, kept) = settled
        return _in_time(states, problem), _bundle(kept, starts) if keep else None

    def backward(problem: Problem, kept: Tensor, grad: Tensor, wanted: frozenset[str]) -> Gradients:
        if not _is_long(problem, n_chunk):
            return path.backward(problem, kept, grad, wanted)
        found = _shoot_back(shot, problem, kept, grad, wanted) if kept.numel() else None
        return _in_sequence(path, problem, grad, wanted) if found is None else found

    return Path(f"shooting {path.name}", forward, backward)


def suits_shooting(problem: Problem, *, lanes: int) -> int | None:
    """The chunk length that makes a problem faster, or None where none does.

    Chunks that fill empty lanes cost nothing; more would wait for each other. A chunk is at least
    as long as a run-up, which grows as `alpha` shrinks: free runs and sequences that are short or
    weakly forced are faster in sequence.

    Parameters
    ----------
    lanes
        Samples of one member that take no longer than a single one: the width of the CPU kernel's
        vectors, or what a GPU runs at once over the number of members.
    """
    if not _is_long(problem, 1) or (n_rows := lanes // problem.z0.shape[1]) < 2:
        return None
    n_run_up = _run_up(problem, TOLERANCE[problem.z0.dtype])
    n_chunk = max(ceil(problem.n_steps / n_rows), n_run_up)
    left = n_chunk + n_run_up
    saved = (problem.n_steps - left) * sum(p[0].numel() for p in problem.pwl if torch.is_tensor(p))
    return n_chunk if WORTH * left <= problem.n_steps and saved >= OVERHEAD else None


class _Shot(NamedTuple):
    path: Path
    n_chunk: int
    tolerance: float | None
    max_sweeps: int

    def limits_of(self, problem: Problem) -> tuple[float, int]:
        known = self.tolerance is not None
        return self.tolerance if known else TOLERANCE[problem.z0.dtype], self.max_sweeps

    def run_up_of(self, problem: Problem) -> int:
        return min(self.n_chunk, _run_up(problem, self.limits_of(problem)[0]))


def _is_long(problem: Problem, n_chunk: int) -> bool:
    suits = problem.z0.dtype in TOLERANCE and problem.z0.numel() > 0
    return suits and problem.target is not None and problem.n_steps > n_chunk


def _run_up(problem: Problem, tolerance: float) -> int:
    """Steps until a start is forgotten to a tolerance, where forcing is weakest on average."""
    # The mean rate is at least that of the mean alpha, -log(1 - a) being convex.
    alpha = essential(problem.alpha).mean(2).min().item()
    rate = inf if alpha >= 1 else -log1p(-alpha) - EXPANSION
    return 1 + int(-MARGIN * log(tolerance) / rate) if rate > 0 else problem.n_steps


def _shoot(
    shot: _Shot, problem: Problem, keep: bool
) -> tuple[Tensor, tuple[Tensor, Tensor | None]] | None:
    """States at the starts of the chunks, and what the path gave for the chunks."""
    n_batch, chunks = problem.z0.shape[1], _side_by_side(problem, shot.n_chunk)

    def sweep(
        part: Problem, starts: Tensor, keep: bool
    ) -> tuple[Tensor, tuple[Tensor, Tensor | None]]:
        found = shot.path.forward(part._replace(z0=starts.flatten(1, 2)), keep)
        ends = rows_of(found[0][:, :, -1], n_batch)
        return torch.cat([problem.z0.unsqueeze(2), ends[:, :, :-1]], 2), found

    tails = _steps(chunks, slice(shot.n_chunk - shot.run_up_of(problem), None))
    starts, _ = sweep(tails, rows_of(tails.target[:, :, 0], n_batch), False)
    return _settle(lambda s: sweep(chunks, s, keep), starts, *shot.limits_of(problem))


def _shoot_back(
    shot: _Shot, problem: Problem, kept: Tensor, grad: Tensor, wanted: frozenset[str]
) -> Gradients | None:
    """All gradients; those of the map are formed in whole sweeps only, usually one."""
    n_batch, chunks = problem.z0.shape[1], _side_by_side(problem, shot.n_chunk)
    chunks = chunks._replace(z0=_bundled_starts(kept, chunks.z0.shape))
    grad = _lay(grad, shot.n_chunk)
    heads = _steps(chunks, slice(shot.run_up_of(problem)))
    _, kept_heads = shot.path.forward(heads, True)
    found = shot.path.backward(heads, kept_heads, grad[:, :, : heads.n_steps], frozenset(["z0"]))
    total = grad.clone()
    ends, total_ends = (rows_of(x[:, :, -1], n_batch)[:, :, :-1] for x in (grad, total))

    def sweep(leaving: Tensor) -> tuple[Tensor, Gradients]:
        torch.add(ends, leaving[:, :, 1:], out=total_ends)
        found = shot.path.backward(chunks, kept, total, wanted | {"z0"})
        return rows_of(found.z0, n_batch), found

    leaving = rows_of(found.z0, n_batch)
    settled = _settle(sweep, leaving, *shot.limits_of(problem), floor=grad)
    if settled is None:
        return None
    _, found = settled
    return found._replace(
        z0=rows_of(found.z0, n_batch)[:, :, 0],
        target=_in_time(found.target, problem),
        drive=_in_time(found.drive, problem),
    )


def _in_sequence(path: Path, problem: Problem, grad: Tensor, wanted: frozenset[str]) -> Gradients:
    _, kept = path.forward(problem, True)
    return path.backward(problem, kept, grad, wanted)


def _settle(
    sweep: Callable[[Tensor], tuple[Tensor, Result]],
    boundary: Tensor,
    tolerance: float,
    max_sweeps: int,
    floor: Tensor | None = None,
) -> tuple[Tensor, Result] | None:
    """Sweep until what was assumed at the boundaries is what is found there.

    A miss is relative to the largest value at any boundary, or in `floor`; each member is judged
    by its own.
    """
    least = [0.0] * len(boundary) if floor is None else _largest(floor)
    for _ in range(max_sweeps):
        found, result = sweep(boundary)
        sizes = map(max, _largest(found), least)
        misses = zip(_largest(found - boundary), sizes, strict=True)
        # Infinity is a part of itself, and must not pass.
        if all(miss <= tolerance * size < inf for miss, size in misses):
            return boundary, result
        boundary = found
    return None


def _largest(x: Tensor) -> list[float]:
    return x.abs().amax((1, 2, 3)).tolist()


def _bundle(kept: Tensor, starts: Tensor) -> Tensor:
    """`kept`, with the starts behind it in the same memory: what a path keeps is one tensor."""
    assert kept.dtype == starts.dtype, "one piece of memory has one precision"
    return torch.cat((kept.flatten(), starts.flatten()))[: kept.numel()].view(kept.shape)


def _bundled_starts(kept: Tensor, shape: torch.Size) -> Tensor:
    return kept.as_strided((shape.numel(),), (1,), kept.numel()).view(shape)


def _side_by_side(problem: Problem, n_chunk: int) -> Problem:
    """All chunks in the batch axis, still without starts.

    The last one is filled up with fully forced steps, which are finite whatever the map does.
    """
    n_batch, alpha = problem.z0.shape[1], essential(problem.alpha)
    if missing := -problem.n_steps % n_chunk:
        alpha = alpha.expand(-1, -1, problem.n_steps, -1)
        alpha = pad(alpha, (0, 0, 0, missing), value=1.0)
    target = _lay(problem.target, n_chunk)
    drive = None if problem.drive is None else _lay(problem.drive, n_chunk)
    alpha = lay_alpha(alpha, target, n_batch)
    return problem._replace(
        z0=target[:, :, 0], n_steps=n_chunk, target=target, alpha=alpha, drive=drive
    )


def _lay(x: Tensor, n_chunk: int) -> Tensor:
    missing = -x.shape[2] % n_chunk
    return lay(pad(x, (0, 0, 0, missing)) if missing else x, n_chunk)


def _in_time(x: Tensor | None, problem: Problem) -> Tensor | None:
    if x is None:
        return None
    return x.reshape(*problem.z0.shape[:2], -1, x.shape[3])[:, :, : problem.n_steps]


def _steps(chunks: Problem, part: slice) -> Problem:
    """The same steps of every chunk."""
    target, alpha, drive = (
        None if x is None else x[:, :, part] for x in (chunks.target, chunks.alpha, chunks.drive)
    )
    return chunks._replace(n_steps=target.shape[2], target=target, alpha=alpha, drive=drive)
