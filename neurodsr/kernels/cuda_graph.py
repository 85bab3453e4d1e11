"""The scan of `adjoint.py` as CUDA graphs: for maps that do not fit into registers.

A small operation that the GPU knows of beforehand takes it a fraction of the time that Python
needs to launch one. So a piece of the run is recorded once for each combination of shapes and
replayed with new values, piece after piece: 10,000 steps in one graph would be 80,000 operations.

That pieces add up to the whole was checked on the CPU; no GPU has recorded a graph here yet.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator
from functools import lru_cache
from threading import get_ident
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurodsr.kernels import adjoint
from neurodsr.kernels.path import Gradients, Path, Problem
from neurodsr.kernels.pwl import PiecewiseLinearMap

LONGEST = 256
"""Steps in a piece: about 2,000 operations, next to which starting a graph costs nothing."""

Outputs = tuple[Tensor | None, ...]
Run = Callable[[Callable[..., Outputs], tuple[Hashable, ...], tuple[Tensor | None, ...]], Outputs]
"""How a function of fixed settings and of tensors is computed: called, or replayed."""


def can_capture(device: torch.device) -> bool:
    """Whether a device can record graphs; one that is recording already records the plain steps."""
    return device.type == "cuda" and not torch.cuda.is_current_stream_capturing()


def forward(problem: Problem, keep: bool) -> tuple[Tensor, Tensor | None]:
    """As `adjoint.forward`, by graphs where the device records them."""
    if not can_capture(problem.z0.device):
        return adjoint.forward(problem, keep)
    return forward_in_pieces(problem, keep, replayed)


def backward(problem: Problem, mixed: Tensor, grad: Tensor, wanted: frozenset[str]) -> Gradients:
    """As `adjoint.backward`, by graphs where the device records them."""
    if not can_capture(problem.z0.device):
        return adjoint.backward(problem, mixed, grad, wanted)
    return backward_in_pieces(problem, mixed, grad, wanted, replayed)


def forward_in_pieces(
    problem: Problem, keep: bool, run: Run, *, longest: int = LONGEST
) -> tuple[Tensor, Tensor | None]:
    """States and, if kept, mixed states; each piece starts where the one before it ended."""
    z, n_steps = problem.z0, problem.n_steps
    states = z.new_empty(n_steps, *z.shape)
    mixed = torch.empty_like(states) if keep else None
    for now in _pieces(n_steps, longest):
        tensors = *problem.pwl[:5], z, *_cut(now, problem.target, problem.alpha, problem.drive)
        found, found_mixed = run(_forward_piece, (now.stop - now.start, keep), tensors)
        states[now].copy_(found.permute(2, 0, 1, 3))
        if mixed is not None:
            mixed[now].copy_(found_mixed)
        z = states[now.stop - 1]
    return states.permute(1, 2, 0, 3), mixed


def backward_in_pieces(
    problem: Problem,
    mixed: Tensor,
    grad: Tensor,
    wanted: frozenset[str],
    run: Run,
    *,
    longest: int = LONGEST,
) -> Gradients:
    """Gradients from the last piece back; the parameters' add up, the states' go on."""
    weights = [torch.zeros_like(p) for p in problem.pwl[:5]]
    to_target, to_drive = (
        torch.empty_like(grad) if name in wanted else None for name in ("target", "drive")
    )
    to_z0 = torch.zeros_like(problem.z0)
    for now in reversed(list(_pieces(problem.n_steps, longest))):
        (alpha, direct), length = _cut(now, problem.alpha, grad), now.stop - now.start
        direct = direct.clone()
        direct[:, :, -1] += to_z0
        tensors = *problem.pwl[:5], alpha, mixed[now], direct
        found = Gradients(*run(_backward_piece, (length, wanted & {"target", "drive"}), tensors))
        for total, part in zip(weights, found[:5], strict=True):
            total += part
        to_z0.copy_(found.z0)
        for whole, part in ((to_target, found.target), (to_drive, found.drive)):
            if whole is not None:
                whole[:, :, now].copy_(part)
    return Gradients(*weights, z0=to_z0, target=to_target, drive=to_drive)


def _forward_piece(n_steps: int, keep: bool, *tensors: Tensor | None) -> Outputs:
    A, W1, W2, h1, h2, z0, target, alpha, drive = tensors
    pwl = PiecewiseLinearMap(A, W1, W2, h1, h2)
    return adjoint.forward(Problem(pwl, z0, n_steps, target, alpha, drive), keep)


def _backward_piece(n_steps: int, wanted: frozenset[str], *tensors: Tensor | None) -> Outputs:
    A, W1, W2, h1, h2, alpha, mixed, grad = tensors
    pwl = PiecewiseLinearMap(A, W1, W2, h1, h2)
    # The adjoint needs no state but the mixed ones; the first stands where a problem has one.
    return adjoint.backward(
        Problem(pwl, mixed[0], n_steps, alpha=alpha), mixed, grad, wanted=wanted
    )


def _pieces(n_steps: int, longest: int) -> Iterator[slice]:
    """Pieces of one or two lengths, so that there is little to record."""
    n = -(-n_steps // longest)
    for i in range(n):
        yield slice(n_steps * i // n, n_steps * (i + 1) // n)


def _cut(now: slice, *tensors: Tensor | None) -> tuple[Tensor | None, ...]:
    return tuple(None if x is None else x[:, :, now] for x in tensors)


class Graph(NamedTuple):
    """A recorded function of tensors, and the places where it reads and writes."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor | None, ...]
    outputs: Outputs


