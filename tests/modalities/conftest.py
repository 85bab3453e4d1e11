"""A source that holds what a test puts into it, and the fit of an observation model."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.errors import DataError
from neurodsr.modalities.decoders import Decoder, scorable
from neurodsr.modalities.observed import Observed
from neurodsr.sources.base import Source, StreamEntry


class MemorySource(Source):
    """Events, series and intervals by path, without a file."""

    path = "session.nwb"

    def __init__(self, held: dict[str, object]) -> None:
        self._held = held

    def list_streams(self) -> list[StreamEntry]:
        return []

    def events(self, path: str) -> Events:
        return self._find(path, Events)

    def series(self, path: str) -> Series:
        return self._find(path, Series)

    def intervals(self, path: str) -> Intervals:
        return self._find(path, Intervals)

    def _find(self, path: str, kind: type) -> object:
        if not isinstance(self._held.get(path), kind):
            raise DataError(f"{path!r} holds no {kind.__name__}", fix=f"choose {list(self._held)}")
        return self._held[path]

    def close(self) -> None:
        pass


@pytest.fixture
def source() -> Callable[..., Source]:
    """A function that makes a source which holds one thing, at "path" or where told."""

    def make(held: object, path: str = "path") -> Source:
        return MemorySource({path: held})

    return make


@pytest.fixture
def series() -> Callable[..., Series]:
    """A function that makes a series; None marks a lost sample."""

    def make(times: object, *columns: list[float | None]) -> Series:
        values = np.array([[0.0 if v is None else v for v in c] for c in columns]).T
        valid = np.array([[v is not None for v in c] for c in columns]).T
        ids = tuple("xyz"[: len(columns)])
        times = np.asarray(times, dtype=float)
        return Series(values, valid, times, Channels(ids), "m", ("a note",))

    return make


@pytest.fixture
def events() -> Callable[..., Events]:
    """A function that makes events of some channels, watched throughout or where told."""

    def make(*trains: list[float], observed: list | None = None) -> Events:
        return Events(
            times=np.concatenate([np.asarray(t, dtype=float) for t in trains]),
            offsets=np.cumsum([0, *map(len, trains)]),
            channels=Channels(tuple(f"n{i}" for i in range(len(trains)))),
            observed=None if observed is None else tuple(np.array(o, float) for o in observed),
        )

    return make


class Likelihood(nn.Module):
    """Total log-likelihood of what was seen, as a function of the decoder's parameters."""

    def __init__(self, decoder: Decoder, z: torch.Tensor, seen: Observed) -> None:
        super().__init__()
        self.decoder, self.z, self.seen = decoder, z, seen

    def forward(self) -> torch.Tensor:
        likelihood = self.decoder.given(self.z, self.seen).log_prob(self.seen.values)
        return (likelihood * scorable(self.decoder, self.seen.mask)).sum()


@pytest.fixture
def assert_recovered() -> Callable[..., None]:
    """A function that fits a decoder and compares what it finds with the truth, by name."""

    def check(decoder: Decoder, truth: dict[str, object], z: torch.Tensor, seen: Observed) -> None:
        """As near as three standard errors, of all parameters together.

        Each by itself would be farther off once in 370 times, and so is a true fit here: twice
        the gain in log-likelihood over the truth is chi-square distributed.
        """
        total = Likelihood(decoder, z, seen)
        best, n = maximize(total, len(z)), sum(p.numel() for p in decoder.parameters())
        true = deepcopy(decoder)  # so that what was found stays with the caller's
        with torch.no_grad():
            for name, parameter in true.named_parameters():
                parameter.copy_(torch.as_tensor(truth[name]))
            gain = best - Likelihood(true, z, seen)().item()
        assert gain > -1e-3  # less than nothing would be a fit that has not converged
        assert stats.chi2(n).sf(2 * gain) > 2 * stats.norm.sf(3), gain

    return check


def maximize(total: Likelihood, n_bins: int) -> float:
    """Move all parameters to the largest log-likelihood; returns it."""
    parameters = list(total.parameters())
    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=1000,
        tolerance_grad=1e-9,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = -total() / n_bins
        loss.backward()
        return loss

    optimizer.step(closure)
    return total().item()
