"""How well held-out data of each stream are predicted, beside trivial methods on the same split."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from neurodsr.evaluation.baselines import decoding_baseline, smoothing_baseline
from neurodsr.evaluation.parts import Parts, Streams, pooled
from neurodsr.evaluation.results import StreamFit
from neurodsr.models.hiding import N_FOLDS, encode_without, hidden_bins


@torch.no_grad()
def fit_streams(parts: Parts) -> list[StreamFit]:
    """Two tasks per stream: its hidden bins, and the whole stream from the others."""
    fits = []
    for name, modality in parts.surrogate.config.streams.items():
        test = pooled(parts.test, name)
        tasks = {"hidden bins": torch.cat([predict_hidden(parts, s, name) for s in parts.test])}
        if len(parts.surrogate.config.streams) > 1:
            tasks["from the other streams"] = torch.cat(
                [_latent_without(parts, s, name) for s in parts.test]
            )
        for task, z in tasks.items():
            predicted = parts.model.decoder(name)(z)
            scores = modality.score(predicted, test.values, test.mask, parts.null[name])
            baseline = smoothing_baseline if task == "hidden bins" else decoding_baseline
            fits.append(
                StreamFit(
                    stream=name,
                    kind=modality.kind,
                    task=task,
                    scores=scores,
                    baselines=baseline(parts, name),
                )
            )
    return fits


def predict_hidden(parts: Parts, streams: Streams, name: str) -> Tensor:
    """The latent path in which each bin was estimated without the stream's own value there."""
    z = torch.zeros(len(streams[name].values), parts.model.latent_dim)
    for fold in range(N_FOLDS):
        hidden = hidden_bins(streams, fold, seed=0)
        only = {n: h if n == name else torch.zeros_like(h) for n, h in hidden.items()}
        z = torch.where(hidden[name], encode_without(parts.model, streams, only), z)
    return z


def predicted_distribution(parts: Parts, streams: Streams, name: str) -> Distribution:
    """Prediction of a stream's bins, each hidden from the encoder."""
    with torch.no_grad():
        return parts.model.decoder(name)(predict_hidden(parts, streams, name))


def _latent_without(parts: Parts, streams: Streams, name: str) -> Tensor:
    return parts.model.encode({n: s for n, s in streams.items() if n != name})
