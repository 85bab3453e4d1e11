"""What a step of a training draws, as a pure function of seed, step and sample.

No generator remembers anything, so that a resumed training, and one in compiled code
(`kernels/engine/draws.h`), sees the same windows and the same noise.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64, UInt64

from neurodsr.kernels.noise import threefry

WINDOWS, NOISE = 0, 1
"""What is drawn for."""


def step_seed(seed: int, purpose: int, step: int) -> int:
    """The seed of what is drawn for a purpose at a step; 64 bits."""
    return int(draw_words(seed, np.array([step]), purpose)[0])


def draw_words(seed: int, low: Int64[np.ndarray, " n"], high: int) -> UInt64[np.ndarray, " n"]:
    """64 random bits for each counter: both words of Threefry, the second one above the first."""
    key = seed % 2**32, seed // 2**32
    first, second = threefry(key, low, np.full_like(low, high))
    return second << np.uint64(32) | first


def draw_below(limit: int, *, seed: int, n: int) -> Int64[np.ndarray, " n"]:
    r"""Whole numbers from 0 to `limit` - 1, all equally likely up to `limit` / $2^{64}$.

    The upper half of the 128 bits of word times limit, in two halves that fit into 64.

    Parameters
    ----------
    limit
        Below $2^{32}$.
    """
    words, limit = draw_words(seed, np.arange(n), 0), np.uint64(limit)
    half = np.uint64(32)
    carry = ((words & np.uint64(2**32 - 1)) * limit) >> half
    return (((words >> half) * limit + carry) >> half).astype(np.int64)
