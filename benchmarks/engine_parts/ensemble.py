"""Many models on several cores: the throughput of two processes against that of one.

Each process trains a model of its own on one thread. One and two take turns; on a machine that
others use as well, the second core is not free, and the ratio says so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

from engine_parts.availability import NotAvailableError, absent, require_backend
from engine_parts.gradient_step import scan_step
from engine_parts.shapes import SHAPES, draw_step
from engine_parts.timing import Bound, judged, load

ENGINE = Path(__file__).parents[1] / "engine.py"
BACKENDS, N_PROCESSES, FASTER = ("adjoint", "native"), 2, Bound(">=", 1.9)


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """A line for every shape and path."""
    for name in arguments.shapes or ["S1", "S2", "S4"]:
        for backend in BACKENDS:
            row = {"row": "ensemble", "shape": name}
            try:
                require_backend(backend)
            except NotAvailableError as error:
                yield from absent(row, {backend: str(error)})
            else:
                yield {**row, "variant": backend, **_measure(name, backend, arguments)}


def _measure(shape: str, backend: str, arguments: argparse.Namespace) -> dict[str, object]:
    one, two = [], []
    for _ in range(min(arguments.rounds, 5)):
        one.append(_throughput(1, shape, backend, arguments.seconds))
        two.append(_throughput(N_PROCESSES, shape, backend, arguments.seconds))
    ratios = [b / a for a, b in zip(one, two, strict=True)]
    return {
        "rounds": len(one),
        "load": load(),
        "one, steps/s": round(median(one), 1),
        "two, steps/s": round(median(two), 1),
        "two over one": judged(median(ratios), FASTER if backend == "native" else None),
    }


def _throughput(n_processes: int, shape: str, backend: str, seconds: float) -> float:
    """Steps per second of all processes together, each timed from its own first step on."""
    command = [sys.executable, str(ENGINE), "throughput", "--shapes", shape]
    command += ["--backend", backend, "--seconds", str(seconds)]
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(n_processes)
    ]
    printed = [child.communicate()[0] for child in children]
    return sum(json.loads(text.splitlines()[-1])["steps/s"] for text in printed)


def throughput(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Training steps per second of this process: what the row above asks its children for."""
    for name in arguments.shapes:
        step = scan_step(draw_step(SHAPES[name], seed=arguments.seed), arguments.backend)
        step.run()
        began, n_steps = perf_counter(), 0
        while (passed := perf_counter() - began) < arguments.seconds:
            step.run()
            n_steps += 1
        yield {"row": "throughput", "shape": name, "steps/s": n_steps / passed}
