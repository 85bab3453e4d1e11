"""NWB on Zarr format 3, as hdmf-zarr from 0.14 on writes it, as a tree.

Metadata are read file by file, chunks by zarr-python, which is slow to open objects but knows
shards and codecs. The folder's codecs were looked at before.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import zarr

from neurodsr.sources.folder_safety import read_document
from neurodsr.sources.tree import DataKind
from neurodsr.sources.zarr_attributes import REFERENCES, stands_for
from neurodsr.sources.zarr_dataset import ZarrDataset
from neurodsr.sources.zarr_group import NodeType, ZarrFormat, ZarrTree

TEXTS = frozenset({"string", "variable_length_utf8", "fixed_length_utf32", "null_terminated_bytes",
                   "variable_length_bytes", "bytes"})  # fmt: skip
NUMBERS = frozenset(
    {"bool", "float16", "float32", "float64"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)


class Zarr3Dataset(ZarrDataset):
    """An array of a Zarr 3 folder; zarr-python opens it when it is first read.

    Parameters
    ----------
    root
        The folder of the whole tree.
    path
        Where the array lies in it.
    layout
        Its `zarr.json`.
    """

    def __init__(self, root: str, path: str, layout: Mapping[str, Any]) -> None:
        self._layout, said = layout, layout["data_type"]
        self._type = said if isinstance(said, str) else str(said["name"])
        super().__init__(
            root,
            path,
            shape=tuple(layout["shape"]),
            chunks=tuple(layout["chunk_grid"]["configuration"]["chunk_shape"]),
            dtype=np.dtype(self._type if self._type in NUMBERS else "O"),
        )

    @cached_property
    def kind(self) -> DataKind:  # type: ignore[override]
        """What the elements are; records are not taken apart."""
        if self._type in NUMBERS:
            return "number"
        if self._type not in TEXTS:
            return "other"
        return "reference" if stands_for(self.attributes) in REFERENCES else "text"

    def _document(self) -> Mapping[str, Any]:
        return self._layout.get("attributes") or {}

    def _rows(self, first: int, stop: int) -> np.ndarray:
        return np.asarray(self._array[first:stop] if self._full else self._array[()])

    @cached_property
    def _array(self) -> zarr.Array:
        return zarr.open_array(self._folder, mode="r", zarr_format=3)


class Zarr3(ZarrFormat):
    """Format 3: one `zarr.json` for each group and array, each read once."""

    def __init__(self) -> None:
        self._documents: dict[str, Mapping[str, Any]] = {}

    def node_type(self, folder: str) -> NodeType:
        """What a folder holds; "" if nothing of the tree."""
        found = self._document(folder).get("node_type")
        return found if found in ("group", "array") else ""

    def attributes(self, folder: str) -> Mapping[str, Any]:
        """The attributes of a group or array as they are written."""
        return self._document(folder).get("attributes") or {}

    def open_array(self, root: str, path: str) -> Zarr3Dataset:
        """The array at a path of a tree."""
        return Zarr3Dataset(root, path, self._document(os.path.join(root, path)))

    def _document(self, folder: str) -> Mapping[str, Any]:
        if folder not in self._documents:
            path = os.path.join(folder, "zarr.json")
            self._documents[folder] = read_document(path) if os.path.isfile(path) else {}
        return self._documents[folder]


def open_zarr3(path: str) -> ZarrTree:
    """A Zarr 3 folder as a tree; it was looked over before."""
    return ZarrTree(path, Zarr3())
