r"""Process noise: normal numbers, each a pure function of seed, member, sample, latent and step.

A counter-based generator has no state, so that neither the order in which numbers are drawn nor how
samples are grouped changes them. `engine/noise.h` computes the same many times faster.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

WORD = 0xFFFFFFFF
ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
N_ROUNDS = 13
PARITY = 0x1BD11BDA


def process_noise(
    sd: Float[Tensor, "member latent"],
    *,
    seed: int,
    n_steps: int,
    n_batch: int,
    first: int = 0,
) -> Float[Tensor, "member batch time latent"]:
    r"""The noise that a free run adds to its states after each step.

    Words $(w_0, w_1)$ of Threefry-2x32 with 13 rounds, key from seed and member, at the counter
    $(\lfloor t / 2 \rfloor, \text{sample} \cdot M + \text{latent})$, M latents, give by Box and
    Muller's method $r \cos \theta$ at an even step $t$ and $r \sin \theta$ at the odd one after
    it, $r = \sqrt{-2 \ln u}$ with $u = w_0 / 2^{32}$ and $\theta = 2 \pi w_1 / 2^{32}$, up to
    the position within the last bit.

    Parameters
    ----------
    sd
        Standard deviation of each latent.
    seed
        Only its lowest 64 bits count.
    n_steps, first
        Steps `first` to `first + n_steps - 1`, counted from 0.
    n_batch
        Number of samples.

    References
    ----------
    Salmon et al. 2011, SC11 (Threefry, found to pass BigCrush from 13 rounds on).
    Box & Muller 1958, Ann. Math. Stat. 29:610-611.
    """
    n_members, latent = sd.shape
    dtype = np.float32 if sd.dtype == torch.float32 else np.float64
    t = np.arange(first, first + n_steps)
    pairs = np.arange(first // 2, (first + n_steps + 1) // 2)
    series = np.arange(n_batch)[:, None] * latent + np.arange(latent)
    counter = np.broadcast_arrays(pairs[:, None], series[:, None])
    numbers = np.empty((n_members, n_batch, n_steps, latent), dtype)
    for i in range(n_members):
        both = box_muller(*threefry(member_key(seed, i), *counter), dtype)
        numbers[i] = np.where(t[:, None] % 2, *(x[:, t // 2 - first // 2] for x in both[::-1]))
    return sd[:, None, None, :] * torch.from_numpy(numbers).to(sd)


def threefry(key: tuple[int, int], w0: np.ndarray, w1: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two random words of 32 bits for each pair of counters."""
    keys = (*key, PARITY ^ key[0] ^ key[1])
    # 64 bits, so that a carry is cut off rather than warned of.
    w0, w1 = w0.astype(np.uint64) + keys[0] & WORD, w1.astype(np.uint64) + keys[1] & WORD
    for i in range(N_ROUNDS):
        w0, by = w0 + w1 & WORD, ROTATIONS[i % 8]
        w1 = ((w1 << by | w1 >> (32 - by)) & WORD) ^ w0
        if i % 4 == 3:
            n = i // 4 + 1
            w0, w1 = w0 + keys[n % 3] & WORD, w1 + (keys[(n + 1) % 3] + n & WORD) & WORD
    return w0, w1


def member_key(seed: int, member: int) -> tuple[int, int]:
    """The key of a member, made by the generator itself from that of the seed."""
    low, high = threefry((seed & WORD, seed >> 32 & WORD), np.array([member]), np.array([WORD]))
    return int(low[0]), int(high[0])


def box_muller(
    w0: np.ndarray, w1: np.ndarray, dtype: type[np.floating]
) -> tuple[np.ndarray, np.ndarray]:
    """Two independent standard normals from two words."""
    u = (w0 >> 1).astype(dtype) * dtype(2.0**-31) + dtype(2.0**-32)
    radius = np.sqrt(-2 * np.log(u))
    # Two bits choose a quarter of the circle, thirty an angle from its middle.
    quarter, rest = (w1 >> 30).astype(np.int8), (w1 << 2 & WORD).astype(np.uint32).view(np.int32)
    angle = rest.astype(dtype) * dtype(np.pi / 2 * 2.0**-32)
    cosine, sine = np.cos(angle), np.sin(angle)
    x = np.choose(quarter, (cosine, -sine, -cosine, sine))
    y = np.choose(quarter, (sine, cosine, -sine, -cosine))
    return radius * x, radius * y
