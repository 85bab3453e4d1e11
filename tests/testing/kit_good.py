"""A modality that keeps the contract in all points; tests break it in one point each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from neurodsr.data.streams import Stream
from neurodsr.errors import DataError
from neurodsr.modalities.base import Modality

if TYPE_CHECKING:
    from neurodsr.data.channels import Channels
    from neurodsr.data.time import TimeGrid
    from neurodsr.modalities.decoders import Decoder
    from neurodsr.sources.base import Source


class Good(Modality):
    """A signal, the mean of its samples in each bin."""

    kind: Literal["good"] = Field("good", description="A signal.")
    path: str = Field("signal", description="The signal in the file.")

    def load(self, source: Source, grid: TimeGrid) -> Stream:
        """Average within bins."""
        series = source.series(self.path)
        mean, mask = grid.average(series)
        if not mask.any():
            raise DataError("nothing lies on the grid", where=self.path, fix="move the grid")
        values = np.where(mask, mean, 0).astype(np.float32)
        return Stream(values, mask, series.channels, series.unit)

    def build_decoder(self, channels: Channels, latent_dim: int, *, bin_width: float) -> Decoder:
        """A linear mean with Gaussian noise."""
        from neurodsr.modalities.gaussian import GaussianDecoder

        return GaussianDecoder(len(channels), latent_dim)


def decoded_by(decoder: type[Decoder]) -> type[Good]:
    """The good modality with another decoder."""

    class Decoded(Good):
        """A signal."""

        def build_decoder(
            self, channels: Channels, latent_dim: int, *, bin_width: float
        ) -> Decoder:
            """Whatever is to be tested."""
            return decoder(len(channels), latent_dim)

    return Decoded