def replayed(
    function: Callable[..., Outputs],
    settings: tuple[Hashable, ...],
    tensors: tuple[Tensor | None, ...],
) -> Outputs:
    """The function's values by its graph, recorded the first time; valid until the next replay.

    Each thread and stream has graphs of its own, so that no two runs write to the same place.
    """
    given = next(x for x in tensors if x is not None)
    with torch.cuda.device(given.device):
        stream = torch.cuda.current_stream().cuda_stream
        shapes = tuple(None if x is None else x.shape for x in tensors)
        kind = (given.dtype, given.device)
        graph = _record(function, settings, shapes, kind, (get_ident(), stream))
        if graph is None:
            return function(*settings, *tensors)
        for place, value in zip(graph.inputs, tensors, strict=True):
            if value is not None:
                place.copy_(value)
        graph.graph.replay()
    return graph.outputs


@lru_cache(maxsize=32)
def _record(
    function: Callable[..., Outputs],
    settings: tuple[Hashable, ...],
    shapes: tuple[torch.Size | None, ...],
    kind: tuple[torch.dtype, torch.device],
    owner: tuple[int, int],
) -> Graph | None:
    """A graph for one combination of shapes, or None, with a notice, where none can be recorded."""
    dtype, device = kind
    inputs = tuple(
        None if shape is None else torch.zeros(shape, dtype=dtype, device=device)
        for shape in shapes
    )
    try:
        return Graph(*_recorded(function, settings, inputs))
    except RuntimeError as error:
        logging.getLogger(__name__).warning(
            "no CUDA graph of this scan, its steps are launched one by one: %s", error
        )
        return None


@torch.no_grad()
def _recorded(
    function: Callable[..., Outputs], settings: tuple[Any, ...], inputs: tuple[Tensor | None, ...]
) -> tuple[torch.cuda.CUDAGraph, tuple[Tensor | None, ...], Outputs]:
    graph, aside = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        # Libraries set themselves up at the first call, which no recording may contain.
        function(*settings, *inputs)
    # Other threads may go on with whatever a recording forbids this one.
    with torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"):
        outputs = function(*settings, *inputs)
    torch.cuda.current_stream().wait_stream(aside)
    return graph, inputs, outputs


CUDA_GRAPH = Path("cuda-graph", forward, backward)
"""The adjoint path without its launches; plain where there is no recording."""
