"""The objects of an NWB file by path and type name, and reading them with clear errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from hdmf.build import ConstructError, ContainerConfigurationError
from hdmf.build.errors import BuildError
from jaxtyping import Int

from neurodsr.errors import DataError

# Everything pynwb, hdmf and h5py were seen to raise on damaged or unusual files.
READER_ERRORS = (
    OSError, RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError,
    AssertionError, ArithmeticError, BuildError, ConstructError, ContainerConfigurationError,
)  # fmt: skip


@dataclass(frozen=True)
class Node:
    """One object of the file: its path, pynwb's object, and the file it lies in.

    `types` holds the names of the object's type and of all its ancestors. Names are compared,
    never classes: classes of extensions are made anew from the file's cached schema.
    """

    path: str
    item: Any
    file: str

    @property
    def where(self) -> str:
        """File and path, for errors."""
        return f"{self.file}:/{self.path}"

    @property
    def types(self) -> tuple[str, ...]:
        """Names of the type and its ancestors, the own one first."""
        return tuple(c.__name__ for c in type(self.item).__mro__)


def index_nodes(manager: Any, nwbfile: Any, file: str) -> dict[str, Node]:
    """Every time series and table of the file by its HDF5 path, sorted by path."""
    nodes = {}
    for item in nwbfile.objects.values():
        builder = manager.get_builder(item)
        if builder is not None:
            path = builder.path.removeprefix("root").strip("/")
            nodes[path] = Node(path, item, file)
    wanted = {"TimeSeries", "DynamicTable"}
    return {p: nodes[p] for p in sorted(nodes) if wanted & set(nodes[p].types)}


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn whatever the readers raise into an error that names file and object."""
    try:
        yield
    except READER_ERRORS as error:
        detail = _detail(error)
        fix = "copy or download the file again, or leave this object out"
        if "filter" in detail:
            fix = "pip install hdf5plugin: the data use a compression that plain HDF5 lacks"
        elif "namespace" in detail:
            fix = "install the NWB extension (ndx-...) that the file needs, or re-save the file"
        raise DataError(
            f"cannot be read ({type(error).__name__}: {detail})", where=where, fix=fix
        ) from error


def _detail(error: Exception) -> str:
    """What the reader said; hdmf puts the whole object before its message."""
    said = error.args[-1] if error.args else ""
    return " ".join(str(said).split())[:300] or "no details"


def read_all(data: Any, where: str) -> np.ndarray:
    """The whole of a small dataset or column."""
    with reading(where):
        return np.asarray(data[:])


def row_bounds(
    index: Any, *, n_rows: int, n_data: int, where: str
) -> Int[np.ndarray, " rows_plus_1"]:
    """Where each row of a ragged column starts and ends, checked before any data are read.

    The file stores the cumulative END of each row; they must be whole numbers, never fall, and
    stay inside the data.
    """
    ends = read_all(index.data, where)
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


def is_text(data: Any) -> bool:
    """Whether a column holds strings."""
    dtype = getattr(data, "dtype", None)
    return dtype is not None and (h5py.check_string_dtype(dtype) is not None or dtype.kind in "SU")


def as_text(value: Any) -> str:
    """A string from what the readers give for one."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def name_some(names: Sequence[str], *, limit: int = 10) -> str:
    """The names, joined; beyond the limit only how many more."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
