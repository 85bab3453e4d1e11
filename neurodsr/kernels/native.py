"""The scan in compiled code: samples in the lanes of vectors, the whole sweep in one call.

The sources lie in `engine/`; nothing there knows of Python or torch, and every call has buffers of
its own, so that any number of graphs may be alive at once.
"""

from __future__ import annotations

from ctypes import Structure, byref, c_int64, c_void_p
from functools import cache, partial

import torch
from torch import Tensor

from neurodsr.kernels.library import Library, load_library
from neurodsr.kernels.path import Gradients, Path, Problem

SUFFIX = {torch.float32: "f32", torch.float64: "f64"}


class View(Structure):
    """A tensor [member, batch, time, latent] in memory: where it starts, and its strides."""

    _fields_ = (
        ("data", c_void_p),
        ("member", c_int64),
        ("batch", c_int64),
        ("time", c_int64),
        ("latent", c_int64),
    )


class Arguments(Structure):
    """The C `Problem`."""

    _fields_ = (
        *((name, c_int64) for name in ("members", "batch", "n_time", "latent", "hidden")),
        *((name, c_void_p) for name in ("A", "W1", "W2", "h1", "h2")),
        *((name, View) for name in ("z0", "target", "alpha", "drive")),
    )


class Results(Structure):
    """The C `Gradients`."""

    _fields_ = (
        ("mixed", c_void_p),
        ("grad", View),
        *((name, c_void_p) for name in ("A", "W1", "W2", "h1", "h2")),
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
    """Whether the compiled path takes this problem: on the CPU, in one floating-point type."""
    dtype, given = problem.z0.dtype, (*problem.pwl[:5], *problem[3:])
    tensors = [x for x in given if x is not None]
    return dtype in SUFFIX and all(x.device.type == "cpu" and x.dtype == dtype for x in tensors)


def _forward(library: Library, problem: Problem, keep: bool) -> tuple[Tensor, Tensor | None]:
    """All states, and the mixed states in lanes for the adjoint."""
    z0 = problem.z0
    n_members, n_batch, latent = z0.shape
    states = z0.new_empty(n_members, n_batch, problem.n_steps, latent)
    lanes = n_lanes(library, z0)
    kept = z0.new_empty(n_members, problem.n_steps, latent, -(-n_batch // lanes) * lanes)
    arguments, alive = _arguments(problem)
    call = getattr(library.functions, f"neurodsr_forward_{SUFFIX[z0.dtype]}")
    call(byref(arguments), c_void_p(kept.data_ptr() if keep else None), byref(_view(states)))
    del alive
    return states, kept if keep else None


def _backward(
    library: Library, problem: Problem, kept: Tensor, grad: Tensor, wanted: frozenset[str]
) -> Gradients:
    """All gradients that are wanted; those of the map come together or not at all."""
    arguments, alive = _arguments(problem)
    of_map = not wanted.isdisjoint(("A", "W1", "W2", "h1", "h2"))
    found = {
        name: torch.empty_like(value, memory_format=torch.contiguous_format)
        for name, value in zip(("A", "W1", "W2", "h1", "h2"), problem.pwl, strict=False)
        if of_map
    }
    for name in ("z0", "target", "drive"):
        if name in wanted:
            found[name] = torch.empty_like(
                getattr(problem, name), memory_format=torch.contiguous_format
            )
    results = Results(kept.data_ptr(), _view(grad))
    for name, value in found.items():
        setattr(
            results, name, value.data_ptr() if value.ndim < 4 and name != "z0" else _view(value)
        )
    call = getattr(library.functions, f"neurodsr_backward_{SUFFIX[grad.dtype]}")
    call(byref(arguments), byref(results))
    del alive
    return Gradients(**found)


def _arguments(problem: Problem) -> tuple[Arguments, list[Tensor]]:
    """The arguments, and the tensors that must outlive the call."""
    pwl, z0 = problem.pwl, problem.z0
    alive = [p.contiguous() for p in pwl[:5]]
    sizes = (*z0.shape[:2], problem.n_steps, z0.shape[2], pwl.h2.shape[-1])
    views = [_view(x) for x in (z0, problem.target, problem.alpha, problem.drive)]
    return Arguments(*sizes, *(p.data_ptr() for p in alive), *views), alive


def _view(x: Tensor | None) -> View:
    """Where a tensor lies; a [member, batch, latent] one has no time."""
    if x is None:
        return View(None, 0, 0, 0, 0)
    strides = x.stride() if x.ndim == 4 else (*x.stride()[:2], 0, x.stride(2))
    return View(x.data_ptr(), *strides)


def n_lanes(library: Library, x: Tensor) -> int:
    """Samples of this precision that are computed at once."""
    return library.vector_bytes // x.element_size()
