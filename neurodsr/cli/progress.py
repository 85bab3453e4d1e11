"""Progress on stderr: bars for a person at a terminal, sparse lines for a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from neurodsr.cli.output import clean_text

Observer = Callable[[str, int, int], None]

# A batch system keeps every line: at most one a stage in 30 s, and only after 5 % more.
MIN_SECONDS = 30.0
MIN_FRACTION = 0.05


@contextmanager
def show_progress(
    *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Observer]:
    """Gives the observer `progress(stage, done, total)` that long functions call.

    Parameters
    ----------
    stream
        Where to show it; stderr by default. Bars if it is a terminal, else lines.
    clock
        Seconds that only grow.
    """
    console = Console(file=stream or sys.stderr)
    if not console.is_terminal or console.is_dumb_terminal:
        yield ProgressLines(console.file, clock)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield ProgressBars(bars)


@dataclass
class ProgressBars:
    """One rich bar a stage."""

    bars: Progress
    tasks: dict[str, TaskID] = field(default_factory=dict)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Advance the bar of a stage to `done` of `total`."""
        if stage not in self.tasks:
            self.tasks[stage] = self.bars.add_task(clean_text(stage, limit=60), total=total)
        self.bars.update(self.tasks[stage], completed=done, total=total)


@dataclass
class ProgressLines:
    """One plain line when a stage begins, ends, and now and then between."""

    stream: TextIO
    clock: Callable[[], float]
    last: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Write a line if the stage is new, finished, or enough has happened since the last."""
        fraction = done / total if total else 1.0
        now = self.clock()
        if stage in self.last and not self._is_due(stage, now, fraction):
            return
        self.last[stage] = (now, fraction)
        name = clean_text(stage, limit=60)
        print(f"{name}: {done}/{total} ({fraction:.0%})", file=self.stream, flush=True)

    def _is_due(self, stage: str, now: float, fraction: float) -> bool:
        then, before = self.last[stage]
        if fraction >= 1.0:
            return before < 1.0
        return now - then >= MIN_SECONDS and fraction - before >= MIN_FRACTION
