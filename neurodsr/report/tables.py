"""Rows of the report's tables: measures with what good looks like, fits, health of members."""

from __future__ import annotations

from dataclasses import dataclass

from neurodsr.evaluation.results import Measure, MemberSummary, StreamFit
from neurodsr.report.text import format_number, format_percent


@dataclass(frozen=True)
class Mark:
    """Something at a place of a measure's scale, in percent of its width."""

    place: float
    label: str


@dataclass(frozen=True)
class Scale:
    """A measure drawn as a line: interval, value, floor and baselines at their places."""

    value: Mark
    low: float | None
    high: float | None
    floor: Mark | None
    baselines: tuple[Mark, ...]

    @property
    def words(self) -> str:
        """The same for a reader who cannot see it."""
        marks = (self.value, *((self.floor,) if self.floor else ()), *self.baselines)
        return "; ".join(mark.label for mark in marks)


@dataclass(frozen=True)
class MeasureRow:
    """One measure with everything needed to read it."""

    measure: Measure
    scale: Scale | None
    meaning: str


def measure_rows(measures: tuple[Measure, ...]) -> list[MeasureRow]:
    """All measures, in evaluation's order."""
    return [MeasureRow(m, _scale(m), what_good_looks_like(m)) for m in measures]


def what_good_looks_like(measure: Measure) -> str:
    """One or two sentences that say which value would please, and why."""
    aims = {
        "lower": (
            "Lower is better.",
            " Two stretches of the data differ by {}.",
        ),
        "higher": ("Higher is better.", " At best about {}."),
        "equal": ("Neither low nor high is good:", " it should be close to {}."),
    }
    direction, target = aims[measure.better]
    if measure.floor is not None:
        direction += target.format(format_number(measure.floor))
    elif measure.better == "equal":
        direction += " it should be close to the data's own value."
    return direction + _against_baselines(measure)


def _against_baselines(measure: Measure) -> str:
    if not measure.baselines or measure.value is None or measure.better == "equal":
        return ""
    sign = 1 if measure.better == "lower" else -1
    name, best = min(sorted(measure.baselines.items()), key=lambda item: sign * item[1])
    beaten = sign * measure.value < sign * best
    return f" {'Beats' if beaten else 'Does not beat'} the best trivial method, {name}."


def _scale(measure: Measure) -> Scale | None:
    if measure.value is None:
        return None
    given = [measure.value, measure.low, measure.high, measure.floor, *measure.baselines.values()]
    known = [x for x in given if x is not None]
    low, high = min(0.0, *known), max(0.0, *known)
    width = (high - low) or 1.0

    def place(x: float) -> float:
        return round(2 + 96 * (x - low) / width, 2)

    def mark(x: float, name: str) -> Mark:
        return Mark(place(x), f"{name} {format_number(x)}")

    return Scale(
        value=mark(measure.value, "value"),
        low=None if measure.low is None else place(measure.low),
        high=None if measure.high is None else place(measure.high),
        floor=None if measure.floor is None else mark(measure.floor, "floor"),
        baselines=tuple(mark(x, name) for name, x in sorted(measure.baselines.items())),
    )


@dataclass(frozen=True)
class FitRow:
    """One score of one stream beside what trivial methods reach."""

    stream: str
    kind: str
    task: str
    score: str
    value: float
    baselines: tuple[tuple[str, float], ...]


def fit_rows(fits: tuple[StreamFit, ...]) -> list[FitRow]:
    """One row a score; a baseline named "score: method" stands beside its score."""
    rows = []
    for fit in fits:
        for score, value in sorted(fit.scores.items()):
            beside = tuple(
                (name.removeprefix(f"{score}:").strip(), x)
                for name, x in sorted(fit.baselines.items())
                if name.startswith(f"{score}:") or len(fit.scores) == 1
            )
            words = score.replace("_", " ")
            rows.append(FitRow(fit.stream, fit.kind, fit.task, words, value, beside))
    return rows


def health(member: MemberSummary) -> str:
    """Whether the free runs of a member live, in words."""
    if member.dead <= 0:
        return "alive"
    return "dead" if member.dead >= 1 else f"{format_percent(member.dead)} of starts die"
