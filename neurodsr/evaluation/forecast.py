"""Does a free run foretell what the encoder has not seen? In nats over the constant prediction."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.errors import DataError
from neurodsr.evaluation.parts import Parts, Streams
from neurodsr.kernels.scan import scan
from neurodsr.measures.bootstrap import bootstrap_interval
from neurodsr.seeds import generator

MIN_BLOCKS, MAX_BLOCKS = 10, 20
CHUNK = 512
"""Forecasts that are decoded together."""


class Forecast(NamedTuple):
    """Gain of forecasts, nats per bin over all streams, by bins after the last one seen.

    `shuffled` is the control: the forecast made at some other moment.
    """

    horizon: np.ndarray
    gain: Float[np.ndarray, " horizon"]
    shuffled: Float[np.ndarray, " horizon"]
    judged_at: int
    value: float
    low: float
    high: float


@torch.no_grad()
def forecast_gain(parts: Parts, *, n_ahead: int = 50, judged_at: int = 5) -> Forecast:
    r"""Log-likelihood gain of forecasts of the test stretches over the constant prediction.

    From each encoded state $\hat z_t$, which saw the bins up to t + context, the map runs freely;
    bins t + context + h, h >= 1, are compared with what was recorded. The interval resamples
    blocks of the test stretches, each longer than what one forecast spans.

    Raises
    ------
    DataError
        The test stretches hold fewer than `MIN_BLOCKS` such blocks.
    """
    context, seed = parts.model.context, parts.surrogate.config.seed
    g = generator(seed, "forecast control")
    span = context + max(context, parts.model.lag - context - 1) + n_ahead
    usable = [
        (z, streams)
        for z, streams in zip(parts.encoded_test, parts.test, strict=True)
        if len(z) > span
    ]
    runs = [_stretch_gains(parts, z, streams, n_ahead, g) for z, streams in usable]
    depends_on = 2 * context + parts.model.lag + judged_at  # bins that one forecast rests on
    blocks = [b for gains, _ in runs for b in _blocks(gains[:, judged_at - 1], depends_on)]
    if len(blocks) < MIN_BLOCKS:
        raise DataError(
            f"the test stretches give {len(blocks)} independent blocks of forecasts, "
            f"{MIN_BLOCKS} are needed; a forecast of {n_ahead} bins beyond {context} bins of "
            f"context needs stretches of more than {span} bins",
            fix="record longer, raise split.test, or use a smaller bin_width or encoder.kernel",
        )
    low, high = bootstrap_interval(
        lambda some: float(np.mean(np.concatenate(some))),
        blocks,
        generator=generator(seed, "forecast bootstrap"),
    )
    gains, shuffled = (torch.cat(part).mean(0).numpy() for part in zip(*runs, strict=True))
    value = float(np.mean(np.concatenate(blocks)))
    return Forecast(np.arange(1, n_ahead + 1), gains, shuffled, judged_at, value, low, high)


def _stretch_gains(
    parts: Parts, z: Tensor, streams: Streams, n_ahead: int, g: torch.Generator
) -> tuple[Float[Tensor, "start horizon"], Float[Tensor, "start horizon"]]:
    """Gains of the forecasts of one stretch, and of those made at some other moment of it.

    Starts stay `context` bins away from the edges, where the encoder has lost half its view.
    """
    context, lag = parts.model.context, parts.model.lag
    # Starts from which on a slow sensor's past lies in the stretch.
    first = max(context, lag - context - 1)
    n_starts = len(z) - first - context - n_ahead
    starts = first + torch.arange(n_starts)
    ahead = scan(parts.pwl, z[starts], n_steps=context + n_ahead)
    # What a slow sensor shows of the forecast bins also depends on the states before the start.
    before = z[(starts[:, None] + torch.arange(1 - lag, 1)).clamp_min(0)]
    paths = torch.cat([before, ahead], dim=1)
    others = torch.randperm(n_starts, generator=g)
    bins = context + starts[:, None] + 1 + torch.arange(n_ahead)
    gains = [_gains(parts, paths[i], streams, bins[i]) for i in torch.arange(n_starts).split(CHUNK)]
    shuffled = [
        _gains(parts, paths[others[i]], streams, bins[i])
        for i in torch.arange(n_starts).split(CHUNK)
    ]
    return torch.cat(gains), torch.cat(shuffled)


def _blocks(gains: Float[Tensor, " start"], shortest: int) -> list[np.ndarray]:
    n = min(MAX_BLOCKS, max(1, len(gains) // shortest))
    return np.array_split(gains.double().numpy(), n)


def _gains(
    parts: Parts, paths: Float[Tensor, "start path latent"], streams: Streams, bins: Tensor
) -> Float[Tensor, "start horizon"]:
    """Gains over all streams in the last bins of some latent paths."""
    total = torch.zeros(bins.shape)
    for name, stream in streams.items():
        seen = stream.each(lambda part: part[bins])
        whole = stream.each(lambda part: part[_leading(bins, paths.shape[1])])
        likelihood = parts.expected(name, paths, whole).log_prob(whole.values)
        gain = likelihood[:, -bins.shape[1] :] - parts.constant(name, seen).log_prob(seen.values)
        total += (gain * seen.mask).sum(-1)
    return total


def _leading(bins: Tensor, n_path: int) -> Tensor:
    """The forecast bins and those that the path passes before them."""
    return (bins[:, -1:] + torch.arange(1 - n_path, 1)).clamp_min(0)
