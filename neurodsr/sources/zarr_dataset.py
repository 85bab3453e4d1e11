"""An array of a Zarr folder as a dataset, whichever format it is in."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int

from neurodsr.sources.stamp import refuse_changed_files, stamp_files
from neurodsr.sources.tree import Dataset
from neurodsr.sources.zarr_attributes import SCALAR, plain_attributes, stands_for, target


class ZarrDataset(Dataset):
    """What the arrays of both formats have in common; only the chunks that rows lie in are read.

    A scalar is an array without axes, or, as hdmf-zarr wrote it in format 2, of one element that
    says so. Each read fails if the array has been written to since it was opened.

    Parameters
    ----------
    root
        The folder of the whole tree.
    path
        Where the array lies in it.
    shape, chunks
        Length of each axis, in all and of one chunk.
    dtype
        Type of the elements in memory.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        path: str,
        *,
        shape: tuple[int, ...],
        chunks: tuple[int, ...],
        dtype: np.dtype,
    ) -> None:
        self.path, self.dtype = path, dtype
        self._root, self._full, self._chunks = os.fspath(root), shape, chunks
        self._stamp = stamp_files(self._watched)

    @abstractmethod
    def _document(self) -> Mapping[str, Any]:
        """The array's attributes as they are written."""

    @abstractmethod
    def _rows(self, first: int, stop: int) -> np.ndarray:
        """Rows [first, stop) as the codecs give them; all there is of an array without axes."""

    @property
    def where(self) -> str:
        """Folder and path, for errors."""
        return f"{self._root}:/{self.path}"

    @cached_property
    def attributes(self) -> Mapping[str, Any]:  # type: ignore[override]
        """Attributes as plain values; references are paths."""
        return plain_attributes(self._document(), self._root, self.where)

    @cached_property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Length of each axis; none of a scalar."""
        single = self._full == (1,) and stands_for(self.attributes) == SCALAR
        return () if single else self._full

    def __getitem__(self, key: Any) -> np.ndarray:
        refuse_changed_files(self._watched, self._stamp, where=self.where)
        if not self.shape:
            return self._plain(self._rows(0, 1)).reshape(())
        parts = key if isinstance(key, tuple) else (key,)
        rows, rest = (parts[0], parts[1:]) if parts else (slice(None), ())
        if isinstance(rows, slice):
            first, stop, step = rows.indices(len(self))
            if step > 0:
                return self._plain(self._rows(first, max(first, stop))[::step])[:, *rest]
            rows = np.arange(first, stop, step)
        numbers = _row_numbers(rows, len(self))
        found = self._plain(self._picked(np.atleast_1d(numbers)))
        return (found if numbers.ndim else found.reshape(found.shape[1:]))[..., *rest]

    @property
    def _folder(self) -> str:
        return os.path.join(self._root, self.path)

    @property
    def _watched(self) -> tuple[str, ...]:
        # A folder changes when a chunk is added to it or put in another's place.
        names = ("", ".zarray", "zarr.json", "c")
        return tuple(os.path.join(self._folder, name) for name in names)

    def _picked(self, numbers: Int[np.ndarray, " row"]) -> np.ndarray:
        """Rows by number, each chunk that holds some of them read once."""
        out = np.empty((len(numbers), *self._full[1:]), dtype=self.dtype)
        if not len(numbers):
            return out
        step = self._chunks[0]
        order = np.argsort(numbers // step, kind="stable")
        steps = np.flatnonzero(np.diff(numbers[order] // step)) + 1
        for mine in np.split(order, steps):
            first = int(numbers[mine[0]]) // step * step
            block = self._rows(first, min(first + step, self._full[0]))
            out[mine] = block[numbers[mine] - first]
        return out

    def _plain(self, block: np.ndarray) -> np.ndarray:
        """Texts and references as str; numbers, and what is neither, as they are."""
        if self.kind not in ("text", "reference"):
            return block
        convert = _text if self.kind == "text" else self._target
        return np.array([convert(v) for v in block.ravel()], dtype=str).reshape(block.shape)

    def _target(self, value: Any) -> str:
        """Path that an element refers to: hdmf-zarr from 0.14 on writes it, before, a record."""
        if isinstance(value, Mapping):
            return target(value, self._root, self.where)
        return _text(value).strip("/")


def _row_numbers(rows: Any, n: int) -> Int[np.ndarray, "..."]:
    numbers = np.asarray(rows)
    if numbers.dtype == bool:
        return np.flatnonzero(numbers)
    if np.any((numbers < -n) | (numbers >= n)):
        raise IndexError(f"row {rows} of {n}")
    return np.where(numbers < 0, numbers + n, numbers).astype(np.int64)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
