"""What every part of the evaluation looks at: the chosen member on the held-out stretch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from neurodsr.data.recording import Recording
from neurodsr.data.split import Split, split_recording
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.models.observation import ObservationModel, Observed, as_observed
from neurodsr.models.selfcheck import Axes, principal_axes
from neurodsr.surrogate import Surrogate

Streams = Mapping[str, Observed]


@dataclass(frozen=True)
class Parts:
    """A surrogate's chosen member beside the recording, cut into its three parts.

    `train`, `validation` and `test` hold the streams of each contiguous stretch; `encoded_*`
    their latent paths; `null` the best constant prediction of each stream, fitted to training.
    """

    surrogate: Surrogate
    split: Split
    train: tuple[Streams, ...]
    validation: tuple[Streams, ...]
    test: tuple[Streams, ...]
    encoded_train: tuple[Float[Tensor, "_time latent"], ...]
    encoded_test: tuple[Float[Tensor, "_time latent"], ...]
    null: Mapping[str, Distribution]
    axes: Axes

    @property
    def model(self) -> ObservationModel:
        """Encoder and decoders of the chosen member."""
        return self.surrogate.observation(0)

    @property
    def pwl(self) -> PiecewiseLinearMap:
        """The map of the chosen member."""
        return self.surrogate.as_map(0)

    @property
    def longest_train(self) -> Float[Tensor, "time latent"]:
        """The longest encoded training stretch."""
        return max(self.encoded_train, key=len)

    @property
    def longest_test(self) -> Float[Tensor, "time latent"]:
        """The longest encoded test stretch."""
        return max(self.encoded_test, key=len)


def take_apart(surrogate: Surrogate, recording: Recording) -> Parts:
    """Cut the recording as training did, and encode its parts with the chosen member.

    Raises
    ------
    ConfigError
        The surrogate was trained on other streams, channels or bins.
    """
    settings, names = surrogate.config.split, tuple(surrogate.config.streams)
    surrogate.require_match(recording, names)
    split = split_recording(recording, validation=settings.validation, test=settings.test)
    train, validation, test = (
        tuple(_streams(recording, names, a, b) for a, b in stretches)
        for stretches in (split.train, split.validation, split.test)
    )
    model = surrogate.observation(0)
    encoded_train = tuple(model.encode(s) for s in train)
    return Parts(
        surrogate,
        split,
        train,
        validation,
        test,
        encoded_train,
        tuple(model.encode(s) for s in test),
        {n: _constant(surrogate, n, train) for n in names},
        principal_axes(torch.cat(encoded_train)),
    )


def pooled(stretches: tuple[Streams, ...], name: str) -> Observed:
    """One stream of all stretches, one after the other."""
    return Observed(
        torch.cat([s[name].values for s in stretches]), torch.cat([s[name].mask for s in stretches])
    )


def _streams(recording: Recording, names: tuple[str, ...], a: int, b: int) -> Streams:
    return {name: as_observed(recording.streams[name], slice(a, b)) for name in names}


@torch.no_grad()
def _constant(surrogate: Surrogate, name: str, train: tuple[Streams, ...]) -> Distribution:
    """The best prediction that does not change in time: an untrained decoder at z = 0."""
    modality, latent_dim = surrogate.config.streams[name], surrogate.config.dynamics.latent_dim
    with torch.random.fork_rng(devices=[]):  # weights do not matter at z = 0, drawing them would
        decoder = modality.build_decoder(
            surrogate.channels[name], latent_dim, bin_width=surrogate.bin_width
        )
    decoder.initialize(*pooled(train, name))
    return decoder(torch.zeros(1, latent_dim))
