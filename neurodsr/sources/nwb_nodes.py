"""The objects of an NWB file by path and type name, and reading them with clear errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from neurodsr.errors import DataError
from neurodsr.sources.nwb_types import SPECIFICATIONS, ancestry, type_parents
from neurodsr.sources.tree import Dataset, Group, Tree

# Everything that h5py, numcodecs and zarr were seen to raise on damaged or unusual files.
READER_ERRORS = (
    OSError, RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError,
    AssertionError, ArithmeticError, MemoryError, SystemError,
)  # fmt: skip


@dataclass(frozen=True)
class Node:
    """One typed object of the file.

    `types` holds the names of the object's type and of all its ancestors, the own one first.
    Names are compared, never classes, so that extensions need no package.
    """

    path: str
    types: tuple[str, ...]
    group: Group
    tree: Tree

    @property
    def where(self) -> str:
        """File and path, for errors."""
        return f"{self.tree.where}:/{self.path}"

    def is_a(self, name: str) -> bool:
        """Whether the object is of a type or of one that descends from it."""
        return name in self.types

    def attribute(self, name: str, default: Any = "") -> Any:
        """An attribute of the object, or the default where it has none."""
        return self.group.attributes.get(name, default)

    def dataset(self, name: str) -> Dataset | None:
        """A dataset of the object by name; None if there is none, or it is a group."""
        if name not in self.group:
            return None
        item = self.group[name]
        return item if isinstance(item, Dataset) else None

    def text(self, name: str) -> str:
        """A scalar text of the object, in a dataset or an attribute; "" if there is none."""
        found = self.dataset(name)
        value = found[()] if found is not None else self.attribute(name)
        return as_text(np.ravel(value)[0]) if np.size(value) else ""


def index_nodes(tree: Tree) -> dict[str, Node]:
    """Every typed group of the file by its path, sorted; links are not followed."""
    parents = type_parents(tree)
    found = {n.path: n for n in _walk(tree.root, tree, parents)}
    return {path: found[path] for path in sorted(found)}


def _walk(group: Group, tree: Tree, parents: dict[str, str]) -> Iterator[Node]:
    for name in group:
        if group.is_link(name) or (not group.path and name == SPECIFICATIONS):
            continue
        item = group[name]
        if not isinstance(item, Group):
            continue
        kind = type_name(item)
        if kind:
            yield Node(item.path, ancestry(kind, parents), item, tree)
        yield from _walk(item, tree, parents)


def type_name(item: Group | Dataset) -> str:
    """The NWB type that an object says it has; "" if it says none."""
    attributes = item.attributes
    return as_text(attributes.get("neurodata_type") or attributes.get("data_type") or "")


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn whatever the readers raise into an error that names file and object."""
    try:
        yield
    except READER_ERRORS as error:
        detail = " ".join(str(error).split())[:300] or "no details"
        fix = "copy or download the file again, or leave this object out"
        # HDF5 looks for a missing filter in its folder of plug-ins, and may only name that.
        if "filter" in detail or "/plugin" in detail:
            fix = "pip install hdf5plugin: the data use a compression that plain HDF5 lacks"
        raise DataError(
            f"cannot be read ({type(error).__name__}: {detail})", where=where, fix=fix
        ) from error


def read_all(data: Dataset, where: str) -> np.ndarray:
    """The whole of a small dataset or column."""
    with reading(where):
        return np.asarray(data[()] if data.ndim == 0 else data[:])


def row_bounds(
    index: Dataset, *, n_rows: int, n_data: int, where: str
) -> Int[np.ndarray, " rows_plus_1"]:
    """Where each row of a ragged column starts and ends, checked before any data are read.

    The file stores the cumulative END of each row; they must be whole numbers, never fall, and
    stay inside the data.
    """
    ends = read_all(index, where)
    if ends.dtype.kind not in "iu" or ends.shape != (n_rows,):
        raise _ragged(f"has type {ends.dtype}, shape {ends.shape} for {n_rows} rows", where)
    if n_rows and int(ends.max()) > n_data:
        row = int(np.argmax(ends > n_data))
        raise _ragged(f"row {row} ends at {int(ends[row])}, beyond {n_data} values", where)
    bounds = np.concatenate([[0], ends.astype(np.int64)])
    if np.any(falling := np.diff(bounds) < 0):
        row = int(np.argmax(falling))
        raise _ragged(f"row {row} ends at {bounds[row + 1]}, before {bounds[row]}", where)
    return bounds


def _ragged(what: str, where: str) -> DataError:
    return DataError(
        f"the index of the ragged column is wrong: {what}",
        where=where,
        fix="write the table again from its origin; the file was cut or converted wrongly",
    )


def as_text(value: Any) -> str:
    """A string from what the readers give for one."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def name_some(names: Sequence[str], *, limit: int = 10) -> str:
    """The names, joined; beyond the limit only how many more."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
