"""The contract of a modality: how to load a stream, how to encode it, and its observation model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from neurodsr.config import Config
from neurodsr.modalities.clock import ClockConfig
from neurodsr.modalities.scores import R2, Score

if TYPE_CHECKING:  # torch takes seconds to import; configs, schemas and help must not wait for it
    from jaxtyping import Bool, Float
    from torch import Tensor

    from neurodsr.data.channels import Channels
    from neurodsr.data.streams import Stream
    from neurodsr.data.time import TimeGrid
    from neurodsr.modalities.decoders import Decoder
    from neurodsr.modalities.observed import Observed
    from neurodsr.sources.base import Source


class Modality(Config, ABC):
    """One kind of recorded stream; the object is its own configuration.

    Subclasses set `kind` to a `Literal` equal to their entry-point name.
    """

    api_version: ClassVar[str] = "1"
    shares_channels: ClassVar[bool] = False
    """Whether channels of the same id are the same variable in every session (a position is, a
    neuron is not); only several sessions in one recording ask for it."""

    kind: str = Field(description="Name of the modality, as in `neurodsr plugins list`.")
    path: str = Field(description="Where the stream lies in the file, as `inspect` prints it.")
    file: str | tuple[str, ...] | None = Field(
        None,
        description="File that holds this stream, where it is not the run's `file`; as many as the "
        "run has, in the same order. Relative to the configuration.",
    )
    clock: ClockConfig = Field(
        default_factory=ClockConfig, description="How the stream's times become the run's."
    )
    max_missing: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Largest fraction of a signal's values that may be NaN or infinite; they are "
        "masked. Above it the stream is refused.",
    )
    weight: float = Field(
        1.0, gt=0, description="Weight of the stream's mean log-likelihood in the loss; 1 is even."
    )

    @abstractmethod
    def load(self, source: Source, grid: TimeGrid) -> Stream:
        """Read the stream and put it on the grid, with a mask."""

    @abstractmethod
    def build_decoder(self, channels: Channels, latent_dim: int, *, bin_width: float) -> Decoder:
        """The observation model p(x_t | z) of the stream, an untrained torch module."""

    @property
    def natural_score(self) -> Score:
        """The measure that predictions are judged by; default: explained variance."""
        return R2

    def embed(
        self, x: Float[Tensor, "*batch time channel"], channels: Channels
    ) -> Float[Tensor, "*batch time feature"]:
        """The values as numbers that a linear method can use, such as one indicator a label.

        Each channel has equally many features, one channel after the other. Default: the values.
        """
        return x

    def unembed(
        self, features: Float[Tensor, "*batch time feature"], channels: Channels
    ) -> Float[Tensor, "*batch time channel"]:
        """The values that such numbers stand for; the inverse of `embed`."""
        return features

    def n_features(self, channels: Channels) -> int:
        """Length of the last axis of `embed` and of `features`."""
        return len(channels)

    def features(
        self, seen: Observed, channels: Channels, *, bin_width: float
    ) -> tuple[Float[Tensor, "*batch time feature"], Bool[Tensor, "*batch time feature"]]:
        """What the encoder sees of a window, and which of it is known.

        A slow sensor may be deconvolved here, from the observed entries alone. Default: the
        embedded values.
        """
        features = self.embed(seen.values, channels)
        repeats = features.shape[-1] // max(1, seen.mask.shape[-1])
        if repeats == 1:
            return features, seen.mask
        return features, seen.mask.repeat_interleave(repeats, dim=-1)

    def context(self, bin_width: float) -> int:
        """Bins to either side that `features` looks at; default: none."""
        return 0
