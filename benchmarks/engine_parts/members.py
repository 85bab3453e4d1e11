"""Many models of shape S1 in one call, along the ensemble axis: what the next one costs.

A GPU has room for a hundred of them beside each other; a CPU does them one after the other, so
that there the axis saves only what a call costs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial

import torch

from engine_parts.availability import absent, prepare
from engine_parts.gradient_step import scan_step
from engine_parts.shapes import SHAPES, Step, draw_step
from engine_parts.timing import Bound, described, judged, load, ratio, take_turns

NUMBERS = (1, 4, 16, 100)
PATHS = {"cpu": ("adjoint", "native"), "cuda": ("adjoint", "cuda-graph", "triton")}
SLOWER = {("triton", 100): Bound("<=", 2)}


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """A line for every path and number of members."""
    for path in PATHS[arguments.device]:
        builders = {
            str(n): partial(scan_step, _stack(n, arguments.seed).to(arguments.device), path)
            for n in NUMBERS
        }
        variants, missing = prepare(builders)
        timings = take_turns(variants, rounds=arguments.rounds, device=arguments.device)
        row = {"row": "members", "device": arguments.device, "shape": "S1"}
        for name, timing in timings.items():
            yield {
                **row,
                "variant": path,
                "members": int(name),
                "rounds": arguments.rounds,
                "load": load(),
                **described(timing, device=arguments.device),
                "times one": judged(ratio(timing, timings["1"]), SLOWER.get((path, int(name)))),
            }
        for name, reason in missing.items():
            yield from absent({**row, "members": int(name)}, {path: reason})


def _stack(n: int, seed: int) -> Step:
    """Members with parameters and data of their own, time first as in `Step`."""
    drawn = [draw_step(SHAPES["S1"], seed=seed + i) for i in range(n)]
    parameters = {
        name: torch.stack([step.parameters[name] for step in drawn]) for name in drawn[0].parameters
    }
    x, y = (torch.stack([getattr(step, part) for step in drawn]) for part in ("x", "y"))
    return Step(drawn[0].shape, parameters, x, y)
