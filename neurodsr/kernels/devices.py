"""Which device computes, and which path of the scan suits a problem on it.

The sizes below are those of every CUDA device since compute capability 8.0. They were chosen by
compiling for sm_90: no map that they admit spills registers. How fast they are, nobody has
measured yet.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

import torch

from neurodsr.errors import ConfigError, ResourceError
from neurodsr.kernels.path import Path, Problem

THREADS_PER_WARP = 32
MOST_WARPS = 8
"""With more, a thread may have 128 registers, too few for the weights and the work on them."""
WEIGHTS_PER_THREAD = 32
"""Enough to hide the wait for an instruction; fewer, and more of a step is synchronization."""


class Tiles(NamedTuple):
    """How one program holds W1 and W2: sizes padded to powers of two, and its warps."""

    latent: int
    hidden: int
    warps: int


def scan_tiles(latent_dim: int, hidden_dim: int, itemsize: int) -> Tiles | None:
    """How a program can keep a map's weights in registers for a whole run; None if it cannot.

    A thread has 255 registers of 4 bytes. Beside 128 of weights there is room for what one step
    works on; beside 64 where a state has more than 32 numbers or a number has 8 bytes. That
    makes 128 or 64 KB of weights.

    Parameters
    ----------
    itemsize
        Bytes a number: 4 or 8.
    """
    latent, hidden = _power_of_two(latent_dim), _power_of_two(hidden_dim)
    registers = 2 * latent * hidden * itemsize // 4
    most = 128 if latent <= 32 and itemsize == 4 else 64
    if latent > 256 or registers > MOST_WARPS * THREADS_PER_WARP * most:
        return None
    warps = registers // (THREADS_PER_WARP * WEIGHTS_PER_THREAD)
    return Tiles(latent, hidden, min(max(warps, 1), MOST_WARPS))


def sum_tiles(tiles: Tiles, itemsize: int) -> Tiles:
    """Tiles of fewer hidden units, for a program that also holds the gradients of its weights."""
    hidden = min(tiles.hidden, 2048 // (tiles.latent * itemsize // 4))
    registers = 4 * tiles.latent * hidden * itemsize // 4
    warps = registers // (2 * THREADS_PER_WARP * WEIGHTS_PER_THREAD)
    return Tiles(tiles.latent, hidden, min(max(warps, 1), 4))


def _power_of_two(n: int) -> int:
    return max(2, 1 << (n - 1).bit_length())


def path_for(problem: Problem) -> Path:
    """The fastest path written for the device of a problem that this module knows of.

    On CUDA "triton" where the map fits, else "cuda-graph" where steps can be captured; "adjoint",
    plain torch, everywhere else. Which way it went, `.name` tells.
    """
    from neurodsr.kernels.adjoint import ADJOINT
    from neurodsr.kernels.cuda_graph import CUDA_GRAPH, can_capture
    from neurodsr.kernels.triton_scan import TRITON

    if problem.z0.device.type != "cuda":
        return ADJOINT
    if fits_triton(problem):
        return TRITON
    return CUDA_GRAPH if can_capture(problem.z0.device) else ADJOINT


def fits_triton(problem: Problem) -> bool:
    """Whether the Triton path can compute a problem, on the device that it lies on."""
    return not triton_obstacle(problem)


def triton_obstacle(problem: Problem) -> str:
    """Why the Triton path cannot compute a problem, or nothing if it can."""
    z0, (latent, hidden) = problem.z0, problem.pwl.W1.shape[-2:]
    given = [x for x in (*problem.pwl[:5], z0, *problem[3:]) if x is not None]
    kinds = sorted({f"{x.dtype} on {x.device}" for x in given})
    if missing := _no_triton_on(z0.device):
        return missing
    if len(kinds) > 1 or z0.dtype not in (torch.float32, torch.float64):
        return f"it takes float32 or float64 and not {', '.join(kinds)}"
    if scan_tiles(latent, hidden, z0.itemsize) is None:
        return f"{latent} latents and {hidden} hidden units do not fit into registers"
    from neurodsr.kernels.triton_trial import find_fault

    forced, driven = problem.target is not None, problem.drive is not None
    return find_fault(z0.device, z0.dtype, latent, hidden, forced, driven)


def cuda_path_name() -> str:
    """What runs on the first CUDA device here, for `neurodsr doctor`; nothing without one."""
    if not cuda_devices():
        return ""
    missing = _no_triton_on(torch.device("cuda", 0))
    return f"cuda-graph ({missing})" if missing else "triton (cuda-graph for large maps)"


def pick_device(name: str = "auto") -> torch.device:
    """The device of a name: "auto" (the first CUDA device, else the CPU), "cpu", "cuda", "cuda:1".

    Raises
    ------
    ConfigError
        Not such a name.
    ResourceError
        The device is not there.
    """
    there = cuda_devices()
    if name == "auto":
        return torch.device("cuda", 0) if there else torch.device("cpu")
    if name == "cpu":
        return torch.device("cpu")
    known = ", ".join(("cpu", *there))
    asked = re.fullmatch(r"cuda(?::(\d{1,3}))?", name)
    if not asked:
        raise ConfigError(
            f"device is {name!r}, expected auto, cpu, cuda or cuda:<number>",
            where="device",
            fix=f"choose auto or one of the devices of this machine: {known}",
        )
    number = int(asked[1] or 0)
    if number >= len(there):
        raise ResourceError(
            f"device {name!r} is not there",
            where="device",
            fix=f"choose auto or one of the devices of this machine: {known}",
        )
    return torch.device("cuda", number)


def cuda_devices() -> tuple[str, ...]:
    """The CUDA devices of this machine by number and name; none without a working driver."""
    if not torch.cuda.is_available():
        return ()
    count = torch.cuda.device_count()
    return tuple(f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(count))


@cache
def _no_triton_on(device: torch.device) -> str:
    if find_spec("triton") is None:
        return "Triton is not installed"
    if device.type != "cuda" or torch.version.cuda is None:
        return f"Triton has no code for {device.type}"
    if torch.cuda.get_device_capability(device) < (8, 0):
        return f"Triton is too new for {torch.cuda.get_device_name(device)}"
    return ""
