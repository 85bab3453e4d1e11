"""Encoder and decoders of all streams: from what is seen to the latent path and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn import functional

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Stream
from neurodsr.modalities.base import Modality
from neurodsr.modalities.decoders import Decoder, scorable
from neurodsr.modalities.encoders import StreamEncoder
from neurodsr.modalities.observed import Observed
from neurodsr.models.fusion import TemporalFusion
from neurodsr.run_config import EncoderConfig, RunConfig


def as_observed(stream: Stream, bins: slice = slice(None)) -> Observed:
    """Read some bins of a stream of a recording into memory, as tensors."""
    exposure = stream.exposure
    return Observed(
        torch.from_numpy(np.asarray(stream.values[bins], dtype=np.float32)),
        torch.from_numpy(np.asarray(stream.mask[bins], dtype=bool)),
        None if exposure is None else torch.from_numpy(np.asarray(exposure[bins], np.float32)),
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
        self.latent_dim, self.bin_width = latent_dim, bin_width
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
        views = (modality.context(self.bin_width) for modality in self.modalities.values())
        return self.fusion.context + max(views, default=0)

    @property
    def lag(self) -> int:
        """Bins of past latents that the slowest decoder needs."""
        return max(decoder.lag for decoder in self.decoders)

    def decoder(self, name: str) -> Decoder:
        """The observation model of one stream."""
        return self.decoders[self.names.index(name)]

    def encode_window(self, streams: Mapping[str, Observed]) -> Float[Tensor, "batch time latent"]:
        """Latents of the inner bins of padded windows; streams left out count as unseen."""
        evidence = [
            expert(*self._features(name, seen)) for name, expert, seen in self._present(streams)
        ]
        spare = self.context - self.fusion.context
        total = sum(evidence[1:], start=evidence[0])
        return self.fusion(total[..., spare : total.shape[-2] - spare, :])

    @torch.no_grad()
    def encode(
        self, streams: Mapping[str, Observed], *, chunk: int = 20_000
    ) -> Float[Tensor, "time latent"]:
        """Latents of a whole contiguous stretch; beyond its ends nothing is seen."""
        pad, n_bins = self.context, next(iter(streams.values())).values.shape[0]
        padded = {
            name: seen.each(lambda part: functional.pad(part, (0, 0, pad, pad)))
            for name, seen in streams.items()
        }
        pieces = []
        for start in range(0, n_bins, chunk):
            stop = min(start + chunk, n_bins) + 2 * pad
            window = {
                name: s.each(lambda part, bins=slice(start, stop): part[None, bins])
                for name, s in padded.items()
            }
            pieces.append(self.encode_window(window)[0])
        return torch.cat(pieces)

    def decode(self, z: Float[Tensor, "*batch time latent"]) -> dict[str, Distribution]:
        """The distribution of every stream along a latent path."""
        return {name: self.decoder(name)(z) for name in self.names}

    def log_likelihood(
        self, name: str, z: Float[Tensor, "*batch time latent"], seen: Observed
    ) -> tuple[Float[Tensor, "*batch time channel"], Bool[Tensor, "*batch time channel"]]:
        """Log-likelihood of each entry of a stream along a latent path, and which of it counts."""
        decoder = self.decoder(name)
        return decoder.given(z, seen).log_prob(seen.values), scorable(decoder, seen.mask)

    @torch.no_grad()
    def initialize(self, streams: Mapping[str, Observed], *, n_bins: int = 5000) -> None:
        """Set offsets and scales from the training data, and the latent's scale to one."""
        for name, expert, seen in self._present(streams):
            expert.initialize(*self._features(name, seen))
            self.decoder(name).initialize(seen)
        seen = torch.stack([s.mask.any(-1) for s in streams.values()]).any(0)
        first = int(seen.int().argmax())  # before it nothing is seen, and nothing varies
        head = {n: s.bins(slice(first, first + n_bins)) for n, s in streams.items()}
        self.fusion.normalize(self.encode(head))

    @torch.no_grad()
    def calibrate(self, streams: Mapping[str, Observed]) -> None:
        """Let every decoder set what follows from its trained parameters and the training data."""
        for name, seen in streams.items():
            self.decoder(name).calibrate(seen)

    def _features(self, name: str, seen: Observed) -> tuple[Tensor, Tensor]:
        return self.modalities[name].features(seen, self.channels[name], bin_width=self.bin_width)

    def _present(
        self, streams: Mapping[str, Observed]
    ) -> Iterator[tuple[str, StreamEncoder, Observed]]:
        for name, expert in zip(self.names, self.experts, strict=True):
            if name in streams:
                yield name, expert, streams[name]
