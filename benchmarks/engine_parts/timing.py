"""Variants of one piece of work timed in turn, and their ratios judged.

The variants of a table are done one after the other in every round of one process, so that
whatever else the machine is doing slows all of them alike. A ratio is the median over rounds of
the ratios within a round.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from math import ceil
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple

import torch


class Variant(NamedTuple):
    """One way to do the work: a call, and how many units (steps, say) a call does."""

    run: Callable[[], object]
    units: int = 1


class Timing(NamedTuple):
    """Seconds per unit of one variant, round by round.

    `cost` is what ratios are made of: CPU time of all threads, or, where a GPU does the work, the
    time that passed.
    """

    wall: tuple[float, ...]
    cost: tuple[float, ...]


class Bound(NamedTuple):
    """What issue 5 asks of a ratio or of a time: ">=" or "<=" a number."""

    sign: str
    number: float


VISIT = 0.02
"""Shortest time a variant runs in one go, s. Training repeats one step; a single short call after
all the others would be timed bringing its memory back into the caches."""


def take_turns(
    variants: Mapping[str, Variant], *, rounds: int, device: str = "cpu"
) -> dict[str, Timing]:
    """Time of each variant in every round; they have been called before, so all are warm."""
    wall, cost = ({name: [] for name in variants} for _ in range(2))
    repeats = {name: ceil(VISIT / _seconds(v.run, device)[0]) for name, v in variants.items()}
    for _ in range(rounds):
        for name, variant in variants.items():
            passed, worked = _seconds(variant.run, device, repeats[name])
            units = repeats[name] * variant.units
            wall[name].append(passed / units)
            cost[name].append((worked if device == "cpu" else passed) / units)
    return {name: Timing(tuple(wall[name]), tuple(cost[name])) for name in variants}


def _seconds(run: Callable[[], object], device: str, repeats: int = 1) -> tuple[float, float]:
    began, working = perf_counter(), process_time()
    for _ in range(repeats):
        run()
    if device != "cpu":
        torch.cuda.synchronize()
    return perf_counter() - began, process_time() - working


def ratio(numerator: Timing, denominator: Timing) -> float:
    """How many times as long the first takes as the second."""
    rounds = zip(numerator.cost, denominator.cost, strict=True)
    return median(a / b for a, b in rounds)


def judged(value: float, bound: Bound | None) -> dict[str, object] | float:
    """A number, with the bound that it has to keep and the verdict where there is a bound."""
    shown = float(f"{value:.3g}")
    if bound is None:
        return shown
    kept = value >= bound.number if bound.sign == ">=" else value <= bound.number
    verdict = "met" if kept else "missed"
    return {"value": shown, "bound": f"{bound.sign} {bound.number:g}", "verdict": verdict}


def described(timing: Timing, *, unit: str = "ms", device: str = "cpu") -> dict[str, float]:
    """Medians of the time that passed and, on a CPU, of CPU time."""
    scale = {"ms": 1e3, "us": 1e6}[unit]
    found = {f"wall, {unit}": float(f"{scale * median(timing.wall):.3g}")}
    if device == "cpu":
        found[f"CPU, {unit}"] = float(f"{scale * median(timing.cost):.3g}")
    return found


def load() -> float:
    """Processes that wanted a core over the last minute: how far to trust times in seconds."""
    return round(os.getloadavg()[0], 1)
