"""Losses of both training stages, each a mean over what was observed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.distributions import Distribution

from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.models.observation import ObservationModel, Observed


def negative_log_likelihood(
    p: Distribution,
    x: Float[Tensor, "*batch time channel"],
    mask: Bool[Tensor, "*batch time channel"],
) -> Float[Tensor, ""]:
    """Mean negative log-likelihood per observed scalar, nats; 0 where nothing is observed.

    A mean, so that forty units and one label weigh alike before their weights.
    """
    return -(p.log_prob(x) * mask).sum() / mask.sum().clamp_min(1)


def reconstruction_loss(
    model: ObservationModel,
    z: Float[Tensor, "*batch time latent"],
    streams: Mapping[str, Observed],
    scored: Mapping[str, Bool[Tensor, "*batch time channel"]],
) -> Float[Tensor, ""]:
    """Weighted sum over streams of the negative log-likelihood of the scored entries."""
    terms = [
        model.modalities[name].weight
        * negative_log_likelihood(model.decoder(name)(z), seen.values, scored[name])
        for name, seen in streams.items()
    ]
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
