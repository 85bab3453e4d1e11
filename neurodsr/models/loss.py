"""Losses of both training stages, each a mean over what was observed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.modalities.observed import Observed
from neurodsr.models.observation import ObservationModel


def reconstruction_loss(
    model: ObservationModel,
    z: Float[Tensor, "*batch time latent"],
    streams: Mapping[str, Observed],
    hidden: Mapping[str, Bool[Tensor, "*batch time _"]],
) -> Float[Tensor, ""]:
    r"""Weighted sum over streams of the mean negative log-likelihood per hidden scalar, nats.

    A mean, so that forty units and one label weigh alike before their weights; 0 for a stream of
    which nothing is observed there.
    """
    terms = []
    for name, seen in streams.items():
        likelihood, counts = model.log_likelihood(name, z, seen)
        scored = counts & hidden[name]
        loss = -(likelihood * scored).sum() / scored.sum().clamp_min(1)
        terms.append(model.modalities[name].weight * loss)
    return torch.stack(terms).sum()


def smoothness_penalty(z: Float[Tensor, "batch time latent"]) -> Float[Tensor, ""]:
    r"""Mean squared second difference per total variance, $\overline{|\ddot z|^2}/\sigma_z^2$."""
    second = z[:, 2:] - 2 * z[:, 1:-1] + z[:, :-2]
    return second.pow(2).sum(-1).mean() / total_variance(z)


def gauge_penalty(z: Float[Tensor, "batch time latent"]) -> Float[Tensor, ""]:
    r"""Squared log of the mean variance per latent: fixes the scale that no data fix."""
    return (total_variance(z) / z.shape[-1]).log() ** 2


def total_variance(z: Float[Tensor, "batch time latent"]) -> Float[Tensor, ""]:
    """Variance summed over latents; never exactly zero."""
    return z.flatten(0, 1).var(0).sum() + 1e-6


def consistency(
    z: Float[Tensor, "*member batch time latent"],
    teacher: Float[Tensor, "*member batch time latent"],
    variance: Float[Tensor, ""],
) -> Float[Tensor, "*member"]:
    """Squared distance of the forced states from their teacher, per total variance."""
    return (z - teacher).pow(2).sum(-1).mean((-2, -1)) / variance


def weight_penalty(pwl: PiecewiseLinearMap) -> Float[Tensor, "*member"]:
    """Squared weights of the nonlinear part."""
    return pwl.W1.pow(2).sum((-2, -1)) + pwl.W2.pow(2).sum((-2, -1))
