"""Arrays that are computed or read when sliced, and never as a whole unless asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from neurodsr.data.time import TimeGrid

Read = Callable[[TimeGrid], tuple[np.ndarray, np.ndarray]]
"""Values and mask of the bins of a part of a grid."""


ReadRows = Callable[[int, int], tuple[np.ndarray, np.ndarray]]
"""Values and mask of the rows from the first number to before the second, at least one."""


class Stored(NamedTuple):
    """Numbers as a file holds them: `values[a:b]` equals `load(a, b) * gain + offset`.

    They are integers of at most 16 bits, which float32 holds exactly; `gain` has one entry a
    channel. What is linear in the signal is computed from them in half the time.
    """

    load: Callable[[int, int], np.ndarray]
    gain: np.ndarray
    offset: float


class LazyArray:
    """The part of a two-dimensional NumPy array that streams need: shape, slices, conversion.

    Parameters
    ----------
    load
        Gives what the array's `[key]` is.
    shape, dtype
        Those of the whole array.
    stored
        The integers that the array is made of, if it is.
    """

    ndim = 2

    def __init__(
        self,
        load: Callable[[Any], np.ndarray],
        *,
        shape: tuple[int, int],
        dtype: Any,
        stored: Stored | None = None,
    ) -> None:
        self._load, self.shape, self.dtype = load, shape, np.dtype(dtype)
        self.stored = stored

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        return self._load(key)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._load(slice(None)).astype(dtype or self.dtype, copy=False)


class RegularTimes:
    """Times start + interval * k of n samples, s, none of them held in memory.

    Where a rate was given, they are start + k / rate, which rounds to the nearest.

    It has what streams need of an array: length, slices, conversion, and `searchsorted`.

    Parameters
    ----------
    start
        Time of sample 0, s.
    interval
        Time from one sample to the next, s, above 0.
    n
        Number of samples.
    """

    ndim = 1
    dtype = np.dtype(np.float64)

    def __init__(self, start: float, interval: float, n: int) -> None:
        self.start, self.interval, self._n = float(start), float(interval), int(n)
        self._rate: float | None = None

    @classmethod
    def at_rate(cls, start: float, rate: float, n: int) -> RegularTimes:
        """Times of n samples at a rate, Hz."""
        times = cls(start, 1 / rate, n)
        times._rate = float(rate)
        return times

    @property
    def shape(self) -> tuple[int]:
        """(sample,)."""
        return (self._n,)

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, key: Any) -> np.ndarray | float:
        if isinstance(key, slice):
            return self._at(np.arange(*key.indices(self._n)))
        index = np.asarray(key)
        if index.dtype == bool:
            return self._at(np.flatnonzero(index))
        if np.any((index < -self._n) | (index >= self._n)):
            raise IndexError(f"sample {key} of {self._n}")
        times = self._at(np.where(index < 0, index + self._n, index))
        return times if index.ndim else float(times)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._at(np.arange(self._n)).astype(dtype or np.float64, copy=False)

    def searchsorted(self, v: Any, side: str = "left") -> Any:
        """Where times would go, as `numpy.searchsorted` says of the times themselves."""
        wanted = np.atleast_1d(np.asarray(v, dtype=np.float64))
        # A quotient may be off by one step for rounding; the times themselves decide.
        with np.errstate(over="ignore", invalid="ignore"):
            guess = np.floor((wanted - self.start) / self.interval)
        first = np.nan_to_num(guess, posinf=self._n, neginf=0).clip(0, self._n).astype(np.int64)
        place = np.zeros(wanted.shape, dtype=np.int64)
        low = (first - 2).clip(0)
        for step in range(5):
            k = low + step
            before = self._at(k) < wanted if side == "left" else self._at(k) <= wanted
            place = np.where(before & (k < self._n), k + 1, place)
        place = np.where((place == 0) & (low > 0), low, place)
        return place if np.ndim(v) else int(place[0])

    def _at(self, k: np.ndarray) -> np.ndarray:
        passed = self.interval * k if self._rate is None else k / self._rate
        return np.asarray(self.start + passed)


def blockwise(
    grid: TimeGrid, read: Read, *, n_channels: int, dtype: Any
) -> tuple[LazyArray, LazyArray]:
    """Values and mask of a stream, computed for the bins that are sliced and for no others.

    Parameters
    ----------
    grid
        The whole grid.
    read
        Called with the part of the grid that is wanted. Values and mask of the same bins are
        computed once.
    n_channels, dtype
        Number of columns; type of the values.
    """
    return lazy_pair(
        lambda first, stop: read(grid.part(first, stop)),
        shape=(grid.n_bins, n_channels),
        dtype=dtype,
    )


def lazy_pair(
    read: ReadRows, *, shape: tuple[int, int], dtype: Any, stored: Stored | None = None
) -> tuple[LazyArray, LazyArray]:
    """Values and mask that come together: the same rows of both are read once.

    Parameters
    ----------
    read
        Called with the first of the rows that are wanted and the end of them.
    shape, dtype
        (row, channel); type of the values.
    stored
        The integers that the values are made of, if they are.
    """
    last: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}

    def block(first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        if (first, stop) not in last:
            last.clear()
            values, mask = read(first, stop)
            last[first, stop] = values.astype(dtype, copy=False), mask
        return last[first, stop]

    def loader(which: int) -> Callable[[Any], np.ndarray]:
        def load(key: Any) -> np.ndarray:
            rows, columns = key if isinstance(key, tuple) else (key, slice(None))
            first, stop, step = _covering(rows, shape[0])
            if stop <= first:
                return np.zeros((0, shape[1]), bool if which else dtype)[..., columns]
            found = block(first, stop)[which]
            forward = isinstance(rows, slice) and (rows.step is None or rows.step > 0)
            inner = slice(None, None, step) if forward else np.arange(shape[0])[rows] - first
            return found[inner][..., columns]

        return load

    return (
        LazyArray(loader(0), shape=shape, dtype=dtype, stored=stored),
        LazyArray(loader(1), shape=shape, dtype=bool),
    )


def take_channels(array: LazyArray | np.ndarray, index: np.ndarray) -> LazyArray | np.ndarray:
    """Some columns of an array: lazy if it is, and without memory if it is broadcast."""
    if everywhere(array):
        return np.broadcast_to(np.True_, (len(array), len(index)))
    if not isinstance(array, LazyArray):
        return np.asarray(array)[:, index]

    def load(key: Any) -> np.ndarray:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        return array[rows][..., index][..., columns]

    full, stored = array.stored, None
    if full is not None:
        stored = Stored(lambda a, b: full.load(a, b)[:, index], full.gain[index], full.offset)
    return LazyArray(load, shape=(len(array), len(index)), dtype=array.dtype, stored=stored)


def everywhere(mask: LazyArray | np.ndarray) -> bool:
    """Whether a mask is known to be True everywhere without a look at it."""
    if not isinstance(mask, np.ndarray) or mask.dtype != bool or any(mask.strides):
        return False
    return bool(mask.size and mask.flat[0])


def _covering(rows: Any, n: int) -> tuple[int, int, int]:
    """First bin, end and step of the block that holds some rows."""
    if isinstance(rows, slice):
        first, stop, step = rows.indices(n)
        if step > 0:
            return first, stop, step
    index = np.atleast_1d(np.arange(n)[rows])
    return (int(index.min()), int(index.max()) + 1, 1) if len(index) else (0, 0, 1)
