"""NWB on Zarr format 2, as hdmf-zarr up to 0.13 wrote it, read file by file as a tree."""

from __future__ import annotations

import math
import os
from base64 import b64decode
from collections.abc import Mapping
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from neurodsr.sources.folder_safety import read_document
from neurodsr.sources.tree import DataKind
from neurodsr.sources.zarr2_codecs import TEXT_FILTERS, decode_chunk, filter_ids, foreign_codec
from neurodsr.sources.zarr_attributes import REFERENCES
from neurodsr.sources.zarr_dataset import ZarrDataset
from neurodsr.sources.zarr_group import NodeType, ZarrFormat, ZarrTree


class Zarr2Dataset(ZarrDataset):
    """An array of a Zarr 2 folder; chunks that were never written hold the fill value.

    Parameters
    ----------
    root
        The folder of the whole tree.
    path
        Where the array lies in it.
    """

    def __init__(self, root: str | os.PathLike[str], path: str) -> None:
        self._layout = layout = read_document(os.path.join(root, path, ".zarray"))
        # A type that is a list is that of records.
        dtype = layout["dtype"] if isinstance(layout["dtype"], str) else "O"
        super().__init__(
            root,
            path,
            shape=tuple(layout["shape"]),
            chunks=tuple(layout["chunks"]),
            dtype=np.dtype(dtype),
        )

    @cached_property
    def kind(self) -> DataKind:  # type: ignore[override]
        """What the elements are; an array that is coded with pickle is never read."""
        filters = set(filter_ids(self._layout))
        records = not isinstance(self._layout["dtype"], str)
        if records or foreign_codec(self._layout):
            return "other"
        if self.dtype.kind != "O":
            text = self.dtype.kind in "SU"
            return "text" if text else "number" if self.dtype.kind in "biuf" else "other"
        if "json2" in filters:
            return self._json_kind
        return "text" if filters & TEXT_FILTERS else "other"

    @cached_property
    def _json_kind(self) -> DataKind:
        """Texts, references or records: hdmf-zarr says so, or else the first element does."""
        said = self.attributes.get("zarr_dtype", "")
        if not isinstance(said, str):
            return "other"
        if said in REFERENCES:
            return "reference"
        first = self._rows(0, 1).ravel()[:1].tolist()
        if first and isinstance(first[0], dict):
            return "reference" if "path" in first[0] else "other"
        return "text" if not first or isinstance(first[0], str) else "other"

    def _document(self) -> Mapping[str, Any]:
        return Zarr2().attributes(self._folder)

    def _rows(self, first: int, stop: int) -> np.ndarray:
        if not self._full:
            return self._chunk(())
        stop = min(stop, self._full[0])
        out = np.empty((max(stop - first, 0), *self._full[1:]), dtype=self.dtype)
        if not out.size:
            return out
        steps = zip(self._full, self._chunks, strict=True)
        counts = [range(math.ceil(n / step)) for n, step in steps]
        rows = range(first // self._chunks[0], math.ceil(stop / self._chunks[0]))
        for index in product(rows, *counts[1:]):
            target, source = self._overlap(index, first, stop)
            out[target] = self._chunk(index)[source]
        return out

    def _overlap(
        self, index: tuple[int, ...], first: int, stop: int
    ) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """Where a chunk's elements lie among rows [first, stop), and where in the chunk."""
        target, source = [], []
        wanted = [(first, stop), *((0, n) for n in self._full[1:])]
        for i, step, (a, b) in zip(index, self._chunks, wanted, strict=True):
            low, high = max(a, i * step), min(b, (i + 1) * step)
            target.append(slice(low - a, high - a))
            source.append(slice(low - i * step, high - i * step))
        return tuple(target), tuple(source)

    def _chunk(self, index: tuple[int, ...]) -> np.ndarray:
        separator = self._layout.get("dimension_separator", ".")
        name = separator.join(str(i) for i in index) or "0"
        try:
            raw = Path(self._folder, name).read_bytes()
        except FileNotFoundError:
            # The format's own rule: a chunk that was never written holds the fill value.
            return np.full(self._chunks, _fill(self._layout, self.dtype), dtype=self.dtype)
        return decode_chunk(raw, self._layout, shape=self._chunks, where=self.where)


class Zarr2(ZarrFormat):
    """Format 2: `.zgroup`, `.zarray` and `.zattrs` beside the chunks."""

    def node_type(self, folder: str) -> NodeType:
        """What a folder holds; "" if nothing of the tree."""
        if os.path.isfile(os.path.join(folder, ".zarray")):
            return "array"
        return "group" if os.path.isfile(os.path.join(folder, ".zgroup")) else ""

    def attributes(self, folder: str) -> Mapping[str, Any]:
        """The attributes of a group or array as they are written."""
        path = os.path.join(folder, ".zattrs")
        return read_document(path) if os.path.isfile(path) else {}

    def open_array(self, root: str, path: str) -> Zarr2Dataset:
        """The array at a path of a tree."""
        return Zarr2Dataset(root, path)


def open_zarr2(path: str) -> ZarrTree:
    """A Zarr 2 folder as a tree; it was looked over before."""
    return ZarrTree(path, Zarr2())


def _fill(layout: Mapping[str, Any], dtype: np.dtype) -> Any:
    value = layout.get("fill_value")
    if dtype.kind in "fc":
        return np.nan if value is None else float(value)
    if dtype.kind == "S":
        return b64decode(value or "")
    if dtype.kind in "OU":
        return value if isinstance(value, str) else ""
    return 0 if value is None else value
