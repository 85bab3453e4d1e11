"""Hiding bins from the encoder, so that they can be predicted without having been seen."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from neurodsr.modalities.observed import Observed
from neurodsr.models.observation import ObservationModel
from neurodsr.seeds import generator

N_FOLDS = 4


def hidden_bins(
    streams: Mapping[str, Observed], fold: int, *, seed: int, n_folds: int = N_FOLDS
) -> dict[str, Tensor]:
    """The bins of each stream that one of the passes hides, [time, 1]; the passes share none."""
    hidden = {}
    for name, seen in streams.items():
        folds = torch.randint(
            n_folds, (len(seen.values), 1), generator=generator(seed, "folds", name)
        )
        hidden[name] = folds == fold
    return hidden


def encode_without(
    model: ObservationModel, streams: Mapping[str, Observed], hidden: Mapping[str, Tensor]
) -> Tensor:
    """The latent path when the hidden entries are not seen."""
    return model.encode({n: s.without(hidden[n]) for n, s in streams.items()})
