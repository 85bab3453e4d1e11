"""How well held-out data of each stream are predicted, beside trivial methods on the same split."""

from __future__ import annotations

import torch
from torch import Tensor

from neurodsr.evaluation.baselines import decoding_baseline, smoothing_baseline
from neurodsr.evaluation.parts import Parts, Streams, pooled
from neurodsr.evaluation.results import StreamFit
from neurodsr.models.hiding import N_FOLDS, encode_without, hidden_bins


@torch.no_grad()
def fit_streams(parts: Parts) -> list[StreamFit]:
    """Two tasks per stream: its hidden bins, and the whole stream from the others."""
    fits = []
    for name in parts.surrogate.config.streams:
        z = torch.cat([predict_hidden(parts, s, name) for s in parts.test])
        fits.append(_fit(parts, name, z, "hidden bins", smoothing_baseline(parts, name)))
        if len(parts.surrogate.config.streams) > 1:
            z = torch.cat([_latent_without(parts, s, name) for s in parts.test])
            trivial = decoding_baseline(parts, name)
            fits.append(_fit(parts, name, z, "from the other streams", trivial))
    return fits


def _fit(parts: Parts, name: str, z: Tensor, task: str, trivial: dict[str, float]) -> StreamFit:
    modality, null = parts.surrogate.config.streams[name], parts.null[name]
    seen = pooled(parts.test, name)
    constant = modality.score(null, seen.values, seen.mask, null)
    return StreamFit(
        stream=name,
        kind=modality.kind,
        task=task,
        scores=modality.score(parts.model.decoder(name)(z), seen.values, seen.mask, null),
        baselines={f"{k}: constant": v for k, v in constant.items() if k != "gain"} | trivial,
    )


def predict_hidden(parts: Parts, streams: Streams, name: str) -> Tensor:
    """The latent path in which each bin was estimated without the stream's own value there."""
    z = torch.zeros(len(streams[name].values), parts.model.latent_dim)
    for fold in range(N_FOLDS):
        hidden = hidden_bins(streams, fold, seed=0)
        only = {n: h if n == name else torch.zeros_like(h) for n, h in hidden.items()}
        z = torch.where(hidden[name], encode_without(parts.model, streams, only), z)
    return z


def _latent_without(parts: Parts, streams: Streams, name: str) -> Tensor:
    return parts.model.encode({n: s for n, s in streams.items() if n != name})
