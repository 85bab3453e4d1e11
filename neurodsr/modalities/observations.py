"""The observation models of behavior by name: how each is loaded, embedded, decoded and judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from neurodsr.modalities.directions import load_angles
from neurodsr.modalities.labels import load_labels
from neurodsr.modalities.occurrences import load_occurrences
from neurodsr.modalities.scores import (
    ACCURACY,
    BITS_PER_EVENT,
    CIRCULAR_ERROR,
    ORDINAL_ERROR,
    R2,
    Score,
)

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from neurodsr.data.channels import Channels
    from neurodsr.data.streams import Stream
    from neurodsr.data.time import TimeGrid
    from neurodsr.modalities.behavior import Behavior
    from neurodsr.modalities.decoders import Decoder
    from neurodsr.sources.base import Source


class Observation(ABC):
    """What kind of values a behavior has, and all that follows from it; without state.

    `embed`, `unembed` and `n_features` are hooks: by default values are numbers already.
    """

    score: Score

    @abstractmethod
    def load(self, behavior: Behavior, source: Source, grid: TimeGrid, *, where: str) -> Stream:
        """Read the stream that the configuration names and put it on the grid."""

    @abstractmethod
    def build_decoder(self, channels: Channels, latent_dim: int) -> Decoder:
        """The untrained observation model."""

    def embed(
        self, x: Float[Tensor, "*batch time channel"], channels: Channels
    ) -> Float[Tensor, "*batch time feature"]:
        """The values as numbers that a linear method can use."""
        return x

    def unembed(
        self, features: Float[Tensor, "*batch time feature"], channels: Channels
    ) -> Float[Tensor, "*batch time channel"]:
        """The values that such numbers stand for."""
        return features

    def n_features(self, channels: Channels) -> int:
        """How many such numbers there are."""
        return len(channels)


class Gaussian(Observation):
    """A continuous signal with Gaussian noise."""

    score = R2

    def load(self, behavior: Behavior, source: Source, grid: TimeGrid, *, where: str) -> Stream:
        """Averages within bins, or lines between samples."""
        return behavior.put_on_grid(behavior.read_series(source), grid, where=where)

    def build_decoder(self, channels: Channels, latent_dim: int) -> Decoder:
        """A linear Gaussian."""
        from neurodsr.modalities.gaussian import GaussianDecoder

        return GaussianDecoder(len(channels), latent_dim)


class Student(Observation):
    """A continuous signal whose noise has heavy tails."""

    score = R2

    def load(self, behavior: Behavior, source: Source, grid: TimeGrid, *, where: str) -> Stream:
        """Averages within bins, or lines between samples."""
        return behavior.put_on_grid(behavior.read_series(source), grid, where=where)

    def build_decoder(self, channels: Channels, latent_dim: int) -> Decoder:
        """A linear Student's t."""
        from neurodsr.modalities.student import StudentDecoder

        return StudentDecoder(len(channels), latent_dim)


class Angle(Observation):
    """A direction, rad; its numbers are cosine and sine."""

    score = CIRCULAR_ERROR

    def load(self, behavior: Behavior, source: Source, grid: TimeGrid, *, where: str) -> Stream:
        """Averages or lines on the circle."""
        return load_angles(behavior, source, grid, where=where)

    def build_decoder(self, channels: Channels, latent_dim: int) -> Decoder:
        """A von Mises distribution around the direction of a linear vector."""
        from neurodsr.modalities.angle import AngleDecoder

        return AngleDecoder(len(channels), latent_dim)

    def embed(
        self, x: Float[Tensor, "*batch time channel"], channels: Channels
    ) -> Float[Tensor, "*batch time feature"]:
        """Cosine and sine."""
        import torch

        return torch.stack([x.cos(), x.sin()], dim=-1).flatten(-2)

    def unembed(
        self, features: Float[Tensor, "*batch time feature"], channels: Channels
    ) -> Float[Tensor, "*batch time channel"]:
        """The direction of the vector, from -pi to pi."""
        cosine, sine = features.unflatten(-1, (len(channels), 2)).unbind(-1)
        return sine.atan2(cosine)

    def n_features(self, channels: Channels) -> int:
        """Two per channel."""
        return 2 * len(channels)


