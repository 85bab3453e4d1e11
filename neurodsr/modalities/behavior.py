"""Behavior: signals, angles, labels, answers in order and events, each with a fitting noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from neurodsr.config import changed_keys
from neurodsr.data.lazy import LazyArray
from neurodsr.data.streams import Stream
from neurodsr.modalities.observations import OBSERVATIONS
from neurodsr.modalities.scores import Score
from neurodsr.modalities.signal_modality import SignalModality, nothing_observed

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from neurodsr.data.channels import Channels
    from neurodsr.data.time import TimeGrid
    from neurodsr.modalities.decoders import Decoder
    from neurodsr.sources.base import Source

LABELS = ("categorical", "ordinal")


class Behavior(SignalModality):
    """What an animal or a person does, put on the grid: a position, a heading, a choice, a lick."""

    shares_channels: ClassVar[bool] = True

    kind: Literal["behavior"] = Field("behavior", description="Behavior, continuous or labels.")
    observation: Literal["gaussian", "student", "angle", "categorical", "ordinal", "events"] = (
        Field(
            "gaussian",
            description="Kind of values: a continuous signal (gaussian; student where it has "
            "outliers), a direction (angle), labels (categorical; ordinal where they have an "
            "order), or points in time such as licks (events).",
        )
    )
    levels: tuple[str, ...] | None = Field(
        None,
        description="Levels of a label, from the lowest to the highest where it is ordinal; "
        "default: those in the file, which an ordinal label sorts by number.",
    )
    angle_unit: Literal["auto", "rad", "deg"] = Field(
        "auto", description="Unit of an angle in the file; auto: the one that the file names."
    )

    @model_validator(mode="after")
    def _fits(self) -> Behavior:
        if self.levels is not None and self.observation not in LABELS:
            raise ValueError(f"levels are for observation: {' or '.join(LABELS)}")
        if self.levels is not None and len(set(self.levels)) < len(self.levels):
            raise ValueError("levels name the same level twice")
        if self.angle_unit != "auto" and self.observation != "angle":
            raise ValueError("angle_unit is for observation: angle")
        unused = sorted({"resample", "max_gap"} & changed_keys(self))
        if self.observation in (*LABELS, "events") and unused:
            raise ValueError(f"{', '.join(unused)}: not for observation: {self.observation}")
        return self

    def load(self, source: Source, grid: TimeGrid) -> Stream:
        """Put the values on the grid in the way that fits their kind.

        Raises
        ------
        DataError
            Nothing is observed on the grid, or the values are not of the kind.
        """
        where = f"{source.path}:/{self.path}"
        stream = OBSERVATIONS[self.observation].load(self, source, grid, where=where)
        if not isinstance(stream.mask, LazyArray) and not stream.mask.any():
            raise nothing_observed(grid, where=where)
        return stream

    def build_decoder(self, channels: Channels, latent_dim: int, *, bin_width: float) -> Decoder:
        """The observation model of the values' kind."""
        return OBSERVATIONS[self.observation].build_decoder(channels, latent_dim)

    @property
    def natural_score(self) -> Score:
        """Explained variance, accuracy, distance in levels or on the circle, or bits per event."""
        return OBSERVATIONS[self.observation].score

    def embed(
        self, x: Float[Tensor, "*batch time channel"], channels: Channels
    ) -> Float[Tensor, "*batch time feature"]:
        """Numbers that stand for the values, as their kind asks for."""
        return OBSERVATIONS[self.observation].embed(x, channels)

    def unembed(
        self, features: Float[Tensor, "*batch time feature"], channels: Channels
    ) -> Float[Tensor, "*batch time channel"]:
        """The values that such numbers stand for."""
        return OBSERVATIONS[self.observation].unembed(features, channels)

    def n_features(self, channels: Channels) -> int:
        """How many such numbers there are."""
        return OBSERVATIONS[self.observation].n_features(channels)
