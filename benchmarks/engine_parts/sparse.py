"""Sparse teacher forcing: what it is worth that forced bins cut a window into independent pieces.

The state is replaced by the encoded one every 25 of 1000 bins, so that 16 windows of 1000 steps
are also 640 windows of 25.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from engine_parts.availability import Builders, absent, native, prepare
from engine_parts.gradient_step import as_map, relative_error, scan_step, training_step
from engine_parts.shapes import Parameters, Shape, Step, draw_step
from engine_parts.timing import Bound, Variant, described, judged, load, ratio, take_turns
from neurodsr.kernels.adjoint import ADJOINT
from neurodsr.kernels.path import Gradients, Path, Problem, scan_along
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.kernels.scan import scan_reference
from neurodsr.kernels.split import find_segments, split

INTERVAL = 25
SIZES = (
    Shape("M3 L50", "shallow", 16, 1000, 3, 50, 3),
    Shape("M20 L500", "shallow", 16, 1000, 20, 500, 64),
)
BOUNDS = {"M3 L50": Bound(">=", 15), "M20 L500": Bound(">=", 3)}


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """A line for every size and variant."""
    for shape in SIZES:
        yield from _table(draw_step(shape, seed=arguments.seed), arguments.rounds)


def _table(step: Step, rounds: int) -> Iterator[dict[str, object]]:
    variants, missing = prepare(_builders(step))
    exact = training_step(*_double(step), _forced_loop).run()
    timings = take_turns(variants, rounds=rounds)
    row = {"row": "sparse", "size": step.shape.name}
    for name, timing in timings.items():
        line = {**row, "variant": name, "rounds": rounds, "load": load(), **described(timing)}
        bound = BOUNDS[step.shape.name] if name == "plain, split" else None
        line["faster than eager"] = judged(ratio(timings["eager"], timing), bound)
        whole = name.removesuffix(", split")
        if whole != name:
            line["faster than unsplit"] = judged(ratio(timings[whole], timing), None)
        error = relative_error(variants[name].run(), exact)
        yield {**line, "gradient error": float(f"{error:.1g}")}
    yield from absent(row, missing)


def _builders(step: Step) -> Builders:
    """By hand, by each path unsplit and split, and as `scan` does it by itself."""
    alpha = torch.zeros(step.shape.time, 1)
    alpha[::INTERVAL] = 1
    builders = {
        "eager": lambda: training_step(step.parameters, step.x, step.y, _forced_loop),
        "eager, split": lambda: _split_by_hand(step),
    }
    for name, path in PATHS.items():
        builders[name] = partial(_along, step, alpha, path, lambda path, alpha: path)
        builders[f"{name}, split"] = partial(_along, step, alpha, path, _split)
    return builders | {"scan": partial(scan_step, step, "auto", alpha=alpha)}


def _double(step: Step) -> tuple[Parameters, Tensor, Tensor]:
    return step.to(torch.float64)[1:]


def _advance(p: Parameters, z: Tensor) -> Tensor:
    return p["A"] * z + torch.relu(z @ p["W2"].T + p["h2"]) @ p["W1"].T + p["h1"]


def _forced_loop(p: Parameters, target: Tensor) -> Tensor:
    z, states = target[0], []
    for t, forcing in enumerate(target.unbind(0)):
        z = _advance(p, z if t % INTERVAL else forcing)
        states.append(z)
    return torch.stack(states)


def _free_loop(p: Parameters, target: Tensor) -> Tensor:
    z, states = target[0], []
    for _ in range(len(target)):
        z = _advance(p, z)
        states.append(z)
    return torch.stack(states)


def _split_by_hand(step: Step) -> Variant:
    """The same loop over pieces that lie side by side in the batch."""
    return training_step(step.parameters, _pieces(step.x), _pieces(step.y), _free_loop)


def _pieces(x: Tensor) -> Tensor:
    return x.unflatten(0, (-1, INTERVAL)).transpose(0, 1).flatten(1, 2).contiguous()


def _along(
    step: Step, alpha: Tensor, path: Callable[[], Path], choose: Callable[[Path, Tensor], Path]
) -> Variant:
    """The step along a path, or along what is made of it."""
    own = path()

    def unroll(p: Parameters, target: Tensor) -> Tensor:
        chosen = choose(own, alpha.expand(1, *target.shape))
        pwl, n_steps = as_map(step.shape, p), target.shape[-2]
        return scan_along(chosen, pwl, target[:, 0], n_steps, target, alpha, None)

    x, y = (v.transpose(0, 1).contiguous() for v in (step.x, step.y))
    return training_step(step.parameters, x, y, unroll)


def _split(path: Path, alpha: Tensor) -> Path:
    """The package's split around a path."""
    return split(path, find_segments(alpha))


def _plain_path() -> Path:
    """The plain loop under autograd as a path of one scan: its graph waits for the gradient."""
    graph: dict[str, Tensor] = {}

    def forward(problem: Problem, keep: bool) -> tuple[Tensor, Tensor]:
        given = (*problem.pwl[:5], problem.z0, problem.target)
        leaves = [x.squeeze(0).detach().requires_grad_(keep) for x in given]
        pwl, (z0, target) = PiecewiseLinearMap(*leaves[:5]), leaves[5:]
        with torch.set_grad_enabled(keep):
            alpha = problem.alpha.squeeze(0)
            states = scan_reference(pwl, z0, problem.n_steps, target, alpha, None)
        graph.update(zip(Gradients._fields, leaves, strict=False), states=states)
        return states.detach().unsqueeze(0), z0.detach()

    def backward(problem: Problem, kept: Tensor, grad: Tensor, wanted: frozenset[str]) -> Gradients:
        leaves = {name: leaf for name, leaf in graph.items() if name in wanted}
        found = torch.autograd.grad(graph["states"], list(leaves.values()), grad.squeeze(0))
        gradients = (gradient.unsqueeze(0) for gradient in found)
        return Gradients(**dict(zip(leaves, gradients, strict=True)))

    return Path("plain", forward, backward)


PATHS: dict[str, Callable[[], Path]] = {
    "plain": _plain_path,
    "adjoint": lambda: ADJOINT,
    "native": native,
}
"""`plain` is the loop of the specification under autograd: only the split can make it faster."""
