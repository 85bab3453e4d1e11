"""Predictions of a stream along latent paths that did not see what they predict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from neurodsr.modalities.observed import Observed
from neurodsr.models.hiding import N_FOLDS, encode_without, hidden_bins

if TYPE_CHECKING:  # parts holds the constant prediction, which is one of these
    from neurodsr.evaluation.parts import Parts, Streams


class Predicted(NamedTuple):
    """Point predictions in the stream's own unit, and the log-likelihood of what was recorded."""

    values: Float[Tensor, "time channel"]
    log_likelihood: Float[Tensor, "time channel"]


def concatenated(pieces: Iterable[Predicted]) -> Predicted:
    """The predictions of all stretches, one after the other."""
    return Predicted(*(torch.cat(part) for part in zip(*pieces, strict=True)))


def predict_along(
    parts: Parts, z: Float[Tensor, "time latent"], seen: Observed, name: str
) -> Predicted:
    """A stretch of a stream along a latent path, none of its own values given."""
    return as_predicted(parts, parts.expected(name, z, seen), seen, name)


def as_predicted(parts: Parts, p: Distribution, seen: Observed, name: str) -> Predicted:
    """Point prediction and likelihood of a distribution."""
    values = parts.model.decoder(name).predict(p).expand(seen.values.shape)
    return Predicted(values, p.log_prob(seen.values))


@torch.no_grad()
def predict_hidden(parts: Parts, streams: Streams, name: str) -> Predicted:
    """Each bin of a stretch predicted while it was hidden, all else that is given being seen.

    Every pass is decoded by itself: a slow sensor's prediction of a bin depends on latents of
    earlier ones, and in another pass these had seen the bin.
    """
    seen, passes = streams[name], []
    for fold in range(N_FOLDS):
        hidden = hidden_bins(streams, fold, seed=0)
        only = {n: h if n == name else torch.zeros_like(h) for n, h in hidden.items()}
        z = encode_without(parts.model, streams, only)
        passes.append((hidden[name], predict_along(parts, z, seen, name)))
    return Predicted(
        *(
            sum(torch.where(hidden, part, torch.zeros_like(part)) for hidden, part in pairs)
            for pairs in (
                [(hidden, predicted.values) for hidden, predicted in passes],
                [(hidden, predicted.log_likelihood) for hidden, predicted in passes],
            )
        )
    )
