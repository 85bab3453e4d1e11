"""A trial of the Triton path on the device at hand, before anything relies on it.

Kernels are compiled on the user's machine, for sizes, devices and versions of Triton that nobody
tested together. A wrong one must cost speed, and never a result.
"""

from __future__ import annotations

import logging
from functools import cache
from subprocess import SubprocessError

import torch
from torch import Tensor

from neurodsr.kernels.adjoint import ADJOINT
from neurodsr.kernels.path import Gradients, Path, Problem
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.kernels.triton_scan import TRITON


@cache
def find_fault(
    device: torch.device, dtype: torch.dtype, latent: int, hidden: int, forced: bool, driven: bool
) -> str:
    """What goes wrong with maps of one size on a device, or nothing if they agree with plain torch.

    Compiles the kernels that such a scan needs, and compares values and gradients of three steps.
    """
    from triton import TritonError

    problem = _example(device, dtype, latent, hidden, forced, driven)
    try:
        found = _values_and_gradients(TRITON, problem)
    except (RuntimeError, OSError, SubprocessError, TritonError) as error:
        fault = f"its kernels do not run: {error}"
    else:
        expected = _values_and_gradients(ADJOINT, problem)
        # A hundred times what float32 loses in three steps, far below what a wrong sum would give.
        pairs = zip(found, expected, strict=True)
        close = all((a - b).abs().max() <= 1e-3 * b.abs().max() for a, b in pairs)
        fault = "" if close else "its kernels disagree with plain torch"
    if fault:
        logging.getLogger(__name__).warning("the Triton path is not used: %s", fault)
    return fault


def _example(
    device: torch.device, dtype: torch.dtype, latent: int, hidden: int, forced: bool, driven: bool
) -> Problem:
    g = torch.Generator().manual_seed(0)

    def draw(*shape: int, scale: float = 1.0) -> Tensor:
        return (scale * torch.randn(2, *shape, generator=g)).to(device, dtype)

    pwl = PiecewiseLinearMap(
        A=draw(latent, scale=0.5),
        W1=draw(latent, hidden, scale=hidden**-0.5),
        W2=draw(hidden, latent, scale=latent**-0.5),
        h1=draw(latent),
        h2=draw(hidden),
    )
    target = draw(2, 3, latent) if forced else None
    alpha = None if target is None else torch.full((), 0.3).to(target).expand(target.shape)
    return Problem(pwl, draw(2, latent), 3, target, alpha, draw(2, 3, latent) if driven else None)


@torch.no_grad()
def _values_and_gradients(path: Path, problem: Problem) -> list[Tensor]:
    states, kept = path.forward(problem, True)
    assert kept is not None, "asked to keep"
    wanted = set(Gradients._fields)
    wanted -= {name for name in ("target", "drive") if getattr(problem, name) is None}
    found = path.backward(problem, kept, states, frozenset(wanted))
    return [states, *(x for x in found if x is not None)]
