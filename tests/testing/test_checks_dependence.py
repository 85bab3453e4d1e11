"""Decoders that depend on what they must not each fail exactly the check of that point."""

import sys
from pathlib import Path

import pytest
import torch

from neurodsr.modalities.correlated_noise import CorrelatedNoise, last_observed
from neurodsr.modalities.counts import CountDecoder
from neurodsr.modalities.spikes import Spikes
from neurodsr.testing.checks import run_checks

sys.path.insert(0, str(Path(__file__).parent))
from kit_good import decoded_by
from kit_linear import Autoregressive, Linear


class AcrossBatch(Linear):
    def drive(self, z):
        return self.weights(z - z.mean(0) if z.dim() > 2 else z)


class Foreseeing(Linear):
    def drive(self, z):
        return self.weights((z + torch.cat([z[..., 1:, :], z[..., -1:, :]], -2)) / 2)


def own(seen):
    """The stream's own values, bounded, 0 where unknown."""
    return torch.tanh(seen.values) * seen.mask


class Peeking(Linear):
    def given(self, z, seen):
        return self.normal(self.drive(z) + 0.1 * own(seen))


class Slow(Linear):
    def drive(self, z):
        return self.weights((z + torch.cat([z[..., :1, :], z[..., :-1, :]], -2)) / 2)


class OfFractionalLag(Linear):
    lag = 0.5


class Clocked(Linear):
    def drive(self, z):
        return self.weights(z) + 0.1 * torch.arange(z.shape[-2]).to(z).sin()[:, None]


class Unmasked(Linear):
    """So little of the own past that nothing else shows it."""

    def given(self, z, seen):
        past = torch.cat([0 * seen.values[..., :1, :], seen.values[..., :-1, :]], -2)
        return self.normal(self.drive(z) + 1e-3 * past.tanh())


class Remembering(Linear):
    """Right: its own last five values, bounded, pull each bin up."""

    n_lags = 5
    lag = 5

    def pulled(self, drive, known):
        """The drive plus 0.1 for each scale unit of the values before, of any number of bins."""
        past = torch.tanh((known - self.center) / self.scale)
        sums = past.cumsum(-2)
        before = torch.cat([torch.zeros_like(sums[..., :1, :]), sums], -2)
        first = (torch.arange(drive.shape[-2]) - self.n_lags).clamp_min(0)
        return drive + 0.1 * (before[..., : drive.shape[-2], :] - before[..., first, :])

    def given(self, z, seen):
        known = torch.where(seen.mask, seen.values, self.center)
        return self.normal(self.pulled(self.drive(z), known))

    def simulate(self, z):
        drive = self.drive(z)
        x = self.center.expand_as(drive).clone()
        for t in range(z.shape[-2]):
            x[..., t, :] = self.normal(self.pulled(drive, x)).sample()[..., t, :]
        return x


class WithUntoldHistory(Remembering):
    lag = 0


class WithLongerHistory(Remembering):
    lag = 4


class Fading(Linear):
    """Right with a lag of 0: its noise is that of the last observed value, less what faded."""

    def __init__(self, n_channels, latent_dim):
        super().__init__(n_channels, latent_dim)
        self.memory = CorrelatedNoise(n_channels, bin_width=0.1)

    def given(self, z, seen):
        return self.memory.given(self(z), seen)

    def simulate(self, z):
        p = self(z)
        return p.loc + p.scale * self.memory.draw(p.loc)


class FadingTwice(Autoregressive):
    """The value before the last observed one matters, too, if little."""

    def given(self, z, seen):
        last, _ = last_observed(seen.mask)
        known = torch.where(seen.mask, seen.values, self.center)
        past = known.gather(-2, last.gather(-2, last))
        p = super().given(z, seen)
        return self.normal((p.loc - self.center) / self.scale + 1e-3 * (past - self.center).tanh())


class WithClockedPast(Autoregressive):
    """The past pulls up or down by the number of the bin within the window."""

    def pull(self, bins):
        return torch.where(bins % 5 == 0, 0.6, -0.6)


class Unwatchful(CountDecoder):
    """Counts that are expected to be those of a whole bin, however long it was watched."""

    def given(self, z, seen):
        return super().given(z, seen._replace(exposure=None))


class Unexposed(Spikes):
    """Spike counts."""

    def build_decoder(self, channels, latent_dim, *, bin_width):
        """Rates of whole bins."""
        return Unwatchful(len(channels), latent_dim)


BROKEN_DECODERS = [
    (AcrossBatch, "batch_members_do_not_mix", "three windows in a batch"),
    (Foreseeing, "later_latents_change_nothing", "4 of 96 (first: bin 23"),
    (Peeking, "own_future_changes_nothing", "own values from bin 24 on"),
    (Slow, "lag_is_honest", "(first: bin 24, channel 0)"),
    (OfFractionalLag, "lag_is_honest", "found 0.5"),
    (Clocked, "windows_agree_with_the_whole", "of the path it was cut from"),
    (Unmasked, "masked_values_change_no_likelihood", "whose likelihood changed"),
    (WithUntoldHistory, "lag_is_honest", "own values before bin 24 not to matter"),
    (WithLongerHistory, "lag_is_honest", "(first: bin 28, channel 0)"),
    (FadingTwice, "lag_is_honest", "own values before bin 24 not to matter"),
    (WithClockedPast, "windows_agree_with_the_whole", "of the path it was cut from"),
]
BROKEN = [(decoded_by(decoder), name, said) for decoder, name, said in BROKEN_DECODERS]
BROKEN += [(Unexposed, "less_exposure_predicts_less", "exposure 1/2")]


@pytest.mark.parametrize("decoder", [Autoregressive, Remembering, Fading])
def test_a_past_that_is_told_or_that_fades_passes(decoder):
    results = {result.name: result for result in run_checks(decoded_by(decoder))}
    assert [name for name, result in results.items() if result.failed] == []
    assert results["windows_agree_with_the_whole"].passed
