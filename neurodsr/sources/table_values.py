"""The numbers of a table as samples with a mask, in memory if small, else read when sliced."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from neurodsr.data.lazy import LazyArray
from neurodsr.errors import DataError
from neurodsr.sources.table import Variable

EAGER_BYTES = 64 * 2**20
BLOCK_BYTES = 8 * 2**20


def load_values(
    variable: Variable, channels: Sequence[int], *, check: Callable[[], None], where: str
) -> tuple[Any, Any, tuple[str, ...]]:
    """Values and mask of an array, shape (sample, channel), and a note on what was masked.

    Parameters
    ----------
    channels
        Columns of the array that are wanted.
    check
        Called before each read; raises if the file is closed or has changed.

    Raises
    ------
    DataError
        No sample holds a number.
    """
    block = _Block(variable, np.asarray(channels), check)
    size = math.prod(block.shape)
    n_bad = block.count_bad()
    if n_bad == size:
        raise DataError(
            "no sample holds a number: all are empty, NaN or infinite",
            where=where,
            fix="leave this stream out",
        )
    notes = (f"{n_bad} of {size} values are empty, NaN or infinite: masked",) if n_bad else ()
    if 8 * size < EAGER_BYTES:
        return *block.read(slice(None)), notes
    values = LazyArray(lambda key: block.pick(key)[0], shape=block.shape, dtype=np.float64)
    valid = LazyArray(lambda key: block.pick(key)[1], shape=block.shape, dtype=bool)
    return values, valid, notes


@dataclass(frozen=True)
class _Block:
    variable: Variable
    channels: np.ndarray
    check: Callable[[], None]

    @property
    def shape(self) -> tuple[int, int]:
        return self.variable.n_samples, len(self.channels)

    def read(
        self, rows: slice
    ) -> tuple[Float[np.ndarray, "sample channel"], Bool[np.ndarray, "sample channel"]]:
        """Values of a slice of rows, 0 where there is no number, and their mask."""
        self.check()
        raw = self.variable.data.read(rows)
        values = raw.reshape(len(raw), -1)[:, self.channels].astype(np.float64)
        valid = np.isfinite(values)
        return np.where(valid, values, 0.0), valid

    def pick(self, key: Any) -> tuple[np.ndarray, np.ndarray]:
        """What `values[key]` and `valid[key]` would be in memory."""
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        if isinstance(rows, slice):
            values, valid = self.read(rows)
            return values[:, columns], valid[:, columns]
        index = np.asarray(rows)
        index = np.flatnonzero(index) if index.dtype == bool else index % self.shape[0]
        if not index.size:
            return np.zeros((0, len(self.channels)))[:, columns], np.zeros(
                (0, len(self.channels)), dtype=bool
            )[:, columns]
        first = int(index.min())
        values, valid = self.read(slice(first, int(index.max()) + 1))
        return values[index - first][..., columns], valid[index - first][..., columns]

    def count_bad(self) -> int:
        """How many values are no finite number, counted block by block."""
        if self.variable.data.dtype.kind != "f":
            return 0
        step = max(1, BLOCK_BYTES // (8 * max(self.shape[1], 1)))
        starts = range(0, self.shape[0], step)
        return sum(int((~self.read(slice(s, s + step))[1]).sum()) for s in starts)
