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
from neurodsr.evaluation.constant import fit_constant
from neurodsr.evaluation.predictions import Predicted, as_predicted
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.modalities.decoders import Decoder, scorable
from neurodsr.modalities.observed import Observed, joined
from neurodsr.models.observation import ObservationModel, as_observed
from neurodsr.models.selfcheck import Axes, principal_axes
from neurodsr.surrogate import Surrogate

Streams = Mapping[str, Observed]


@dataclass(frozen=True)
class Parts:
    """A surrogate's chosen member beside the recording, cut into its three parts.

    `train`, `validation` and `test` hold the streams of each contiguous stretch; `encoded_*`
    their latent paths; `null` decoders that were fitted to nothing but the training data's
    offsets: at z = 0 they give the best constant prediction of each stream.
    """

    surrogate: Surrogate
    split: Split
    train: tuple[Streams, ...]
    validation: tuple[Streams, ...]
    test: tuple[Streams, ...]
    encoded_train: tuple[Float[Tensor, "_time latent"], ...]
    encoded_test: tuple[Float[Tensor, "_time latent"], ...]
    null: Mapping[str, Decoder]
    axes: Axes

    @property
    def model(self) -> ObservationModel:
        """Encoder and decoders of the chosen member."""
        return self.surrogate.observation(0)

    @property
    def pwl(self) -> PiecewiseLinearMap:
        """The map of the chosen member."""
        return self.surrogate.as_map(0)

    def expected(self, name: str, z: Tensor, seen: Observed) -> Distribution:
        """The distribution of a stream along a latent path, nothing of its own values known."""
        return self.model.decoder(name).given(z, seen.unknown())

    def constant(self, name: str, seen: Observed) -> Distribution:
        """The best prediction of a stream that does not change in time, for the same bins."""
        z = torch.zeros(*seen.values.shape[:-1], self.model.latent_dim)
        return self.null[name].given(z, seen.unknown())

    def constant_prediction(self, name: str, stretches: tuple[Streams, ...]) -> Predicted:
        """The same for all bins of some stretches."""
        seen = pooled(stretches, name)
        return as_predicted(self, self.constant(name, seen), seen, name)

    def judged(self, name: str, stretches: tuple[Streams, ...]) -> Observed:
        """A stream of some stretches, masked but for what predictions of it are judged by.

        What a slow sensor shows at the start of a stretch depends on latents that nobody has;
        where every stretch is that short, all that was observed is judged nevertheless.
        """
        decoder = self.model.decoder(name)
        late = [s[name]._replace(mask=scorable(decoder, s[name].mask)) for s in stretches]
        seen = joined(late)
        return seen if seen.mask.any() else pooled(stretches, name)

    def score(
        self, name: str, values: Float[Tensor, "time channel"], stretches: tuple[Streams, ...]
    ) -> float:
        """The natural score of point predictions; NaN where it is not defined."""
        constant = self.constant_prediction(name, stretches).values
        natural = self.model.modalities[name].natural_score
        return natural.value(values, constant, self.judged(name, stretches))

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
    still = {n: _still(surrogate, n, train) for n in names}
    validation, test = (tuple(_without(s, still) for s in part) for part in (validation, test))
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
        {n: _untrained(surrogate, n, train) for n in names},
        principal_axes(torch.cat(encoded_train)),
    )


def pooled(stretches: tuple[Streams, ...], name: str) -> Observed:
    """One stream of all stretches, one after the other."""
    return joined([s[name] for s in stretches])


def _streams(recording: Recording, names: tuple[str, ...], a: int, b: int) -> Streams:
    return {name: as_observed(recording.streams[name], slice(a, b)) for name in names}


def _still(surrogate: Surrogate, name: str, train: tuple[Streams, ...]) -> Tensor:
    """Channels of a continuous stream that never change in training: [channel].

    A model learns such a value to any precision, and would gain without end on the constant.
    """
    seen = pooled(train, name)
    if not surrogate.config.streams[name].natural_score.continuous:
        return torch.zeros(seen.values.shape[1], dtype=torch.bool)
    low = seen.values.masked_fill(~seen.mask, torch.inf).amin(0)
    return seen.values.masked_fill(~seen.mask, -torch.inf).amax(0) <= low


def _without(streams: Streams, still: Mapping[str, Tensor]) -> Streams:
    return {name: seen.without(still[name].expand_as(seen.mask)) for name, seen in streams.items()}


def _untrained(surrogate: Surrogate, name: str, train: tuple[Streams, ...]) -> Decoder:
    modality, latent_dim = surrogate.config.streams[name], surrogate.config.dynamics.latent_dim
    with torch.random.fork_rng(devices=[]):  # weights do not matter at z = 0, drawing them would
        decoder = modality.build_decoder(
            surrogate.channels[name], latent_dim, bin_width=surrogate.bin_width
        )
    fit_constant(decoder, pooled(train, name), latent_dim=latent_dim)
    return decoder.requires_grad_(False)
