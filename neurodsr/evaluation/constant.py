"""The best prediction that does not change in time, which every model is compared with."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from neurodsr.modalities.decoders import Decoder
from neurodsr.modalities.observed import Observed

MAX_BINS = 20_000
"""Bins that it is fitted to, evenly chosen; more would not change it visibly."""
MAX_STEPS = 100


def fit_constant(decoder: Decoder, seen: Observed, *, latent_dim: int) -> None:
    """Give a decoder the offsets, spreads and shapes that fit some data best at z = 0.

    `initialize` comes close, by moments where there is no closed form; the rest is done by
    maximizing the likelihood. Weights have no effect at z = 0, so their gradient is zero.
    """
    decoder.initialize(seen)
    observed = seen.mask.any(-1).nonzero().squeeze(-1)
    every = max(1, len(observed) // MAX_BINS)
    some = seen.each(lambda part: part[observed[::every]])
    z = torch.zeros(len(some.values), latent_dim, dtype=some.values.dtype)
    number = some.mask.sum().clamp_min(1)
    before = {k: v.clone() for k, v in decoder.state_dict().items()}

    def loss() -> Tensor:
        likelihood = decoder.given(z, some.unknown()).log_prob(some.values)
        return -(likelihood * some.mask).sum() / number

    start, end = loss().item(), _minimize(decoder, loss)
    if not end < start:
        decoder.load_state_dict(before)


@torch.enable_grad()
def _minimize(decoder: Decoder, loss: Callable[[], Tensor]) -> float:
    optimizer = torch.optim.LBFGS(
        decoder.parameters(), max_iter=MAX_STEPS, line_search_fn="strong_wolfe"
    )

    def step() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(step)
    return loss().item()
