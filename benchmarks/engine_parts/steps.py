"""The table of issue 5: one training step of each shape by every path, beside eager, JAX and floor.

On a GPU the fast paths are the graph of the adjoint and the Triton kernel, and time is what has
passed until the device is done.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from functools import partial
from statistics import median

from engine_parts.availability import Builders, absent, prepare
from engine_parts.eager import eager_loop, fused_loop
from engine_parts.floors import floor
from engine_parts.gradient_step import eager_step, exact_gradients, relative_error, scan_step
from engine_parts.jax_step import jax_step
from engine_parts.shapes import SHAPES, Shape, Step, draw_step
from engine_parts.timing import Bound, Timing, described, judged, load, ratio, take_turns

WRONG = 0.01
"""Relative error of a gradient that no rounding explains: not even a ReLU that flips at zero."""

AT_LEAST, AT_MOST = ">=", "<="
BOUNDS = {
    ("adjoint", "eager"): {"S1": 3.5, "S2": 1.6, "S3": 1.0, "S4": 4.0},
    ("native", "eager"): {"S1": 25.0, "S2": 5.0, "S3": 2.2, "S4": 15.0},
    ("native", "JAX"): {"S1": 3.5, "S2": 2.0, "S3": 1.5, "S4": 2.5},
    ("native", "floor A"): {"S1": 2.4, "S2": 1.15, "S3": 1.5},
    ("triton", "eager"): {"S1": 50.0, "S2": 50.0},
}


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """A line for every shape and variant."""
    default = list(SHAPES) if arguments.device == "cpu" else ["S1", "S2", "S3"]
    for name in arguments.shapes or default:
        yield from _table(SHAPES[name], arguments)


def _table(shape: Shape, arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    step = draw_step(shape, seed=arguments.seed).to(arguments.device)
    variants, missing = prepare(_builders(step, arguments.device))
    exact = exact_gradients(step, eager_loop(shape))
    # Floor A multiplies matrices of ones, so there is nothing to compare.
    errors = {n: relative_error(v.run(), exact) for n, v in variants.items() if n != "floor A"}
    timings = take_turns(variants, rounds=arguments.rounds, device=arguments.device)
    row = {"row": "steps", "device": arguments.device, "shape": shape.name}
    facts = {"rounds": arguments.rounds, "load": load()}
    for name, timing in timings.items():
        yield {
            **row,
            "variant": name,
            **facts,
            **described(timing, device=arguments.device),
            **_compared(shape, name, timings, arguments.device),
            **_correct(errors.get(name)),
        }
    yield from absent(row, missing)


def _builders(step: Step, device: str) -> Builders:
    shape = step.shape
    always = {
        "eager": lambda: eager_step(step, eager_loop(shape)),
        "eager, fused": lambda: eager_step(step, fused_loop(shape)),
        "adjoint": partial(scan_step, step, "adjoint"),
    }
    if device != "cpu":
        paths = ("cuda-graph", "triton")
        return always | {path: partial(scan_step, step, path) for path in paths}
    return always | {
        "native": partial(scan_step, step, "native"),
        "JAX, unroll 1": partial(jax_step, step, unroll=1),
        "JAX, unroll 4": partial(jax_step, step, unroll=4),
        "floor A": partial(floor, step),
    }


def _compared(
    shape: Shape, name: str, timings: Mapping[str, Timing], device: str
) -> dict[str, object]:
    """How many times faster than eager and than JAX, and how many times floor A."""
    own, compared = timings[name], {}
    jax = [timings[n] for n in ("JAX, unroll 1", "JAX, unroll 4") if n in timings]
    others = {"eager": timings["eager"]}
    if jax and name in ("adjoint", "native"):
        others["JAX"] = min(jax, key=lambda timing: median(timing.cost))
    for other, timing in others.items():
        compared[f"faster than {other}"] = judged(
            ratio(timing, own), _bound(AT_LEAST, name, other, shape, device)
        )
    if "floor A" in timings:
        bound = _bound(AT_MOST, name, "floor A", shape, device)
        compared["multiple of floor A"] = judged(ratio(own, timings["floor A"]), bound)
    return compared


def _bound(sign: str, name: str, other: str, shape: Shape, device: str) -> Bound | None:
    """The issue's bound, where it has one; those of torch's own paths are for a CPU."""
    if device != "cpu" and name != "triton":
        return None
    number = BOUNDS.get((name, other), {}).get(shape.name)
    return None if number is None else Bound(sign, number)


def _correct(error: float | None) -> dict[str, object]:
    if error is None:
        return {}
    wrong = {} if error < WRONG else {"wrong": f"gradients are off by {error:.1g}"}
    return {"gradient error": float(f"{error:.1g}"), **wrong}
