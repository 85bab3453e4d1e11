"""The almost-linear scan in compiled code: samples in lanes, the whole sweep in one call."""

from __future__ import annotations

from ctypes import Structure, byref, c_int64, c_void_p
from functools import cache, partial

import torch
from torch import Tensor

from neurodsr.kernels.library import Library, load_library
from neurodsr.kernels.native import SUFFIX, View, n_lanes
from neurodsr.kernels.native_map import view_of
from neurodsr.kernels.path import Gradients, Path, Problem

OF_MAP = ("A", "W", "h")


class Arguments(Structure):
    """The C `AlmostLinearProblem`."""

    _fields_ = (
        *((name, c_int64) for name in ("members", "batch", "n_time", "latent", "linear")),
        *((name, c_void_p) for name in OF_MAP),
        *((name, View) for name in ("z0", "target", "alpha", "drive")),
    )


class Results(Structure):
    """The C `AlmostLinearGradients`."""

    _fields_ = (
        ("mixed", c_void_p),
        ("grad", View),
        *((name, c_void_p) for name in OF_MAP),
        *((name, View) for name in ("z0", "target", "drive")),
    )


@cache
def native_path() -> Path | None:
    """The compiled path, or None where no library was built for this machine."""
    library = load_library()
    return None if library is None else path_of(library)


def path_of(library: Library) -> Path:
    """The path through a given build."""
    return Path("native", partial(_forward, library), partial(_backward, library))


def suits_native(problem: Problem) -> bool:
    """Whether the compiled path takes a problem whose tensors are all of one kind."""
    return problem.z0.is_cpu and problem.z0.dtype in SUFFIX


def _forward(library: Library, problem: Problem, keep: bool) -> tuple[Tensor, Tensor | None]:
    """All states, and the mixed states in lanes for the adjoint."""
    z0 = problem.z0
    n_members, n_batch, latent = z0.shape
    states = z0.new_empty(n_members, n_batch, problem.n_steps, latent)
    mixed = None
    if keep:
        lanes = n_lanes(library, z0)
        mixed = z0.new_empty(n_members, problem.n_steps, latent, -(-n_batch // lanes) * lanes)
    arguments, alive = _arguments(problem)
    call = getattr(library.functions, f"neurodsr_almost_linear_forward_{SUFFIX[z0.dtype]}")
    call(byref(arguments), c_void_p(mixed.data_ptr() if keep else None), byref(view_of(states)))
    del alive
    return states, mixed


def _backward(
    library: Library, problem: Problem, mixed: Tensor, grad: Tensor, wanted: frozenset[str]
) -> Gradients:
    """All gradients that are wanted; those of the map come together or not at all."""
    found = {}
    if not wanted.isdisjoint(OF_MAP):
        found = {name: _like(getattr(problem.pwl, name)) for name in OF_MAP}
    results = Results(mixed.data_ptr(), view_of(grad), *(x.data_ptr() for x in found.values()))
    for name in wanted.difference(OF_MAP):
        found[name] = _like(getattr(problem, name))
        setattr(results, name, view_of(found[name]))
    arguments, alive = _arguments(problem)
    call = getattr(library.functions, f"neurodsr_almost_linear_backward_{SUFFIX[grad.dtype]}")
    call(byref(arguments), byref(results))
    del alive
    return Gradients(**found)


def _like(x: Tensor) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _arguments(problem: Problem) -> tuple[Arguments, list[Tensor]]:
    """The arguments, and the tensors that must outlive the call."""
    pwl, z0 = problem.pwl, problem.z0
    alive = [getattr(pwl, name).contiguous() for name in OF_MAP]
    sizes = (*z0.shape[:2], problem.n_steps, z0.shape[2], pwl.n_linear)
    views = (view_of(x) for x in (z0, problem.target, problem.alpha, problem.drive))
    return Arguments(*sizes, *(p.data_ptr() for p in alive), *views), alive
