"""Free runs: microseconds per step of a whole batch, without gradients, by every path."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from engine_parts.availability import absent, prepare, require_backend
from engine_parts.gradient_step import as_map
from engine_parts.shapes import Parameters, Shape, draw_map
from engine_parts.timing import Bound, Variant, described, judged, load, ratio, take_turns
from neurodsr.kernels.orbit import run_freely
from neurodsr.kernels.scan import scan


class Size(NamedTuple):
    """A map, a number of orbits, and how many steps of them are timed at once."""

    latent: int
    hidden: int
    batch: int
    n_steps: int

    @property
    def name(self) -> str:
        """As the row calls it."""
        return f"M{self.latent} L{self.hidden} B{self.batch}"


SIZES = (
    Size(3, 50, 1, 2000),
    Size(3, 50, 16, 2000),
    Size(3, 50, 1024, 1000),
    Size(20, 500, 1, 2000),
    Size(20, 500, 16, 1000),
    Size(20, 500, 1024, 100),
)
BOUNDS = {"M3 L50 B16": Bound(">=", 80), "M20 L500 B16": Bound(">=", 5)}


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """A line for every size and variant."""
    for size in SIZES:
        yield from _table(size, arguments)


def _table(size: Size, arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    shape = Shape(size.name, "shallow", size.batch, size.n_steps, size.latent, size.hidden, 0)
    g = torch.Generator().manual_seed(arguments.seed)
    parameters, z0 = draw_map(shape, g), 0.1 * torch.randn(size.batch, size.latent, generator=g)
    variants, missing = prepare(
        {
            "torch loop": lambda: Variant(partial(_loop, parameters, z0, size.n_steps)),
            "adjoint": partial(_scan, shape, parameters, z0, "adjoint"),
            "scan, native": partial(_scan, shape, parameters, z0, "native"),
            "native": partial(_free, shape, parameters, z0),
        }
    )
    variants = {name: v._replace(units=size.n_steps) for name, v in variants.items()}
    expected = variants["torch loop"].run().transpose(0, 1)
    timings = take_turns(variants, rounds=arguments.rounds)
    row = {"row": "free", "size": size.name}
    for name, timing in timings.items():
        bound = BOUNDS.get(size.name) if name == "native" else None
        own = expected if name == "torch loop" else variants[name].run()
        yield {
            **row,
            "variant": name,
            "rounds": arguments.rounds,
            "load": load(),
            **described(timing, unit="us"),
            "faster than torch loop": judged(ratio(timings["torch loop"], timing), bound),
            # The orbits contract, so that rounding does not grow along them.
            "largest difference": float(f"{(own - expected).abs().max():.1g}"),
        }
    yield from absent(row, missing)


def _loop(p: Parameters, z: Tensor, n_steps: int) -> Tensor:
    """What torch can do at best: no graph, four operations a step, memory that is there before."""
    states = z.new_empty(n_steps, *z.shape)
    W1, W2 = p["W1"].T, p["W2"].T
    with torch.inference_mode():
        for t in range(n_steps):
            hidden = torch.addmm(p["h2"], z, W2).clamp_min_(0)
            z = torch.addmm(torch.addcmul(p["h1"], p["A"], z), hidden, W1)
            states[t] = z
    return states


def _scan(shape: Shape, parameters: Parameters, z0: Tensor, backend: str) -> Variant:
    require_backend(backend)
    pwl = as_map(shape, parameters)

    def run() -> Tensor:
        with torch.no_grad():
            return scan(pwl, z0, n_steps=shape.time, backend=backend)

    return Variant(run)


def _free(shape: Shape, parameters: Parameters, z0: Tensor) -> Variant:
    """What free runs of the package take."""
    require_backend("native")
    pwl = as_map(shape, parameters)
    return Variant(lambda: run_freely(pwl, z0, shape.time))
