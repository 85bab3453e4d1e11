"""Which path of the scan runs a problem: the fastest that this machine has and the problem suits.

Every path is one algorithm in a file of its own; this is the only place that knows them all.
"""

from __future__ import annotations

from typing import Literal, get_args

from neurodsr.errors import ConfigError, ResourceError
from neurodsr.kernels.adjoint import ADJOINT
from neurodsr.kernels.devices import cuda_path_name, fits_triton, path_for, triton_obstacle
from neurodsr.kernels.library import load_library
from neurodsr.kernels.native import n_lanes, native_path, suits_native
from neurodsr.kernels.path import Path, Problem
from neurodsr.kernels.shooting import shooting, suits_shooting
from neurodsr.kernels.split import find_segments, split

Backend = Literal["auto", "reference", "adjoint", "native", "triton", "cuda-graph"]

ADJOINT_LANES = 64
"""Samples that cost plain torch on a CPU about as much as one: it mostly waits for itself."""

GPU_LANES = 128
"""Samples that a GPU runs at once, about one for each of its multiprocessors."""


def pick_path(problem: Problem, backend: Backend) -> Path:
    """The path for a problem, cut into independent segments where forcing allows it.

    "auto" also runs one long forced sequence in chunks side by side, where samples leave lanes
    empty.

    Raises
    ------
    ConfigError
        No such backend.
    ResourceError
        This machine does not have the backend, or it cannot run this problem.
    """
    path = _fastest(problem) if backend == "auto" else _named(problem, backend)
    if problem.target is None:
        return path
    lanes = _lanes(problem, path)
    widest = {"widest": lanes} if path.name == "native" else {}
    if segments := find_segments(problem.alpha, **widest):
        return split(path, segments)
    if backend == "auto" and (n_chunk := suits_shooting(problem, lanes=lanes)):
        return shooting(path, n_chunk=n_chunk)
    return path


def describe_paths() -> str:
    """What runs scans here, for `neurodsr doctor`: "native (avx512) on the CPU", and on a GPU."""
    library, on_cuda = load_library(), cuda_path_name()
    on_cpu = "adjoint (plain torch)" if library is None else f"native ({library.build})"
    return f"{on_cpu} on the CPU" + (f", {on_cuda} on CUDA" if on_cuda else "")


def _fastest(problem: Problem) -> Path:
    if problem.z0.device.type == "cpu" and suits_native(problem) and (path := native_path()):
        return path
    return path_for(problem)


def _named(problem: Problem, backend: Backend) -> Path:
    if backend == "adjoint":
        return ADJOINT
    if backend == "native":
        if (path := native_path()) is None:
            raise _absent(
                backend, "no library was built", "install GCC 12 or clang, then neurodsr again"
            )
        if not suits_native(problem):
            raise _absent(backend, "it takes float32 or float64 tensors on the CPU", "move them")
        return path
    if backend == "triton":
        from neurodsr.kernels.triton_scan import TRITON

        if not fits_triton(problem):
            raise _absent(backend, triton_obstacle(problem), "choose another backend")
        return TRITON
    if backend == "cuda-graph":
        from neurodsr.kernels.cuda_graph import CUDA_GRAPH, can_capture

        if not can_capture(problem.z0.device):
            raise _absent(backend, f"tensors lie on {problem.z0.device}", "move them to CUDA")
        return CUDA_GRAPH
    raise ConfigError(
        f"unknown backend {backend!r}",
        where="scan",
        fix=f"choose one of {', '.join(get_args(Backend))}",
    )


def _absent(backend: str, why: str, fix: str) -> ResourceError:
    return ResourceError(
        f"backend {backend!r} cannot run here: {why}", where="scan", fix=f"{fix}, or use auto"
    )


def _lanes(problem: Problem, path: Path) -> int:
    if problem.z0.device.type != "cpu":
        return GPU_LANES // len(problem.z0)
    return n_lanes(load_library(), problem.z0) if path.name == "native" else ADJOINT_LANES
