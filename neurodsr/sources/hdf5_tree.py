"""An HDF5 file as a tree; it was scanned before, so nothing in it leads elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import h5py
import numpy as np

from neurodsr.sources.chunks import read_rows
from neurodsr.sources.safety import refuse_sequences
from neurodsr.sources.tree import DataKind, Dataset, Group, Tree

SMALL = 2**20
"""Bytes up to which a dataset is read in one call, without a look at how it is stored."""


class _Link(NamedTuple):
    """A member's name as the file has it, which may be no UTF-8, and where a soft link leads."""

    raw: bytes
    target: bytes | None


class Hdf5Attributes(Mapping[str, Any]):
    """Attributes of an object; a file of thousands of objects has many that nobody asks for.

    Parameters
    ----------
    source
        The opened h5py group or dataset.
    """

    def __init__(self, source: h5py.HLObject) -> None:
        self._source, self._found = source, {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._found:
            self._found[name] = _plain(self._source, _attribute(self._source, name))
        return self._found[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The attribute, or the default where there is none of that name."""
        return self[name] if name in self else default  # noqa: SIM401  (it is this very method)

    def __contains__(self, name: object) -> bool:
        known = name in self._found or h5py.h5a.exists(self._source.id, str(name).encode())
        return bool(known)

    def __iter__(self) -> Iterator[str]:
        return iter(self._source.attrs)

    def __len__(self) -> int:
        return len(self._source.attrs)


class Hdf5Dataset(Dataset):
    """A dataset of an HDF5 file.

    Parameters
    ----------
    source
        The opened h5py dataset.
    path
        Where it lies.
    """

    def __init__(self, source: h5py.Dataset, path: str) -> None:
        self.source, self.path = source, path

    @cached_property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Length of each axis."""
        return self.source.shape or ()

    @cached_property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        """Type of the elements in the file."""
        return self.source.dtype

    @cached_property
    def kind(self) -> DataKind:  # type: ignore[override]
        """What the elements are."""
        if h5py.check_string_dtype(self.dtype) is not None or self.dtype.kind in "SU":
            return "text"
        if h5py.check_ref_dtype(self.dtype) is h5py.Reference:
            return "reference"
        return "number" if self.dtype.kind in "biuf" else "other"

    @cached_property
    def attributes(self) -> Mapping[str, Any]:  # type: ignore[override]
        """Attributes as plain values, each read when first asked for."""
        return Hdf5Attributes(self.source)

    def __getitem__(self, key: Any) -> np.ndarray:
        if self.kind == "text":
            return np.asarray(self.source.asstr("utf-8", "replace")[key], dtype=str)
        if self.kind == "other":
            refuse_sequences(self.source.id.get_type())
        if isinstance(key, slice) and self.kind == "number":
            start, stop, step = key.indices(len(self))
            if step == 1 and (start, stop) == (0, len(self)) and self._is_small:
                return self._whole()
            if step == 1:
                return read_rows(self.source, start, stop)
        raw = self.source[key]
        if self.kind == "reference":
            paths = [_target(self.source, reference) for reference in np.ravel(raw)]
            return np.array(paths, dtype=str).reshape(np.shape(raw))
        return np.asarray(raw)

    @cached_property
    def _is_small(self) -> bool:
        return 0 < math.prod(self.shape) * self.dtype.itemsize <= SMALL

    def _whole(self) -> np.ndarray:
        """All elements in one call; for the thousands of small datasets that some files have."""
        out = np.empty(self.shape, dtype=self.dtype)
        self.source.id.read(h5py.h5s.ALL, h5py.h5s.ALL, out)
        return out


class Hdf5Group(Group):
    """A group of an HDF5 file; each member is opened once.

    Parameters
    ----------
    source
        The opened h5py group.
    path
        Where it lies.
    """

    def __init__(self, source: h5py.Group, path: str) -> None:
        self.source, self.path = source, path
        self._members: dict[str, Group | Dataset] = {}

    @cached_property
    def attributes(self) -> Mapping[str, Any]:  # type: ignore[override]
        """Attributes as plain values, each read when first asked for."""
        return Hdf5Attributes(self.source)

    def names(self) -> tuple[str, ...]:
        """Names of the members, sorted."""
        return tuple(self._links)

    def __contains__(self, name: str) -> bool:
        return name in self._links

    def is_link(self, name: str) -> bool:
        """Whether a member is a soft link."""
        return self._links[name].target is not None

    def __getitem__(self, name: str) -> Group | Dataset:
        if name not in self._members:
            self._members[name] = self._opened(name)
        return self._members[name]

    @cached_property
    def _links(self) -> dict[str, _Link]:
        """The members' names, with where soft links lead; sorted."""
        links, found = self.source.id.links, {}

        def note(raw: bytes, info: h5py.h5l.LinkInfo) -> None:
            soft = info.type == h5py.h5l.TYPE_SOFT
            found[raw.decode("utf-8", "replace")] = _Link(raw, links.get_val(raw) if soft else None)

        # One walk by HDF5 itself takes a quarter of the time that asking for each link does.
        links.iterate(note, info=True)
        return {name: found[name] for name in sorted(found)}

    def _opened(self, name: str) -> Group | Dataset:
        link = self._links[name]
        # A followed link would carry the link's own name, not that of what it leads to.
        leads = (link.target or b"").decode("utf-8", "replace")
        path = leads if leads.startswith("/") else f"{self.path}/{name}"
        item = h5py.h5o.open(self.source.id, link.target or link.raw)
        if isinstance(item, h5py.h5g.GroupID):
            return Hdf5Group(h5py.Group(item), path.strip("/"))
        if isinstance(item, h5py.h5d.DatasetID):
            return Hdf5Dataset(h5py.Dataset(item), path.strip("/"))
        raise KeyError(f"{path} is neither a group nor a dataset")


class Hdf5Tree(Tree):
    """An opened HDF5 file.

    Parameters
    ----------
    path
        A file that `scan_hdf5` found to be whole and self-contained.
    """

    def __init__(self, path: str) -> None:
        self.where = path
        self._file = h5py.File(path, "r", locking="best-effort")
        self.root = Hdf5Group(self._file["/"], "")

    def close(self) -> None:
        """Release the file, also where something still holds a part of it."""
        self._file.close()


def _attribute(source: h5py.HLObject, name: str) -> Any:
    """An attribute as h5py gives it; most are single texts, for which there is a shorter way."""
    attribute = h5py.h5a.open(source.id, name.encode())
    kind = attribute.get_type()
    refuse_sequences(kind)
    varies = kind.get_class() == h5py.h5t.STRING and kind.is_variable_str()
    if not varies or not attribute.get_storage_size() or attribute.shape:
        return source.attrs[name]
    text = np.empty((), dtype=h5py.string_dtype())
    attribute.read(text)
    return text[()]


def _plain(source: h5py.HLObject, value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, h5py.Reference):
        return _target(source, value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "OS":
        return np.array([_plain(source, v) for v in value.ravel()], dtype=str).reshape(value.shape)
    return value


def _target(source: h5py.HLObject, reference: h5py.Reference) -> str:
    """Path that a reference points to; "" if to nothing."""
    return (h5py.h5r.get_name(reference, source.id) or b"").decode("utf-8", "replace").strip("/")
