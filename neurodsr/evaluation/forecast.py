"""Does a free run foretell what the encoder has not seen? In nats over the constant prediction."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.errors import DataError
from neurodsr.evaluation.parts import Parts
from neurodsr.kernels.scan import scan
from neurodsr.measures.bootstrap import bootstrap_interval
from neurodsr.seeds import generator

N_BLOCKS = 20


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
    r"""Log-likelihood gain of forecasts of the test stretch over the constant prediction.

    From each encoded state $\hat z_t$, which saw the bins up to t + context, the map runs freely;
    bins t + context + h, h >= 1, are compared with what was recorded. The interval resamples
    blocks of the test stretch.

    Raises
    ------
    DataError
        The longest test stretch is shorter than context and horizon.
    """
    context = parts.model.context
    i = int(np.argmax([len(z) for z in parts.encoded_test]))
    z, streams = parts.encoded_test[i], parts.test[i]
    n_starts = len(z) - 2 * context - n_ahead
    if n_starts < 2 * N_BLOCKS:
        raise DataError(
            f"the longest test stretch has {len(z)} bins, a forecast of {n_ahead} bins beyond "
            f"{context} bins of context needs {2 * context + n_ahead + 2 * N_BLOCKS}",
            fix="record longer, or use a smaller bin_width",
        )
    # Starts stay `context` bins away from the edges, where the encoder has lost half its view.
    ahead = scan(parts.pwl, z[context : context + n_starts], n_steps=context + n_ahead)
    seed = parts.surrogate.config.seed
    others = torch.randperm(n_starts, generator=generator(seed, "forecast control"))
    gains, shuffled = torch.zeros(n_starts, n_ahead), torch.zeros(n_ahead)
    for h in range(n_ahead):
        first = 2 * context + h + 1
        now = slice(first, first + n_starts)
        forecast = ahead[:, context + h]
        gains[:, h] = _gain(parts, forecast, streams, now)
        shuffled[h] = _gain(parts, forecast[others], streams, now).mean()
    at = gains[:, judged_at - 1].double().numpy()
    low, high = bootstrap_interval(
        lambda blocks: float(np.mean(np.concatenate(blocks))),
        np.array_split(at, N_BLOCKS),
        generator=generator(seed, "forecast bootstrap"),
    )
    return Forecast(
        np.arange(1, n_ahead + 1),
        gains.mean(0).numpy(),
        shuffled.numpy(),
        judged_at,
        float(at.mean()),
        low,
        high,
    )


def _gain(parts: Parts, z: Tensor, streams: dict, now: slice) -> Float[Tensor, " start"]:
    total = torch.zeros(len(z))
    for name, seen in streams.items():
        x, mask = seen.values[now], seen.mask[now]
        gain = parts.model.decoder(name)(z).log_prob(x) - parts.null[name].log_prob(x)
        total += (gain * mask).sum(-1)
    return total
