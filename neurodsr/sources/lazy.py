"""Samples of a signal that stay in the file until they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from neurodsr.data.lazy import LazyArray, Stored, lazy_pair
from neurodsr.sources.nwb_nodes import reading
from neurodsr.sources.tree import Dataset

BLOCK_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Samples:
    """The samples of a dataset in physical units, in the clock's order, read when sliced.

    Parameters
    ----------
    dataset
        Raw numbers, shape (sample,) or (sample, channel).
    rows
        Row of the dataset that each sample comes from; None: sample k lies in row k.
    gain, offset
        value = raw * gain + offset; `gain` has one entry per channel.
    where
        File and object, for errors.
    check
        Called after each read; raises if the file has changed meanwhile.
    """

    dataset: Dataset
    rows: Int[np.ndarray, " sample"] | None
    gain: Float[np.ndarray, " channel"]
    offset: float
    where: str
    check: Callable[[], None]

    @property
    def shape(self) -> tuple[int, int]:
        """(sample, channel)."""
        n = len(self.dataset) if self.rows is None else len(self.rows)
        return n, len(self.gain)

    def read(self, key: Any) -> np.ndarray:
        """What `values[key]` would give, as float64, NaN and infinity where the file has them."""
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        if self.rows is None and isinstance(rows, slice):
            start, stop, step = rows.indices(self.shape[0])
            if step > 0:
                return self._physical(self._raw(start, stop)[::step])[..., columns]
        index = (np.arange(self.shape[0]) if self.rows is None else self.rows)[rows]
        wanted = np.atleast_1d(index)
        if not len(wanted):
            return np.zeros((0, len(self.gain)))[..., columns]
        first = int(wanted.min())
        values = self._physical(self._raw(first, int(wanted.max()) + 1)[wanted - first])
        return (values if np.ndim(index) else values[0])[..., columns]

    def raw(self, first: int, stop: int) -> np.ndarray:
        """Samples [first, stop) as the numbers that the file holds."""
        if self.rows is None:
            return self._raw(first, stop)
        rows = self.rows[first:stop]
        low = int(rows.min())
        return self._raw(low, int(rows.max()) + 1)[rows - low]

    def invalid_fraction(self) -> float:
        """Fraction of numbers that are NaN or infinite, read block by block."""
        n, width = self.shape
        largest = np.abs(self.gain).max(initial=0) * 2.0**64 + abs(self.offset)
        if (self.dataset.dtype.kind in "biu" and np.isfinite(largest)) or not n:
            return 0.0
        step = max(1, BLOCK_BYTES // (8 * width))
        bad = sum(
            int((~np.isfinite(self.read(slice(start, start + step)))).sum())
            for start in range(0, n, step)
        )
        return bad / (n * width)

    def _raw(self, first: int, stop: int) -> np.ndarray:
        if stop <= first:
            return np.zeros((0, len(self.gain)), self.dataset.dtype)
        with reading(self.where):
            block = self.dataset[first:stop]
        self.check()
        return block.reshape(len(block), len(self.gain))

    def _physical(self, raw: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            return raw.astype(np.float64) * self.gain + self.offset


def lazy_values(
    samples: Samples, *, complete: bool
) -> tuple[LazyArray, LazyArray | Bool[np.ndarray, "sample channel"]]:
    """The samples and which of them are numbers, read from the file when they are sliced.

    Parameters
    ----------
    complete
        Whether all of them are, as `invalid_fraction` tells.
    """
    if not complete:
        return lazy_pair(
            lambda first, stop: finite(samples.read(slice(first, stop))),
            shape=samples.shape,
            dtype=np.float64,
        )
    dtype = samples.dataset.dtype
    small = dtype.kind in "iu" and dtype.itemsize <= 2
    stored = Stored(samples.raw, samples.gain, samples.offset) if small else None
    values = LazyArray(samples.read, shape=samples.shape, dtype=np.float64, stored=stored)
    return values, np.broadcast_to(np.True_, samples.shape)


def finite(values: np.ndarray) -> tuple[np.ndarray, Bool[np.ndarray, "..."]]:
    """The values with 0 where they are no number, and where they are one."""
    valid = np.isfinite(values)
    return np.where(valid, values, 0.0), valid
