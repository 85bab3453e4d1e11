"""The report as one plain value: everything the page shows, free of figures and of HTML."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from neurodsr.config import Config
from neurodsr.evaluation.results import Evaluation


class StreamSummary(Config):
    """What a reader wants to know of one stream before trusting a fit to it."""

    name: str = Field(description="The lab's own name of the stream.")
    kind: str = Field(description="Its modality.")
    n_channels: int = Field(description="Number of recorded dimensions.")
    unit: str = Field(description="Physical unit of the values; 'count' for counts.")
    observed: float | None = Field(description="Fraction of values observed; null if none exist.")
    mean: float | None = Field(description="Mean of the observed values, in `mean_unit`.")
    mean_unit: str = Field(description="Unit of the mean; 1/s for counts.")
    regions: dict[str, int] = Field(description="Channels in each region; '' where unknown.")
    channel_ids: tuple[str, ...] = Field((), description="Name of each channel, in order.")
    channel_regions: tuple[str, ...] = Field((), description="Region of each channel, in order.")
    levels: dict[str, float] = Field(
        default_factory=dict, description="Share of each level of a categorical stream."
    )
    notes: tuple[str, ...] = Field((), description="What loading repaired or dropped.")


class RecordingSummary(Config):
    """The aligned data in numbers."""

    id: str = Field(description="Name of the session.")
    bin_width: float = Field(description="Width of a bin, s.")
    n_bins: int = Field(description="Number of bins.")
    duration: float = Field(description="Length of the grid, s.")
    segments: tuple[tuple[float, float], ...] = Field(
        description="Contiguous stretches [start, stop), s."
    )
    streams: tuple[StreamSummary, ...] = Field(description="The streams, in order.")
    notes: tuple[str, ...] = Field((), description="What ingest repaired or dropped.")


class EncoderRun(Config):
    """How the training of one encoder went."""

    seed: int = Field(description="Seed of its initialization.")
    step: tuple[float, ...] = Field(description="Optimization steps at which the loss was noted.")
    loss: tuple[float | None, ...] = Field(description="Loss there; null where not finite.")
    held_out: float | None = Field(
        description="Negative log-likelihood of held-out hidden data; lower is better."
    )
    kept: bool = Field(description="Whether maps were trained on it.")


class MemberRun(Config):
    """How the training of one map of the ensemble went."""

    seed: int = Field(description="Seed of its initialization.")
    encoder: int = Field(description="Which kept encoder it belongs to.")
    alpha: float = Field(description="Final forcing strength.")
    step: tuple[float, ...] = Field(description="Optimization steps at which the loss was noted.")
    loss: tuple[float | None, ...] = Field(description="Loss there; null where not finite.")


class Training(Config):
    """How both stages of training went."""

    encoders: tuple[EncoderRun, ...] = Field((), description="All encoders that were trained.")
    members: tuple[MemberRun, ...] = Field((), description="All maps that were trained.")


class Provenance(Config):
    """Where the numbers come from and how to get them again."""

    versions: dict[str, str] = Field(description="Version of each package that took part.")
    file: str = Field(description="Name of the recording's file.")
    sha256: str = Field(description="Checksum of that file.")
    seed: int = Field(description="Seed that every random number derives from.")
    command: str = Field(description="The command that reproduces the run.")
    seconds: dict[str, float] = Field(
        default_factory=dict, description="Wall time of each stage, s."
    )


class Report(Config):
    """All results of a run as one JSON-able value; the HTML page is a view of it."""

    schema_name: Literal["neurodsr/report/1"] = Field(
        "neurodsr/report/1", description="Name and version of this format."
    )
    title: str = Field(description="What the report is about.")
    config: dict[str, Any] = Field(description="The run's configuration, defaults included.")
    recording: RecordingSummary = Field(description="The data.")
    training: Training = Field(description="Losses of both stages.")
    evaluation: Evaluation = Field(description="What evaluation found.")
    provenance: Provenance = Field(description="Versions, file, seed and command.")
    methods: tuple[str, ...] = Field(description="Methods text, one entry a paragraph.")
    references: tuple[str, ...] = Field(description="The papers that the methods text cites.")
    warnings: tuple[str, ...] = Field((), description="What the reader must know, first.")
