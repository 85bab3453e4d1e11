"""The matrix of what each stream tells of each other one, as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from neurodsr.evaluation.results import CrossModalScore


class Cell(NamedTuple):
    """A score, None where it is not defined, and whether it beats the constant prediction."""

    value: float | None
    beats: bool


@dataclass(frozen=True)
class CrossingRow:
    """What was given, and a cell for each predicted stream, in the table's order."""

    given: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Crossing:
    """The matrix given -> predicted; columns are the predicted streams with their measures."""

    predicted: tuple[str, ...]
    measures: tuple[str, ...]
    rows: tuple[CrossingRow, ...]
    constant: tuple[float | None, ...]


def crossing(scores: Sequence[CrossModalScore]) -> Crossing:
    """One row for each single stream, and one for all others together where there are several."""
    columns = {s.predicted: s for s in scores}
    cells = {(_given(s), s.predicted): Cell(s.value, beats_constant(s)) for s in scores}
    empty = Cell(None, False)
    rows = dict.fromkeys(given for given, _ in cells)
    return Crossing(
        predicted=tuple(columns),
        measures=tuple(_measure(s) for s in columns.values()),
        rows=tuple(CrossingRow(g, tuple(cells.get((g, p), empty) for p in columns)) for g in rows),
        constant=tuple(s.constant for s in columns.values()),
    )


def beats_constant(score: CrossModalScore) -> bool:
    """Whether the prediction beats the constant one."""
    if score.value is None or score.constant is None:
        return False
    gain = score.value - score.constant
    return gain > 0 if score.better == "higher" else gain < 0


def _given(score: CrossModalScore) -> str:
    return score.given[0] if len(score.given) == 1 else "all others"


def _measure(score: CrossModalScore) -> str:
    return f"{score.score.replace('_', ' ')}, {score.better} is better"
