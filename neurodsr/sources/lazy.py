"""Samples of a signal that stay in the file until they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Int

from neurodsr.sources.nwb_nodes import reading

BLOCK = 100_000


@dataclass(frozen=True)
class Samples:
    """The samples of a dataset in physical units, in the clock's order, read when sliced.

    Parameters
    ----------
    dataset
        Raw numbers, shape (sample,) or (sample, channel).
    rows
        Row of the dataset that each sample comes from, shape (sample,).
    gain, offset
        value = raw * gain + offset; `gain` has one entry per channel.
    where
        File and object, for errors.
    check
        Called after each read; raises if the file has changed meanwhile.
    """

    dataset: h5py.Dataset
    rows: Int[np.ndarray, " sample"]
    gain: Float[np.ndarray, " channel"]
    offset: float
    where: str
    check: Callable[[], None]

    @property
    def shape(self) -> tuple[int, int]:
        """(sample, channel)."""
        return len(self.rows), len(self.gain)

    def read(self, key: Any) -> np.ndarray:
        """What `values[key]` would give, as float64, NaN and infinity where the file has them."""
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        index = self.rows[rows]
        wanted = np.atleast_1d(index)
        if not len(wanted):
            block = np.zeros((0, len(self.gain)))
        else:
            first, last = int(wanted.min()), int(wanted.max()) + 1
            with reading(self.where):
                block = self.dataset[first:last]
            self.check()
            block = block.reshape(len(block), len(self.gain))[wanted - first]
        with np.errstate(over="ignore", invalid="ignore"):
            values = block.astype(np.float64) * self.gain + self.offset
        return (values if np.ndim(index) else values[0])[..., columns]

    def invalid_fraction(self) -> float:
        """Fraction of numbers that are NaN or infinite, read block by block."""
        if self.dataset.dtype.kind != "f" or not len(self.rows):
            return 0.0
        bad = sum(
            int((~np.isfinite(self.read(slice(start, start + BLOCK)))).sum())
            for start in range(0, len(self.rows), BLOCK)
        )
        return bad / (self.shape[0] * self.shape[1])


class LazyArray:
    """The part of a NumPy array that streams need: shape, dtype, slicing, conversion.

    Parameters
    ----------
    load
        Gives what the array's `[key]` is.
    shape, dtype
        Those of the whole array.
    """

    ndim = 2

    def __init__(
        self, load: Callable[[Any], np.ndarray], *, shape: tuple[int, int], dtype: type
    ) -> None:
        self._load, self.shape, self.dtype = load, shape, np.dtype(dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        return self._load(key)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._load(slice(None)).astype(dtype or self.dtype, copy=False)
