"""Lyapunov spectra: microseconds per step of one orbit with all its tangents."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import torch
from torch import Tensor

from engine_parts.availability import NotAvailableError, absent, prepare
from engine_parts.gradient_step import as_map
from engine_parts.shapes import Shape, draw_map
from engine_parts.timing import Bound, Variant, described, judged, load, ratio, take_turns
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.kernels.tangents import has_compiled_tangents
from neurodsr.measures.lyapunov import lyapunov_spectrum

N_STEPS, EVERY = 2000, 5
SIZES = (
    Shape("M3 L50", "shallow", 1, N_STEPS, 3, 50, 0),
    Shape("M20 L500", "shallow", 1, N_STEPS, 20, 500, 0),
)
BOUNDS = {"M3 L50": Bound(">=", 100)}


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """A line for every size and variant."""
    for shape in SIZES:
        g = torch.Generator().manual_seed(arguments.seed)
        pwl, z0 = as_map(shape, draw_map(shape, g)), torch.randn(shape.latent, generator=g)
        yield from _table(shape.name, pwl, z0, arguments.rounds)


def _table(
    size: str, pwl: PiecewiseLinearMap, z0: Tensor, rounds: int
) -> Iterator[dict[str, object]]:
    variants, missing = prepare(
        {"torch": lambda: _in_torch(pwl, z0), "native": lambda: _native(pwl, z0)}
    )
    expected = variants["torch"].run()
    timings = take_turns(variants, rounds=rounds)
    row = {"row": "lyapunov", "size": size}
    for name, timing in timings.items():
        bound = BOUNDS.get(size) if name == "native" else None
        difference = (variants[name].run() - expected).abs().max()
        yield {
            **row,
            "variant": name,
            "rounds": rounds,
            "load": load(),
            **described(timing, unit="us"),
            "faster than torch": judged(ratio(timings["torch"], timing), bound),
            "largest difference": float(f"{difference:.1g}"),
        }
    yield from absent(row, missing)


def _in_torch(pwl: PiecewiseLinearMap, z0: Tensor) -> Variant:
    """Jacobian products in float64, QR of the tangents every fifth step."""

    def run() -> Tensor:
        return lyapunov_spectrum(
            pwl, z0, n_steps=N_STEPS, n_transient=0, every=EVERY, backend="reference"
        )

    return Variant(run, N_STEPS)


def _native(pwl: PiecewiseLinearMap, z0: Tensor) -> Variant:
    """The compiled spectrum, with the same steps between re-orthonormalizations."""
    if not has_compiled_tangents(pwl):
        raise NotAvailableError("no compiled library was built here")
    return Variant(
        lambda: lyapunov_spectrum(pwl, z0, n_steps=N_STEPS, n_transient=0, every=EVERY), N_STEPS
    )
