"""Time, memory and bounds, measured for `benchmarks/ingest.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter


def in_turn(rounds: int, **tasks: Callable[[], object]) -> dict[str, float]:
    """Shortest time of each task, s, over rounds in which each is done once."""
    best = dict.fromkeys(tasks, float("inf"))
    for _ in range(rounds):
        for name, task in tasks.items():
            began = perf_counter()
            task()
            best[name] = min(best[name], perf_counter() - began)
    return best


def bounded(ratios: dict[str, tuple[float, str, float]]) -> dict[str, object]:
    """Each ratio with its bound, and whether it is kept."""
    kept = {"<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b}
    return {
        name: {
            "value": round(value, 3),
            "bound": f"{sign} {bound}",
            "kept": kept[sign](value, bound),
        }
        for name, (value, sign, bound) in ratios.items()
    }


def resident() -> int:
    return _status("VmRSS")


def peak_resident() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))