class Categorical(Observation):
    """A label; its numbers are one indicator a level."""

    score = ACCURACY

    def load(self, behavior: Behavior, source: Source, grid: TimeGrid, *, where: str) -> Stream:
        """Codes of the levels, in any order."""
        return load_labels(behavior, source, grid, where=where, ordered=False)

    def build_decoder(self, channels: Channels, latent_dim: int) -> Decoder:
        """A softmax over the levels."""
        from neurodsr.modalities.categorical import CategoricalDecoder

        return CategoricalDecoder(len(channels), len(channels.levels), latent_dim)

    def embed(
        self, x: Float[Tensor, "*batch time channel"], channels: Channels
    ) -> Float[Tensor, "*batch time feature"]:
        """One indicator a level."""
        from torch.nn.functional import one_hot

        return one_hot(x.long(), len(channels.levels)).flatten(-2).to(x.dtype)

    def unembed(
        self, features: Float[Tensor, "*batch time feature"], channels: Channels
    ) -> Float[Tensor, "*batch time channel"]:
        """The level of the largest number."""
        split = features.unflatten(-1, (len(channels), len(channels.levels)))
        return split.argmax(-1).to(features.dtype)

    def n_features(self, channels: Channels) -> int:
        """One per channel and level."""
        return len(channels) * len(channels.levels)


class Ordinal(Observation):
    """A label whose levels have an order; its numbers say which levels it exceeds.

    Averaged they are the probabilities to exceed a level, and how many of these are above one
    half is the median.
    """

    score = ORDINAL_ERROR

    def load(self, behavior: Behavior, source: Source, grid: TimeGrid, *, where: str) -> Stream:
        """Codes of the levels, from the lowest to the highest."""
        return load_labels(behavior, source, grid, where=where, ordered=True)

    def build_decoder(self, channels: Channels, latent_dim: int) -> Decoder:
        """A cumulative link with ordered thresholds."""
        from neurodsr.modalities.ordinal import OrdinalDecoder

        return OrdinalDecoder(len(channels), len(channels.levels), latent_dim)

    def embed(
        self, x: Float[Tensor, "*batch time channel"], channels: Channels
    ) -> Float[Tensor, "*batch time feature"]:
        """One indicator a level but the highest: whether the label exceeds it."""
        import torch

        codes = torch.arange(len(channels.levels) - 1, device=x.device)
        return (x.unsqueeze(-1) > codes).flatten(-2).to(x.dtype)

    def unembed(
        self, features: Float[Tensor, "*batch time feature"], channels: Channels
    ) -> Float[Tensor, "*batch time channel"]:
        """The median level: how many are exceeded with a probability above one half."""
        split = features.unflatten(-1, (len(channels), len(channels.levels) - 1))
        return (split > 0.5).sum(-1).to(features.dtype)

    def n_features(self, channels: Channels) -> int:
        """One per channel and level but the highest."""
        return len(channels) * (len(channels.levels) - 1)


class Occurrence(Observation):
    """Whether something happened in a bin, such as a lick."""

    score = BITS_PER_EVENT

    def load(self, behavior: Behavior, source: Source, grid: TimeGrid, *, where: str) -> Stream:
        """1 in every bin with at least one event."""
        return load_occurrences(behavior, source, grid, where=where)

    def build_decoder(self, channels: Channels, latent_dim: int) -> Decoder:
        """Linear log odds."""
        from neurodsr.modalities.binary import BinaryDecoder

        return BinaryDecoder(len(channels), latent_dim)

    def unembed(
        self, features: Float[Tensor, "*batch time feature"], channels: Channels
    ) -> Float[Tensor, "*batch time channel"]:
        """A probability."""
        return features.clamp(0, 1)


OBSERVATIONS: Mapping[str, Observation] = MappingProxyType(
    {
        "gaussian": Gaussian(),
        "student": Student(),
        "angle": Angle(),
        "categorical": Categorical(),
        "ordinal": Ordinal(),
        "events": Occurrence(),
    }
)
"""What the names in a configuration stand for."""
