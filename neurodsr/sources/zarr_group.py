"""The groups of a Zarr folder, read file by file; the two formats differ in a few answers."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from neurodsr.sources.tree import Dataset, Group, Tree
from neurodsr.sources.zarr_attributes import link_targets, plain_attributes

NodeType = Literal["group", "array", ""]


class ZarrFormat(ABC):
    """Where a format of Zarr keeps what a tree asks for.

    Consolidated metadata are never used: they may be older than what they summarize.
    """

    @abstractmethod
    def node_type(self, folder: str) -> NodeType:
        """What a folder holds; "" if nothing of the tree."""

    @abstractmethod
    def attributes(self, folder: str) -> Mapping[str, Any]:
        """The attributes of a group or array as they are written."""

    @abstractmethod
    def open_array(self, root: str, path: str) -> Dataset:
        """The array at a path of a tree."""


class ZarrGroup(Group):
    """A group of a Zarr folder; each member is opened once.

    Parameters
    ----------
    root
        The folder of the whole tree.
    path
        Where the group lies in it.
    layout
        The format of the folder.
    """

    def __init__(self, root: str, path: str, layout: ZarrFormat) -> None:
        self.path, self._root, self._layout = path, root, layout
        self._members: dict[str, Group | Dataset] = {}

    @cached_property
    def attributes(self) -> Mapping[str, Any]:  # type: ignore[override]
        """Attributes as plain values; references are paths."""
        return plain_attributes(self._document, self._root, self._where)

    def names(self) -> tuple[str, ...]:
        """Names of the members, sorted; linked ones too."""
        return self._names

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def is_link(self, name: str) -> bool:
        """Whether a member lies elsewhere in the tree."""
        return name in self._links

    def __getitem__(self, name: str) -> Group | Dataset:
        if name not in self._members:
            if name not in self._known:
                raise KeyError(f"{self.path}/{name}")
            self._members[name] = self._opened(self._links.get(name, f"{self.path}/{name}"))
        return self._members[name]

    @property
    def _where(self) -> str:
        return f"{self._root}:/{self.path}"

    @cached_property
    def _document(self) -> Mapping[str, Any]:
        return self._layout.attributes(os.path.join(self._root, self.path))

    @cached_property
    def _links(self) -> dict[str, str]:
        return link_targets(self._document, self._root, self._where)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        with os.scandir(os.path.join(self._root, self.path)) as entries:
            folders = [e for e in entries if e.is_dir(follow_symlinks=False)]
        own = {folder.name for folder in folders if self._layout.node_type(folder.path)}
        return tuple(sorted(own | self._links.keys()))

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self._names)

    def _opened(self, path: str) -> Group | Dataset:
        path = path.strip("/")
        found = self._layout.node_type(os.path.join(self._root, path))
        if found == "array":
            return self._layout.open_array(self._root, path)
        if found == "group":
            return ZarrGroup(self._root, path, self._layout)
        raise KeyError(path)


class ZarrTree(Tree):
    """An opened Zarr folder; nothing is held open.

    Parameters
    ----------
    path
        The folder; it was looked over before.
    layout
        Its format.
    """

    def __init__(self, path: str, layout: ZarrFormat) -> None:
        self.where = path
        self.root = ZarrGroup(path, "", layout)

    def close(self) -> None:
        """Nothing is held open."""
