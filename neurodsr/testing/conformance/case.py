"""One modality under test: its example loaded once, and decoders and latents made from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Stream
from neurodsr.data.time import TimeGrid
from neurodsr.modalities.base import Modality
from neurodsr.modalities.decoders import Decoder
from neurodsr.modalities.observed import Observed
from neurodsr.models.observation import as_observed
from neurodsr.sources.base import Source
from neurodsr.testing.conformance.examples import Example, example_for

LATENT_DIM = 3
WINDOW = 48
"""Bins that most checks look at."""
MOVED = 0.3
"""Standard deviation of the steps of parameters, which are of the order of one."""


@dataclass(frozen=True)
class Case:
    """What checks are given. Whatever is computed is computed once, and the same for all checks.

    Parameters
    ----------
    modality
        The configured modality.
    given
        What it is to load; None: the first made-up recording that it does not refuse.
    """

    modality: Modality
    given: Example | None = None

    @cached_property
    def example(self) -> Example:
        """The recording that the modality loads."""
        return example_for(self.modality) if self.given is None else self.given

    @property
    def source(self) -> Source:
        """The recording."""
        return self.example.source

    @property
    def grid(self) -> TimeGrid:
        """The grid that the stream is put on."""
        return self.example.grid

    @cached_property
    def stream(self) -> Stream:
        """The stream as the modality loads it."""
        return self.modality.load(self.source, self.grid)

    @cached_property
    def seen(self) -> Observed:
        """The stream as tensors, as training gets them."""
        return as_observed(self.stream)

    @property
    def channels(self) -> Channels:
        """The stream's channels."""
        return self.stream.channels

    @property
    def bin_width(self) -> float:
        """Width of a bin, s."""
        return self.grid.bin_width

    def window(self, n_bins: int = WINDOW, *, number: int = 0) -> Observed:
        """Some bins of the stream, the values as float64; others for another number."""
        spare = max(0, self.seen.values.shape[0] - n_bins)
        first = (spare // 2 + number * n_bins) % (spare + 1)
        return as_double(self.seen.bins(slice(first, first + n_bins)))

    def decoder(
        self,
        seen: Observed | None = None,
        *,
        channels: Channels | None = None,
        latent_dim: int = LATENT_DIM,
        dtype: torch.dtype = torch.float64,
    ) -> Decoder:
        """A decoder with fixed random weights, initialized by the stream or by what is given."""
        channels = self.channels if channels is None else channels
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            decoder = self.modality.build_decoder(channels, latent_dim, bin_width=self.bin_width)
        decoder.initialize(self.seen if seen is None else seen)
        return decoder.to(dtype)

    @torch.no_grad()
    def moved_decoder(self, *, dtype: torch.dtype = torch.float64) -> Decoder:
        """A decoder as after some training: no parameter is where it was initialized.

        A filter that starts at 0 would otherwise hide that it looks at what it must not see.
        """
        decoder = self.decoder(dtype=dtype)
        generator = torch.Generator().manual_seed(6)
        for parameter in decoder.parameters():
            step = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter += MOVED * step.to(parameter)
        return decoder

    def latents(
        self, *shape: int, latent_dim: int = LATENT_DIM, seed: int = 1
    ) -> Float[Tensor, "*batch time latent"]:
        """Standard normal latents of shape (*batch, time), the same for the same seed."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(*shape, latent_dim, generator=generator, dtype=torch.float64)

    def other_values(self, n_bins: int) -> Float[Tensor, "time channel"]:
        """Values that each channel has somewhere in the stream, in random order."""
        generator = torch.Generator().manual_seed(2)
        columns = []
        for values, mask in zip(self.seen.values.T, self.seen.mask.T, strict=True):
            own = values[mask] if mask.any() else torch.zeros(1)
            columns.append(own[torch.randint(len(own), (n_bins,), generator=generator)])
        return torch.stack(columns, dim=1).double()

    def filled(self, seen: Observed) -> Float[Tensor, "time channel"]:
        """The observed values, and others of the same channel where none was observed."""
        return torch.where(seen.mask, seen.values, self.other_values(len(seen.values)))


def as_double(seen: Observed) -> Observed:
    """The same with numbers in float64."""
    exposure = None if seen.exposure is None else seen.exposure.double()
    return Observed(seen.values.double(), seen.mask, exposure)


def differ(a: Tensor, b: Tensor) -> Tensor:
    """Where numbers differ by more than the rounding of another order of sums, 1e-6."""
    return ~torch.isclose(a, b.to(a.dtype), rtol=1e-6, atol=1e-6, equal_nan=True)


def place(wrong: Tensor, *, first: int = 0) -> str:
    """How many entries of [..., time, channel] are wrong, and where the first of them is.

    `first` is the number of the first bin looked at.
    """
    if not wrong.any():
        return "none"
    *_, time, channel = wrong.nonzero()[0].tolist()
    return f"{int(wrong.sum())} of {wrong.numel()} (first: bin {first + time}, channel {channel})"
