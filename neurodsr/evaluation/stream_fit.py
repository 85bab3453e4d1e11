"""How well held-out data of each stream are predicted, beside trivial methods on the same split."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

import torch

from neurodsr.evaluation.baselines import decoding_baseline, smoothing_baseline
from neurodsr.evaluation.parts import Parts
from neurodsr.evaluation.predictions import Predicted, concatenated, predict_along, predict_hidden
from neurodsr.evaluation.results import StreamFit


@torch.no_grad()
def fit_streams(parts: Parts) -> list[StreamFit]:
    """Two tasks per stream: its hidden bins, and the whole stream from the others."""
    fits = []
    for name in parts.model.names:
        hidden = (predict_hidden(parts, s, name) for s in parts.test)
        fits.append(_fit(parts, name, hidden, "hidden bins", smoothing_baseline(parts, name)))
        others = [n for n in parts.model.names if n != name]
        if others:
            crossed = (
                predict_along(parts, parts.model.encode({n: s[n] for n in others}), s[name], name)
                for s in parts.test
            )
            trivial = decoding_baseline(parts, name)
            fits.append(_fit(parts, name, crossed, "from the other streams", trivial))
    return fits


def _fit(
    parts: Parts, name: str, pieces: Iterable[Predicted], task: str, trivial: dict[str, float]
) -> StreamFit:
    predicted, constant = concatenated(pieces), parts.constant_prediction(name, parts.test)
    scores, trivially = (_scores(parts, name, p) for p in (predicted, constant))
    gain = scores["log_likelihood"] - trivially["log_likelihood"]
    return StreamFit(
        stream=name,
        kind=parts.surrogate.config.streams[name].kind,
        task=task,
        scores=scores | {"gain": gain},
        baselines={f"{k}: constant": v for k, v in trivially.items()} | trivial,
    )


def _scores(parts: Parts, name: str, predicted: Predicted) -> dict[str, float]:
    """The natural score where it is defined, and the log-likelihood per scalar, nats."""
    natural, seen = parts.score(name, predicted.values, parts.test), parts.judged(name, parts.test)
    total = (predicted.log_likelihood * seen.mask).sum() / seen.mask.sum().clamp_min(1)
    score = parts.model.modalities[name].natural_score.name
    return ({score: natural} if isfinite(natural) else {}) | {"log_likelihood": total.item()}
