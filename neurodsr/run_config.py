"""RunConfig: one YAML file says everything about a run; each part is a frozen model of its own."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    WrapSerializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from neurodsr.config import Config
from neurodsr.errors import ConfigError
from neurodsr.modalities.base import Modality
from neurodsr.modalities.clock import ClockConfig
from neurodsr.modalities.registry import load_modality, spell_kind
from neurodsr.modalities.selection import Selection


def _resolve(value: Any) -> Any:
    """The modality a stream's kind names, built from its fields.

    A ValidationError of the modality passes through pydantic with its own paths, so that a wrong
    field of a plug-in is located like any other.
    """
    if not isinstance(value, dict):
        return value
    if "kind" not in value:
        raise PydanticCustomError("missing_kind", "a stream needs a kind")
    kind = str(value["kind"])
    try:
        modality = load_modality(kind)
    except ConfigError as error:
        raise PydanticCustomError(
            "unknown_kind", "{what} ({fix})", {"what": error.what, "fix": error.fix}
        ) from error
    plain = {**value, "kind": kind.rpartition(":")[2]}
    return modality.model_validate_json(json.dumps(plain))


def _spell(modality: Modality, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
    """Where two packages offer one kind, what is stored must say which, as the user did."""
    return plain(modality) | {"kind": spell_kind(modality)}


AnyModality = Annotated[SerializeAsAny[Modality], BeforeValidator(_resolve), WrapSerializer(_spell)]


Rate = Annotated[float, Field(gt=0)]
Strength = Annotated[float, Field(gt=0, le=1)]


class GridConfig(Config):
    """The clock that all streams share."""

    bin_width: float = Field(gt=0, description="Width of a bin, s.")
    start: float | None = Field(
        None, description="First time used, s on the file's clock; default: where streams overlap."
    )
    stop: float | None = Field(
        None, description="Last time used, s on the file's clock; default: where streams overlap."
    )

    @model_validator(mode="after")
    def _in_order(self) -> GridConfig:
        if self.start is not None and self.stop is not None and self.stop <= self.start:
            raise ValueError(f"stop {self.stop:g} s is not after start {self.start:g} s")
        return self


class SegmentsConfig(Config):
    """Which stretches of the recording are used, and where windows may not cross."""

    path: str = Field(description="Table of intervals, such as intervals/trials.")
    where: Selection = Field(
        default_factory=dict,
        description="Rows that are used: column -> value, list of values, or {min, max}.",
    )


class InputConfig(Config):
    """An input to the brain on the grid, in physical units: a stimulus, light, current."""

    path: str = Field(
        description="Series (a mean per bin), events (a count per bin) or table of intervals."
    )
    value: str | None = Field(
        None,
        description="Column of a table that holds the input's size, such as its power; default: 1 "
        "while it is on.",
    )
    start: str = Field("start_time", description="Column of a table with the onset, s.")
    stop: str = Field("stop_time", description="Column of a table with the end, s.")
    pulse: tuple[str, str] | None = Field(
        None,
        description="Columns with the width and the period of pulses within a row, ms; the mean "
        "over a bin is then that of the pulse train.",
    )
    where: Selection = Field(
        default_factory=dict,
        description="Rows that are used: column -> value, list of values, or {min, max}.",
    )
    unit: str = Field("", description="Physical unit; default: as the file spells it.")
    clock: ClockConfig = Field(
        default_factory=ClockConfig, description="How the input's times become the run's."
    )


class SplitConfig(Config):
    """Contiguous held-out stretches at the end of the recording, as fractions of its bins."""

    validation: float = Field(
        0.1,
        gt=0,
        lt=0.5,
        description="Fraction that chooses encoders and when they stop, before the test.",
    )
    test: float = Field(0.2, gt=0, lt=0.5, description="Fraction at the end, only read to judge.")


class DynamicsConfig(Config):
    """The latent map and how it is trained (the dynamics stage)."""

    family: Literal["clipped-shallow"] = Field(
        "clipped-shallow", description="Member of the piecewise-linear family."
    )
    latent_dim: int = Field(3, ge=1, le=512, description="Dimension of the latent state.")
    hidden_dim: int = Field(100, ge=1, le=4096, description="Hidden ReLUs of the map.")
    n_steps: int = Field(6000, ge=1, description="Optimization steps.")
    window: int = Field(100, ge=2, description="Length of a training window, bins.")
    batch_size: int = Field(32, ge=1, description="Windows a step and member.")
    learning_rate: tuple[Rate, Rate] = Field(
        (5e-3, 1e-4), description="First and last learning rate, above 0, exponential between."
    )
    alphas: tuple[Strength, ...] = Field(
        (0.15, 0.1),
        min_length=1,
        description="Final strengths of generalized teacher forcing, above 0 (none) to 1 (full); "
        "members take them in turn.",
    )
    alpha_start: Strength | None = Field(
        0.5,
        description="Forcing strength at the first step, annealed geometrically to the member's "
        "alpha over the first 70 % of the steps; null: constant.",
    )
    weight_decay: float = Field(
        1e-5, ge=0, description="Penalty on the squared weights W1 and W2, relative to the loss."
    )
    teacher_noise: float = Field(
        0.0, ge=0, description="Gaussian noise on the forcing signal, in sd of the latent."
    )
    average: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="What the running average of the parameters keeps of its past at each step: "
        "0.998 averages over some 500 steps. The map is that average; 0: the last parameters.",
    )


class EncoderConfig(Config):
    """The masked encoder and the decoders (the observation stage)."""

    width: int = Field(16, ge=1, description="Hidden channels of each stream's encoder.")
    kernel: int = Field(21, ge=1, description="Length of both temporal convolutions, bins.")
    n_steps: int = Field(8000, ge=1, description="Optimization steps.")
    window: int = Field(100, ge=3, description="Length of a training window, bins.")
    batch_size: int = Field(16, ge=1, description="Windows a step.")
    learning_rate: tuple[Rate, Rate] = Field(
        (5e-3, 1e-4), description="First and last learning rate, above 0, exponential between."
    )
    drop_bins: float = Field(
        0.3, gt=0, lt=1, description="Probability that a bin of a stream is hidden and scored."
    )
    drop_streams: float = Field(
        0.1, ge=0, lt=1, description="Probability that a whole stream of a window is hidden."
    )
    smoothness: float = Field(
        1.0,
        ge=0,
        description="Weight of the squared second difference of the latent path, relative to its "
        "variance.",
    )


class EnsembleConfig(Config):
    """How many encoders and maps are trained, and how members are found alive."""

    n_encoders: int = Field(
        2, ge=1, le=64, description="Encoders trained; kept by held-out masked likelihood."
    )
    n_kept: int = Field(1, ge=1, le=64, description="Encoders kept.")
    n_members: int = Field(8, ge=1, le=256, description="Maps trained on each kept encoder.")
    n_starts: int = Field(32, ge=1, description="Starts of the free runs that find dead members.")
    n_bins: int = Field(100_000, ge=1000, description="Length of those free runs, bins.")

    @model_validator(mode="after")
    def _enough_encoders(self) -> EnsembleConfig:
        if self.n_kept > self.n_encoders:
            raise ValueError(f"n_kept {self.n_kept} is more than n_encoders {self.n_encoders}")
        return self


class TruthConfig(Config):
    """What is known of a simulated recording, used to judge and never to train."""

    path: str = Field(description="Series of the true state during the recording.")
    reference: str = Field(description="Series of a long independent orbit of the same system.")
    exponent: float = Field(description="Largest Lyapunov exponent of the system, 1/s.")


class RunConfig(Config):
    """Everything about a run: the file, its streams, the clock, the model, the seed."""

    schema_version: Literal[1] = Field(description="Version of this configuration format.")
    file: str | tuple[str, ...] = Field(
        description="The recording, relative to this configuration file: a path, a pattern such as "
        "'data/*.nwb', or a list; each file is a session.",
    )
    grid: GridConfig = Field(description="The clock that all streams share.")
    streams: dict[str, AnyModality] = Field(
        min_length=1, description="The streams, by the lab's own names."
    )
    inputs: dict[str, InputConfig] = Field(
        default_factory=dict, description="Inputs to the brain, by the lab's own names."
    )
    segments: SegmentsConfig | None = Field(
        None, description="Stretches that are used; default: all, up to gaps in every stream."
    )
    split: SplitConfig = Field(default_factory=SplitConfig, description="Held-out stretches.")
    encoder: EncoderConfig = Field(
        default_factory=EncoderConfig, description="Encoder and decoders."
    )
    dynamics: DynamicsConfig = Field(
        default_factory=DynamicsConfig, description="The latent map and its training."
    )
    ensemble: EnsembleConfig = Field(
        default_factory=EnsembleConfig, description="Seeds, members and free runs."
    )
    truth: TruthConfig | None = Field(
        None, description="What is known of a simulated recording; default: nothing."
    )
    seed: int = Field(0, ge=0, description="Seed that every random number derives from.")
