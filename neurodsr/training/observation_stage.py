"""First stage: encoder and decoders, by predicting what was hidden from the encoder.

Bins of each stream are hidden and scored, and now and then whole streams of a window are hidden
too. A plain autoencoder copies its noise (held-out state R2 0.75 where this reaches 0.97); hiding
makes the latent carry what the streams share and what lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from neurodsr.errors import DataError
from neurodsr.modalities.observed import Observed
from neurodsr.models.hiding import N_FOLDS, encode_without, hidden_bins
from neurodsr.models.loss import gauge_penalty, reconstruction_loss, smoothness_penalty
from neurodsr.models.observation import ObservationModel
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
        length=_window_length(model, data, settings.window),
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
        g = generator(seed, "hide", k)
        scored, streams = _scored_bins(batch, config, g), _hidden_streams(batch, config, g)
        seen = {n: s.without(scored[n] | streams[n]) for n, s in batch.items()}
        z = model.encode_window(seen)
        inner = slice(model.context, -model.context or None)
        shown = {n: s.bins(inner) for n, s in batch.items()}
        scored = {n: h[:, inner] for n, h in scored.items()}
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
    # Stretches no longer than a sensor looks back are scored whole, rather than not at all.
    short = {n: max(data.lengths) <= 2 * model.decoder(n).lag for n in model.names}
    for i, streams in enumerate(data.stretches):
        for fold in range(N_FOLDS):
            hidden = hidden_bins(streams, fold, seed=i)
            z = encode_without(model, streams, hidden)
            for name, seen in streams.items():
                likelihood, counts = model.log_likelihood(name, z, seen)
                scored = (seen.mask if short[name] else counts) & hidden[name]
                total[name] -= (likelihood * scored).sum(dtype=torch.float64).item()
                number[name] += int(scored.sum())
    return sum(model.modalities[n].weight * total[n] / max(1, number[n]) for n in model.names)


def _scored_bins(
    batch: Mapping[str, Observed], config: RunConfig, g: torch.Generator
) -> dict[str, Tensor]:
    """Random bins of each stream, [window, time, 1]: hidden from the encoder and scored.

    Of a stream that is hidden as a whole no more bins are scored than of any other: else windows
    in which little can be known would weigh most.
    """
    shape = next(iter(batch.values())).values.shape[:2]
    draws = torch.rand(len(batch), *shape, 1, generator=g)
    return dict(zip(batch, draws < config.encoder.drop_bins, strict=True))


def _hidden_streams(
    batch: Mapping[str, Observed], config: RunConfig, g: torch.Generator
) -> dict[str, Tensor]:
    """Windows from which a whole stream is hidden, [window, 1, 1]; none of a single stream."""
    share = config.encoder.drop_streams if len(batch) > 1 else 0.0
    n_windows = len(next(iter(batch.values())).values)
    draws = torch.rand(len(batch), n_windows, 1, 1, generator=g)
    return dict(zip(batch, draws < share, strict=True))


def _window_length(model: ObservationModel, data: Tensors, n_bins: int) -> int:
    """A window's scored bins and the past that the slowest decoder needs before them.

    Raises
    ------
    DataError
        No stretch is longer than that past.
    """
    longest = max(data.lengths)
    if longest <= model.lag:
        slow = max(model.names, key=lambda name: model.decoder(name).lag)
        raise DataError(
            f"what the sensor of stream {slow!r} shows of a moment lasts {model.lag} bins, the "
            f"longest stretch of training data has {longest}",
            fix="use longer segments or a longer recording, or a shorter kernel of that stream",
        )
    usable = [n for n in data.lengths if n >= n_bins and n > model.lag]
    # Longer windows would leave out the shorter of the stretches that can be used.
    return min([n_bins + model.lag, *usable])


def _flat(data: Tensors) -> dict[str, list[Tensor]]:
    parts = {
        n: [k for k, part in zip(Observed._fields, s, strict=True) if part is not None]
        for n, s in data.stretches[0].items()
    }
    return {
        f"{part}/{n}": [getattr(s[n], part) for s in data.stretches]
        for n, found in parts.items()
        for part in found
    }


def _unflat(batch: Mapping[str, Tensor], names: tuple[str, ...]) -> dict[str, Observed]:
    return {n: Observed(*(batch.get(f"{part}/{n}") for part in Observed._fields)) for n in names}


def encoder_seed(config: RunConfig, index: int) -> int:
    """The seed of one of the run's encoders."""
    return derive_seed(config.seed, "encoder", index)
