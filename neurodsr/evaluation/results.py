"""What evaluation found: plain frozen values that the report shows and JSON keeps."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from neurodsr.config import Config
from neurodsr.models.member import MemberSummary

__all__ = [
    "Check",
    "CrossModalScore",
    "Evaluation",
    "Measure",
    "MemberSummary",
    "StreamFit",
    "Verdict",
]


class Measure(Config):
    """One number with everything needed to read it: floor, baselines, spread, convention."""

    name: str = Field(description="Identifier, e.g. 'state-space divergence (latent)'.")
    value: float | None = Field(description="Value of the chosen member; null where undefined.")
    low: float | None = Field(
        None, description="Lower end of the interval; the convention says of what."
    )
    high: float | None = Field(
        None, description="Upper end of the interval; the convention says of what."
    )
    floor: float | None = Field(
        None, description="What two stretches of the data themselves reach; null if unknown."
    )
    baselines: dict[str, float] = Field(
        default_factory=dict, description="What trivial methods reach on the same split."
    )
    unit: str = Field("", description="Physical unit; empty for pure numbers.")
    better: Literal["lower", "higher", "equal"] = Field(
        description="Direction of improvement; 'equal' to the floor or true value."
    )
    convention: str = Field("", description="Bins, ranges, lengths: what the number depends on.")


class StreamFit(Config):
    """How well held-out data of one stream are predicted."""

    stream: str = Field(description="The lab's own name of the stream.")
    kind: str = Field(description="Its modality.")
    task: str = Field(description="What was predicted from what, e.g. 'hidden bins'.")
    scores: dict[str, float] = Field(description="Scores by name, e.g. bits_per_spike.")
    baselines: dict[str, float] = Field(
        default_factory=dict, description="Trivial methods on the same split, named score: method."
    )


class CrossModalScore(Config):
    """How well one stream is predicted from others: an entry of the matrix given -> predicted."""

    given: tuple[str, ...] = Field(description="Streams that the latent path was estimated from.")
    predicted: str = Field(description="Stream that was predicted; its own bins were hidden.")
    score: str = Field(description="Measure natural to the predicted stream, e.g. r2.")
    better: Literal["higher", "lower"] = Field(description="Direction of improvement.")
    value: float | None = Field(description="The score on the test stretch; null if undefined.")
    constant: float | None = Field(description="That of the best constant prediction.")


class Check(Config):
    """One condition of the verdict."""

    name: str = Field(description="What is checked.")
    value: float | None = Field(description="The number; null where undefined.")
    rule: str = Field(description="The condition in words, with its bound.")
    passed: bool = Field(description="Whether it holds.")
    meaning: str = Field(description="What a failure means, in one sentence.")


class Verdict(Config):
    """Whether the surrogate reconstructs the recorded system, and by which rule."""

    reconstructed: bool = Field(description="True if every check passed.")
    sentence: str = Field(description="The verdict in one sentence.")
    checks: tuple[Check, ...] = Field(description="All conditions, in order.")


class Evaluation(Config):
    """Everything evaluation found about a surrogate."""

    members: tuple[MemberSummary, ...] = Field(description="The ensemble, best first.")
    measures: tuple[Measure, ...] = Field(description="Free-running and forecast measures.")
    exponents: tuple[float, ...] = Field(description="Lyapunov spectrum, 1/s, descending.")
    exponents_sd: tuple[float, ...] = Field(description="Spread over starts, 1/s.")
    streams: tuple[StreamFit, ...] = Field(description="Held-out fit of each stream.")
    cross_modal: tuple[CrossModalScore, ...] = Field(
        (), description="Each stream predicted from each single one, and from all others."
    )
    verdict: Verdict = Field(description="The verdict.")
    notes: tuple[str, ...] = Field((), description="What could not be computed, and why.")
