"""The contract of an observation model: a latent path in, a distribution over what is seen out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import pad

from neurodsr.modalities.observed import Observed

MIN_LOG_NOISE = -7.0
"""Smallest log of a signal's noise in units of its spread: no signal is known exactly."""


class Decoder(nn.Module, ABC):
    r"""Observation model $p(x_t \mid z)$ of one stream.

    It sees a whole window of latents, so that slow sensors may convolve over time inside it.
    Training minimizes the mean of `-given(z, seen).log_prob(x)` over what was observed.
    """

    @property
    def lag(self) -> int:
        """Bins of the past that a bin depends on; so many at a window's start are not scored.

        That is the past of the latents and, in `given`, the stream's own. Own values from before
        may matter only through the last one that was observed, as noise that fades has it.
        """
        return 0

    @property
    def memoryless(self) -> bool:
        """Whether each bin, in `given` too, follows from its own latents and exposure alone.

        Bins that are not scored are then not computed. An optional hook: the default says so only
        of a decoder without a lag that has no `given` of its own.
        """
        return self.lag == 0 and type(self).given is Decoder.given

    @abstractmethod
    def forward(self, z: Float[Tensor, "*batch time latent"]) -> Distribution:
        """The distribution of every channel in every bin, batch shape (*batch, time, channel).

        Nothing is known of the stream itself, and every bin was watched whole.
        """

    def given(self, z: Float[Tensor, "*batch time latent"], seen: Observed) -> Distribution:
        """The same where more is known: the stream's own earlier bins, and the exposure of each.

        Bin t may use values of bins before t only. The default knows no more than the latents.
        """
        return self(z)

    def simulate(
        self, z: Float[Tensor, "*batch time latent"]
    ) -> Float[Tensor, "*batch time channel"]:
        """What the instrument might record along a latent path, from torch's global generator.

        The default draws every bin for itself.
        """
        return self(z).sample().to(z.dtype)

    @abstractmethod
    def initialize(self, seen: Observed) -> None:
        """Set offsets and scales so that z = 0 gives the best constant prediction of the data."""

    def calibrate(self, seen: Observed) -> None:
        """Set what follows from trained parameters and the training data; called after training.

        A prediction that does not know the stream's own past is wrong on average where the past
        acts in a nonlinear way; this is the place to correct it. The default has nothing to set.
        """

    @abstractmethod
    def predict(self, p: Distribution) -> Float[Tensor, "*batch time channel"]:
        """The point prediction in the stream's own unit: a mean, or the likeliest code."""


def scorable(
    decoder: Decoder, mask: Bool[Tensor, "*batch time channel"]
) -> Bool[Tensor, "*batch time channel"]:
    """The observed entries whose past lies in the window as far back as the decoder looks."""
    if decoder.lag == 0:
        return mask
    late = mask[..., math.ceil(decoder.lag) :, :]  # a plug-in's may be no whole number
    return pad(late, (0, 0, mask.shape[-2] - late.shape[-2], 0))


def masked_mean(
    x: Float[Tensor, "time channel"], mask: Bool[Tensor, "time channel"]
) -> Float[Tensor, " channel"]:
    """Mean over the observed bins of each channel; 0 for a channel never observed."""
    # In double precision, or the mean of one value again and again would not be that value.
    return ((x.double() * mask).sum(0) / mask.sum(0).clamp_min(1)).to(x.dtype)


def masked_sd(
    x: Float[Tensor, "time channel"], mask: Bool[Tensor, "time channel"]
) -> Float[Tensor, " channel"]:
    """Standard deviation over the observed bins; 1 for a channel that does not vary."""
    mean = masked_mean(x.double(), mask)
    sd = masked_mean((x - mean) ** 2, mask).sqrt()
    # What is left of a constant channel is rounding.
    varies = sd > 4 * torch.finfo(x.dtype).eps * mean.abs()
    return torch.where(varies, sd, 1.0).to(x.dtype)
