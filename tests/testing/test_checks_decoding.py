"""Decoders that are wrong in one point each fail exactly the check of that point."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal

from neurodsr.modalities.decoders import masked_mean
from neurodsr.testing.checks import run_checks

sys.path.insert(0, str(Path(__file__).parent))
from kit_good import Good, decoded_by
from kit_linear import Autoregressive, Linear

# ---- what is given


class OneForAllChannels(Linear):
    def forward(self, z):
        return Independent(super().forward(z), 1)

    def predict(self, p):
        return p.base_dist.mean


class Halved(Linear):
    def predict(self, p):
        return p.mean.float()


class WithLooseTensor(Linear):
    def __init__(self, n_channels, latent_dim):
        super().__init__(n_channels, latent_dim)
        self.gains = [torch.ones(n_channels)]

    def drive(self, z):
        return self.weights(z) * self.gains[0]


class Overflowing(Linear):
    def drive(self, z):
        return self.weights(z) / (z.abs() < 9).all(-1, keepdim=True).to(z.dtype)


class NoZero(Normal):
    def log_prob(self, value):
        return torch.where(value == 0, -torch.inf, super().log_prob(value))


class WithoutZero(Linear):
    def forward(self, z):
        p = super().forward(z)
        return NoZero(p.loc, p.scale, validate_args=False)


class Squeezing(Linear):
    def drive(self, z):
        return self.weights(z).squeeze(-2) if z.shape[-2] == 1 else self.weights(z)


class Dividing(Linear):
    @torch.no_grad()
    def initialize(self, seen):
        super().initialize(seen)
        self.center.copy_((seen.values * seen.mask).sum(0) / seen.mask.sum(0))


# ---- what is learned


class WithUnusedParameter(Linear):
    def __init__(self, n_channels, latent_dim):
        super().__init__(n_channels, latent_dim)
        self.unused = nn.Parameter(torch.zeros(n_channels))


class WithDetachedNoise(Linear):
    def normal(self, drive):
        mean = self.center + self.scale * drive
        noise = self.scale * self.log_noise.exp() ** 0
        return Normal(mean, noise.expand_as(mean), validate_args=False)


class WithInfiniteGradient(Linear):
    def drive(self, z):
        nothing = torch.where(z.sum(-1) > -1e9, 0.0, (z[..., 0] * 0).sqrt())
        return self.weights(z) + nothing.unsqueeze(-1)


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


class WithWrongBackward(Linear):
    def drive(self, z):
        return Doubled.apply(self.weights(z))


class Uncentered(Linear):
    @torch.no_grad()
    def initialize(self, seen):
        super().initialize(seen)
        self.center.zero_()


class ScaledByMasked(Linear):
    @torch.no_grad()
    def initialize(self, seen):
        super().initialize(seen)
        self.scale.copy_(seen.values.std(0).clamp_min(1e-3))


class WithPlainNumber(Linear):
    shift = 0.0

    @torch.no_grad()
    def initialize(self, seen):
        super().initialize(seen)
        self.shift = masked_mean(seen.values, seen.mask).mean().item()
        self.center -= self.shift

    def normal(self, drive):
        p = super().normal(drive)
        return Normal(p.loc + self.shift, p.scale, validate_args=False)


class WithLateBuffer(Linear):
    def initialize(self, seen):
        super().initialize(seen)
        if seen.mask.any():
            self.register_buffer("largest", torch.ones(seen.values.shape[-1]))


# ---- likelihoods and samples


class Unnormalized(Normal):
    def log_prob(self, value):
        return super().log_prob(value) + 0.5


class Overconfident(Linear):
    def forward(self, z):
        p = super().forward(z)
        return Unnormalized(p.loc, p.scale, validate_args=False)


class Wide(Normal):
    def sample(self, sample_shape=()):
        return self.loc + 2 * (super().sample(sample_shape) - self.loc)


class Overdispersed(Linear):
    def forward(self, z):
        p = super().forward(z)
        return Wide(p.loc, p.scale, validate_args=False)


class ByNumpy(Linear):
    def simulate(self, z):
        p = self(z)
        noise = np.random.default_rng().normal(size=p.batch_shape)
        return p.mean + p.stddev * torch.from_numpy(noise)


class OfInfinity(Linear):
    def simulate(self, z):
        return super().simulate(z) / 0


class Quiet(Linear):
    def simulate(self, z):
        p = self(z)
        return p.mean + (p.sample() - p.mean) / 2


class Forgetful(Autoregressive):
    def simulate(self, z):
        return self(z).sample()


# ---- what is predicted


class InStandardUnits(Linear):
    def predict(self, p):
        return (p.mean - self.center) / self.scale


BROKEN_DECODERS = [
    (OneForAllChannels, "forward_gives_one_distribution_an_entry", "event shape (4,)"),
    (Halved, "decoder_keeps_the_number_format", "torch.float64 and torch.float32"),
    (WithLooseTensor, "decoder_moves_to_another_device", "register_buffer('gains', ...)"),
    (Overflowing, "log_probabilities_are_finite", "where all latents are 10"),
    (WithoutZero, "log_probabilities_are_finite", "that are not"),
    (Squeezing, "one_channel_and_one_bin_work", "(1,)"),
    (Dividing, "a_channel_never_seen_stays_finite", "not finite: center"),
    (WithUnusedParameter, "gradients_reach_every_parameter", "the loss to depend on unused"),
    (WithDetachedNoise, "gradients_reach_every_parameter", "a gradient of 0 everywhere"),
    (WithInfiniteGradient, "gradients_reach_every_parameter", "500 of 1500 that are not"),
    (WithWrongBackward, "gradients_are_right", "by the gradient"),
    (Uncentered, "zero_is_the_best_constant", "nats a value in channel"),
    (ScaledByMasked, "masked_values_do_not_initialize", "expected scale not to depend"),
    (WithPlainNumber, "parameters_can_be_saved", "never in plain attributes"),
    (WithLateBuffer, "parameters_can_be_saved", "largest (4,) in one of two only"),
    (Overconfident, "likelihood_is_normalized", "found 1.649"),
    (Overdispersed, "samples_follow_the_likelihood", "chi-square p = "),
    (ByNumpy, "simulate_is_repeatable", "for the same torch.manual_seed"),
    (OfInfinity, "simulate_is_repeatable", "512 not finite"),
    (Quiet, "simulate_follows_given", "bin after bin, to follow"),
    (Forgetful, "simulate_follows_given", "nats less (standard error"),
    (InStandardUnits, "predictions_have_the_streams_unit", "the values it took"),
]


BROKEN = [(decoded_by(decoder), name, said) for decoder, name, said in BROKEN_DECODERS]


@pytest.mark.parametrize("modality", [Good, decoded_by(Linear), decoded_by(Autoregressive)])
def test_what_the_broken_ones_are_made_of_passes(modality):
    assert not [result for result in run_checks(modality) if not (result.passed or result.skipped)]
