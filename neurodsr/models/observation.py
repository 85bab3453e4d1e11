"""Encoder and decoders of all streams: from what is seen to the latent path and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn import functional

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Stream
from neurodsr.modalities.base import Modality
from neurodsr.modalities.decoders import Decoder
from neurodsr.modalities.encoders import StreamEncoder
from neurodsr.models.fusion import TemporalFusion
from neurodsr.run_config import EncoderConfig, RunConfig


class Observed(NamedTuple):
    """Values and mask of one stream as tensors; any batch axes come first."""

    values: Float[Tensor, "*batch time channel"]
    mask: Bool[Tensor, "*batch time channel"]


def as_observed(stream: Stream, bins: slice = slice(None)) -> Observed:
    """Read some bins of a stream of a recording into memory, as tensors."""
    return Observed(
        torch.from_numpy(np.asarray(stream.values[bins], dtype=np.float32)),
        torch.from_numpy(np.asarray(stream.mask[bins], dtype=bool)),
    )


class ObservationModel(nn.Module):
    """One latent path seen by many streams: an encoder of all, a decoder for each.

    Parameters
    ----------
    modalities
        The streams' modalities by name.
    channels
        The streams' channels by name.
    latent_dim
        Dimension of the latent state.
    bin_width
        Width of a bin, s.
    config
        Sizes of the encoder.
    """

    def __init__(
        self,
        modalities: Mapping[str, Modality],
        channels: Mapping[str, Channels],
        *,
        latent_dim: int,
        bin_width: float,
        config: EncoderConfig,
    ) -> None:
        super().__init__()
        self.modalities, self.channels = dict(modalities), dict(channels)
        self.names = tuple(sorted(modalities))  # JSON keeps no order, parameters do
        self.latent_dim = latent_dim
        self.experts = nn.ModuleList(
            StreamEncoder(modalities[n].n_features(channels[n]), config.width) for n in self.names
        )
        self.fusion = TemporalFusion(config.width, latent_dim, config.kernel)
        self.decoders = nn.ModuleList(
            modalities[n].build_decoder(channels[n], latent_dim, bin_width=bin_width)
            for n in self.names
        )

    @classmethod
    def build(
        cls, config: RunConfig, channels: Mapping[str, Channels], *, bin_width: float, seed: int = 0
    ) -> ObservationModel:
        """The untrained encoder and decoders that a run's configuration asks for.

        Initial parameters are a pure function of the seed; global random state is untouched.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(
                config.streams,
                channels,
                latent_dim=config.dynamics.latent_dim,
                bin_width=bin_width,
                config=config.encoder,
            )

    @property
    def context(self) -> int:
        """Bins of context that the encoder needs at either end of a window."""
        return self.fusion.context

    def decoder(self, name: str) -> Decoder:
        """The observation model of one stream."""
        return self.decoders[self.names.index(name)]

    def encode_window(self, streams: Mapping[str, Observed]) -> Float[Tensor, "batch time latent"]:
        """Latents of the inner bins of padded windows; streams left out count as unseen."""
        evidence = [
            expert(self.modalities[name].features(seen.values, self.channels[name]), seen.mask)
            for name, expert, seen in self._present(streams)
        ]
        return self.fusion(torch.stack(evidence).sum(0))

    @torch.no_grad()
    def encode(
        self, streams: Mapping[str, Observed], *, chunk: int = 20_000
    ) -> Float[Tensor, "time latent"]:
        """Latents of a whole contiguous stretch; beyond its ends nothing is seen."""
        pad, n_bins = self.context, next(iter(streams.values())).values.shape[0]
        padded = {
            name: Observed(
                functional.pad(seen.values, (0, 0, pad, pad)),
                functional.pad(seen.mask, (0, 0, pad, pad)),
            )
            for name, seen in streams.items()
        }
        pieces = []
        for start in range(0, n_bins, chunk):
            stop = min(start + chunk, n_bins) + 2 * pad
            window = {
                name: Observed(s.values[None, start:stop], s.mask[None, start:stop])
                for name, s in padded.items()
            }
            pieces.append(self.encode_window(window)[0])
        return torch.cat(pieces)

    def decode(self, z: Float[Tensor, "*batch time latent"]) -> dict[str, Distribution]:
        """The distribution of every stream along a latent path."""
        return {name: self.decoder(name)(z) for name in self.names}

    @torch.no_grad()
    def initialize(self, streams: Mapping[str, Observed], *, n_bins: int = 5000) -> None:
        """Set offsets and scales from the training data, and the latent's scale to one."""
        for name, expert, seen in self._present(streams):
            features = self.modalities[name].features(seen.values, self.channels[name])
            expert.initialize(features, seen.mask)
            self.decoder(name).initialize(seen.values, seen.mask)
        seen = torch.stack([s.mask.any(-1) for s in streams.values()]).any(0)
        first = int(seen.int().argmax())  # before it nothing is seen, and nothing varies
        window = slice(first, first + n_bins)
        head = {n: Observed(s.values[window], s.mask[window]) for n, s in streams.items()}
        self.fusion.normalize(self.encode(head))

    def _present(
        self, streams: Mapping[str, Observed]
    ) -> Iterator[tuple[str, StreamEncoder, Observed]]:
        for name, expert in zip(self.names, self.experts, strict=True):
            if name in streams:
                yield name, expert, streams[name]
