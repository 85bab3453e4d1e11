"""Where every random number comes from: one seed and a purpose, nothing global."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A seed for one purpose, a pure function of the run's seed and the purpose's name.

    Batch k of a training is drawn from `derive_seed(seed, "windows", k)`, so that a resumed
    run draws the same batches without any generator state being saved.
    """
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest(), "big")


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A torch generator seeded for one purpose."""
    import torch

    return torch.Generator().manual_seed(derive_seed(seed, *purpose))
