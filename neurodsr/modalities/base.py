"""The contract of a modality: how to load a stream, how to encode it, and its observation model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from neurodsr.config import Config
from neurodsr.modalities.clock import ClockConfig

if TYPE_CHECKING:  # torch takes seconds to import; configs, schemas and help must not wait for it
    import torch
    from jaxtyping import Bool, Float
    from torch import Tensor

    from neurodsr.data.channels import Channels
    from neurodsr.data.streams import Stream
    from neurodsr.data.time import TimeGrid
    from neurodsr.modalities.decoders import Decoder
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

    def features(
        self, x: Float[Tensor, "*batch time channel"], channels: Channels
    ) -> Float[Tensor, "*batch time feature"]:
        """What the encoder sees of the values; the default is the values themselves."""
        return x

    def n_features(self, channels: Channels) -> int:
        """Length of the last axis of `features`."""
        return len(channels)

    def score(
        self,
        predicted: torch.distributions.Distribution,
        x: Float[Tensor, "*batch time channel"],
        mask: Bool[Tensor, "*batch time channel"],
        null: torch.distributions.Distribution,
    ) -> dict[str, float]:
        """Goodness of held-out predictions against the constant prediction `null`.

        The default is the log-likelihood per observed scalar and its gain over `null`, in nats.
        """
        n = mask.sum().clamp_min(1)
        model = ((predicted.log_prob(x) * mask).sum() / n).item()
        return {
            "log_likelihood": model,
            "gain": model - ((null.log_prob(x) * mask).sum() / n).item(),
        }
