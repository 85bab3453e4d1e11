"""First stage: encoder and decoders, by predicting what was hidden from the encoder.

Bins of each stream, and now and then whole streams of a window, are hidden; the likelihood is
scored on the hidden entries alone. A plain autoencoder copies its noise (held-out state R2 0.75
where this reaches 0.97); hiding makes the latent carry what the streams share and what lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from neurodsr.models.hiding import N_FOLDS, encode_without, hidden_bins
from neurodsr.models.loss import gauge_penalty, reconstruction_loss, smoothness_penalty
from neurodsr.models.observation import ObservationModel, Observed
from neurodsr.run_config import RunConfig
from neurodsr.seeds import derive_seed, generator
from neurodsr.training.loop import Task, clip_together
from neurodsr.training.windows import Tensors, WindowSampler

GAUGE_WEIGHT = 0.01
MAX_GRADIENT = 5.0


def observation_task(
    model: ObservationModel,
    data: Tensors,
    validation: Tensors,
    config: RunConfig,
    *,
    name: str,
    seed: int,
) -> Task:
    """Set up the training of encoder and decoders on the training stretches.

    Where the held-out loss rises in the end, the parameters that predicted hidden validation
    bins best are kept: on a short recording, neurons that seldom fire are soon overfitted.
    """
    settings = config.encoder
    model.initialize(data.pooled())
    sampler = WindowSampler(
        _flat(data),
        length=settings.window,
        context=model.context,
        batch_size=settings.batch_size,
        seed=seed,
    )

    return Task(
        name,
        model,
        _hidden_bins_loss(model, sampler, config, seed),
        clip_together(MAX_GRADIENT),
        settings.n_steps,
        settings.learning_rate,
        score=lambda: held_out_loss(model, validation),
    )


def _hidden_bins_loss(
    model: ObservationModel, sampler: WindowSampler, config: RunConfig, seed: int
) -> Callable[[int], Tensor]:
    def loss(k: int) -> Tensor:
        batch = _unflat(sampler.batch(k), model.names)
        hidden = _hide(batch, config, generator(seed, "hide", k))
        seen = {n: Observed(s.values, s.mask & ~hidden[n]) for n, s in batch.items()}
        z = model.encode_window(seen)
        inner = slice(model.context, -model.context or None)
        shown = {n: Observed(s.values[:, inner], s.mask[:, inner]) for n, s in batch.items()}
        scored = {n: s.mask & hidden[n][:, inner] for n, s in shown.items()}
        return (
            reconstruction_loss(model, z, shown, scored)
            + config.encoder.smoothness * smoothness_penalty(z)
            + GAUGE_WEIGHT * gauge_penalty(z)
        )

    return loss


@torch.no_grad()
def held_out_loss(model: ObservationModel, data: Tensors) -> float:
    """Negative log-likelihood of held-out bins, each predicted without itself.

    Every bin of every stream is hidden exactly once, in one of four passes. Per stream the mean
    over all observed scalars, nats; then the weighted sum over streams.
    """
    total, number = dict.fromkeys(model.names, 0.0), dict.fromkeys(model.names, 0)
    for i, streams in enumerate(data.stretches):
        for fold in range(N_FOLDS):
            hidden = hidden_bins(streams, fold, seed=i)
            z = encode_without(model, streams, hidden)
            for name, seen in streams.items():
                scored = seen.mask & hidden[name]
                likelihood = model.decoder(name)(z).log_prob(seen.values) * scored
                total[name] -= likelihood.sum(dtype=torch.float64).item()
                number[name] += int(scored.sum())
    return sum(model.modalities[n].weight * total[n] / max(1, number[n]) for n in model.names)


def _hide(
    batch: Mapping[str, Observed], config: RunConfig, g: torch.Generator
) -> dict[str, Tensor]:
    """Random bins of each stream and, where there are several streams, whole ones of a window."""
    hidden = {}
    for name, seen in batch.items():
        n_windows, n_bins = seen.values.shape[:2]
        bins = torch.rand(n_windows, n_bins, 1, generator=g) < config.encoder.drop_bins
        if len(batch) > 1:
            bins |= torch.rand(n_windows, 1, 1, generator=g) < config.encoder.drop_streams
        hidden[name] = bins
    return hidden


def _flat(data: Tensors) -> dict[str, list[Tensor]]:
    names = data.stretches[0]
    values = {f"values/{n}": [s[n].values for s in data.stretches] for n in names}
    return values | {f"mask/{n}": [s[n].mask for s in data.stretches] for n in names}


def _unflat(batch: Mapping[str, Tensor], names: tuple[str, ...]) -> dict[str, Observed]:
    return {n: Observed(batch[f"values/{n}"], batch[f"mask/{n}"]) for n in names}


def encoder_seed(config: RunConfig, index: int) -> int:
    """The seed of one of the run's encoders."""
    return derive_seed(config.seed, "encoder", index)
