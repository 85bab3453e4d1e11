"""Gaussian decoders in plain steps, of which tests override one each."""

from __future__ import annotations

import torch
from torch import nn
from torch.distributions import Normal

from neurodsr.modalities.decoders import Decoder, masked_mean, masked_sd


class Linear(Decoder):
    """Mean center + scale * drive(z), and noise in the unit of the data."""

    def __init__(self, n_channels, latent_dim):
        super().__init__()
        self.weights = nn.Linear(latent_dim, n_channels)
        self.log_noise = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("center", torch.zeros(n_channels))
        self.register_buffer("scale", torch.ones(n_channels))

    def drive(self, z):
        return self.weights(z)

    def normal(self, drive):
        mean = self.center + self.scale * drive
        noise = self.scale * self.log_noise.exp()
        return Normal(mean, noise.expand_as(mean), validate_args=False)

    def forward(self, z):
        return self.normal(self.drive(z))

    @torch.no_grad()
    def initialize(self, seen):
        self.center.copy_(masked_mean(seen.values, seen.mask))
        self.scale.copy_(masked_sd(seen.values, seen.mask))
        self.weights.bias.zero_()

    def predict(self, p):
        return p.mean


class Autoregressive(Linear):
    """Right: each bin is pulled toward the last, and simulated after it."""

    def pull(self, bins):
        """How strongly, by the number of the bin."""
        return 0.6

    def after(self, drive, last, bins):
        return drive + self.pull(bins) * torch.tanh((last - self.center) / self.scale)

    def given(self, z, seen):
        known = torch.where(seen.mask, seen.values, self.center)
        past = torch.cat([self.center.expand_as(known[..., :1, :]), known[..., :-1, :]], -2)
        bins = torch.arange(z.shape[-2]).unsqueeze(-1)
        return self.normal(self.after(self.drive(z), past, bins))

    def simulate(self, z):
        drive = self.drive(z)
        bins, last = [], self.center
        for t in range(z.shape[-2]):
            last = self.normal(self.after(drive[..., t, :], last, torch.tensor(t))).sample()
            bins.append(last)
        return torch.stack(bins, -2)
