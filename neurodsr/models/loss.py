"""Losses of both training stages, each a mean over what was observed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.modalities.decoders import Decoder
from neurodsr.modalities.observed import Observed, as_numbers
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
        path, seen, scored = _what_matters(model.decoder(name), z, seen, hidden[name])
        likelihood, counts = model.log_likelihood(name, path, seen)
        weight = as_numbers(counts, likelihood.dtype) * as_numbers(scored, likelihood.dtype)
        loss = -(likelihood * weight).sum() / weight.sum().clamp_min(1)
        terms.append(model.modalities[name].weight * loss)
    return torch.stack(terms).sum()


def _what_matters(
    decoder: Decoder, z: Tensor, seen: Observed, hidden: Tensor
) -> tuple[Tensor, Observed, Tensor]:
    """Path, stream and hidden bins without those that a decoder without a memory can do without."""
    if not decoder.memoryless:
        return z, seen, hidden
    bins = hidden.any(-1).nonzero(as_tuple=True)
    return z[bins], seen.each(lambda part: part[bins]), hidden[bins]


def smoothness_penalty(z: Float[Tensor, "batch time latent"]) -> Float[Tensor, ""]:
    r"""Mean squared second difference per total variance, $\overline{|\ddot z|^2}/\sigma_z^2$."""
    second = z[:, 2:] - 2 * z[:, 1:-1] + z[:, :-2]
    return second.pow(2).sum(-1).mean() / total_variance(z)


def gauge_penalty(z: Float[Tensor, "batch time latent"]) -> Float[Tensor, ""]:
    r"""Squared log of the mean variance per latent: fixes the scale that no data fix."""
    return (total_variance(z) / z.shape[-1]).log() ** 2


def total_variance(z: Float[Tensor, "batch time latent"]) -> Float[Tensor, ""]:
    """Variance summed over latents; never exactly zero."""
    states = z.flatten(0, 1)
    # The same as var(0).sum(), in a fifth of the time.
    return (states - states.mean(0)).square().sum() / (len(states) - 1) + 1e-6


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
