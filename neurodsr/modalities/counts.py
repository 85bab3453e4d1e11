r"""Spike counts: a rate from the latents, the bin's exposure and the unit's own past."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution

from neurodsr.modalities.count_laws import CountLaw, PoissonLaw
from neurodsr.modalities.decoders import Decoder, masked_mean, scorable
from neurodsr.modalities.exposure import mean_rate, scaled
from neurodsr.modalities.history import SpikeHistory
from neurodsr.modalities.links import EXPONENTIAL, Link
from neurodsr.modalities.observed import Observed


class CountDecoder(Decoder):
    r"""Counts of every unit in every bin, independent given the latents and its own past.

    Their rate is $e_{tc}\, f(w_c^\top z_t + b_c + \sum_{l=1}^{L} k_c(l)(x_{t-l,c} - \bar x_c))$,
    with a link f (exponential or softplus) and the exposure $e_{tc}$. That of a whole bin is
    capped at twice the largest count of the training data: neither a free run that strays from
    the data nor a unit that excites itself produces infinite rates. A floor of $e^{-30}$ keeps
    every count possible.

    Parameters
    ----------
    n_channels
        Number of units.
    latent_dim
        Dimension of the latent state.
    law
        How counts scatter around the rate.
    link
        From drive to rate.
    n_lags
        Length L of the spike-history filter, bins; 0 for none.
    """

    def __init__(
        self,
        n_channels: int,
        latent_dim: int,
        *,
        law: type[CountLaw] = PoissonLaw,
        link: Link = EXPONENTIAL,
        n_lags: int = 0,
    ) -> None:
        super().__init__()
        self.link = link
        self.drive = nn.Linear(latent_dim, n_channels)
        self.law = law(n_channels)
        self.history = SpikeHistory(n_channels, n_lags) if n_lags else None
        self.register_buffer("ceiling", torch.full((n_channels,), 4.0))

    @property
    def lag(self) -> int:
        """Bins that the spike history looks back."""
        return 0 if self.history is None else self.history.n_lags

    @property
    def memoryless(self) -> bool:
        """Where a unit's past does not act on its rate."""
        return self.history is None

    def forward(self, z: Float[Tensor, "*batch time latent"]) -> Distribution:
        """Independent counts of every channel in every whole bin, after its usual past."""
        drive = self.drive(z)
        if self.history is not None:
            drive = drive + self.history.usual
        return self.law(self.link.rate(drive, self.ceiling))

    def given(self, z: Float[Tensor, "*batch time latent"], seen: Observed) -> Distribution:
        """Counts after the spikes that were seen before, in the time that was watched."""
        drive = self.drive(z)
        if self.history is not None:
            drive = drive + self.history(seen)
        return self.law(scaled(self.link.rate(drive, self.ceiling), seen))

    @torch.no_grad()
    def simulate(
        self, z: Float[Tensor, "*batch time latent"]
    ) -> Float[Tensor, "*batch time channel"]:
        """Counts along a latent path; with a history bin after bin, from its usual past on."""
        if self.history is None:
            return self(z).sample()
        drive, mean = self.drive(z), self.history.mean
        oldest_first = self.history.filter.flip(-1).T
        counts = torch.zeros_like(drive)
        past = drive.new_zeros((*drive.shape[:-2], *oldest_first.shape))
        for t in range(drive.shape[-2]):
            now = drive[..., t, :] + (oldest_first * past).sum(-2)
            counts[..., t, :] = self.law(self.link.rate(now, self.ceiling)).sample()
            newest = counts[..., t : t + 1, :] - mean
            past = torch.cat([past[..., 1:, :], newest], dim=-2)
        return counts

    @torch.no_grad()
    def initialize(self, seen: Observed) -> None:
        """Offsets become the drive of the best constant rates; no effect of the past as yet."""
        rate = self.law.fit(seen)
        self.drive.bias.copy_(self.link.drive(rate))
        self.ceiling.copy_(self.law.largest_rate(seen, rate).log())
        if self.history is not None:
            self.history.weight.zero_()
            self.history.mean.copy_(mean_rate(seen)[0])

    @torch.no_grad()
    def calibrate(self, seen: Observed) -> None:
        """Find the drive that stands for an unknown past: it gives the mean rate of the known ones.

        Latents are taken at 0; for the exponential link they do not matter.
        """
        if self.history is None:
            return
        drive, rest = self.history(seen), self.drive.bias
        rate = masked_mean(self.link.rate(rest + drive, self.ceiling), scorable(self, seen.mask))
        known = scorable(self, seen.mask).any(0)
        self.history.usual.copy_(torch.where(known, self.link.drive(rate) - rest, 0.0))

    def predict(self, p: Distribution) -> Float[Tensor, "*batch time channel"]:
        """Expected counts per bin; for `bernoulli` the probability of a spike."""
        return p.mean
