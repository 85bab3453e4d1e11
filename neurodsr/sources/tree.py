"""The tree of groups and datasets that NWB lies in, the same for HDF5 and both Zarr formats."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np

DataKind = Literal["number", "text", "reference", "other"]


class Dataset(ABC):
    """An array in the file; nothing is read until it is sliced.

    `path` has no leading slash. `kind` says what the elements are: numbers and booleans, texts,
    references to other objects (given as their paths), or something that is never read.
    """

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype
    kind: DataKind
    attributes: Mapping[str, Any]

    @abstractmethod
    def __getitem__(self, key: Any) -> np.ndarray:
        """Rows along the first axis (an integer, a slice, an increasing index) or `()` for all.

        Texts and references come as str.
        """

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)


class Group(ABC):
    """A named set of groups and datasets; links are followed, references are paths.

    `attributes` are plain: str, numbers, NumPy arrays of them; a reference is the path (str,
    without a leading slash) of what it points to.
    """

    path: str
    attributes: Mapping[str, Any]

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the members, sorted."""

    @abstractmethod
    def __getitem__(self, name: str) -> Group | Dataset:
        """A member; KeyError if there is none of that name."""

    @abstractmethod
    def is_link(self, name: str) -> bool:
        """Whether a member lies elsewhere in the tree and is only named here."""

    def get(self, name: str) -> Group | Dataset | None:
        """A member; None if there is none of that name."""
        return self[name] if name in self else None  # noqa: SIM401  (this is that `get`)

    def __contains__(self, name: str) -> bool:
        return name in self.names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())


class Tree(ABC):
    """An opened file or folder."""

    where: str
    root: Group

    def get(self, path: str) -> Group | Dataset:
        """The object at a path, with or without a leading slash; KeyError if there is none."""
        item: Any = self.root
        for part in filter(None, path.split("/")):
            if not isinstance(item, Group):
                raise KeyError(path)
            item = item[part]
        return item

    @abstractmethod
    def close(self) -> None:
        """Release the file."""
