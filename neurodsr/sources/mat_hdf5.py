"""MATLAB 7.3 files, which are HDF5 with axes the other way round and cells behind references."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np

from neurodsr.errors import DataError, IntegrityError
from neurodsr.sources.mat_struct import MAX_DEPTH, MAX_NESTED, MatContents, squeezed
from neurodsr.sources.safety import LOW_LEVEL_ERRORS, check_objects
from neurodsr.sources.table import Rows
from neurodsr.sources.table_source import TableSource

Member = h5py.Group | h5py.Dataset


def open_mat_hdf5(where: str) -> TableSource:
    """The variables of a MATLAB 7.3 file; large matrices stay in it until they are sliced.

    Raises
    ------
    DataError
        The file is damaged, truncated, or larger on paper than on disk.
    IntegrityError
        Something in it points outside of the file.
    """
    with _reading(where):
        file = h5py.File(where, "r", locking="best-effort")
    try:
        with _reading(where):
            check_objects(file, where)
            contents = MatContents(where)
            for name in file:
                if not name.startswith("#"):  # MATLAB's own: #refs#, #subsystem#
                    _add(contents, name, file[name], 0)
    except (DataError, IntegrityError):
        file.close()
        raise
    return TableSource(where, contents.table(), release=file.close)


def _add(contents: MatContents, name: str, item: Member, depth: int) -> None:
    kind = _class(item)
    if depth > MAX_DEPTH:
        contents.refuse(name, f"nested more than {MAX_DEPTH} deep", "save it by itself")
    elif "MATLAB_object_decode" in item.attrs or kind == "function_handle":
        contents.refuse(name, "an object or function", "save its numbers in plain variables")
    elif "MATLAB_sparse" in item.attrs:
        contents.refuse(name, "a sparse matrix", "save it as a full matrix: full(x)")
    elif isinstance(item, h5py.Group):
        for own in item:
            _add(contents, f"{name}.{own}", item[own], depth + 1)
    elif _is_empty(item):
        return
    elif kind == "char":
        contents.texts[name] = _texts(item)
    elif h5py.check_ref_dtype(item.dtype) is h5py.Reference:
        _add_cells(contents, name, item, depth)
    else:
        contents.add_array(name, _rows(item, f"{contents.where}:{name}"))


def _add_cells(contents: MatContents, name: str, item: h5py.Dataset, depth: int) -> None:
    """Cells, or the same field of each struct of an array: both are references to datasets."""
    # The axes are reversed, so HDF5's order of elements is MATLAB's.
    cells = [item.file[reference] for reference in np.ravel(item[()]) if reference]
    if all(_is_plain(cell) for cell in cells):
        contents.add_cells(name, [_plain(cell) for cell in cells], depth=depth)
    elif len(cells) > MAX_NESTED:
        contents.refuse(name, f"{len(cells)} cells of several kinds", "save a struct or a matrix")
    else:
        for i, cell in enumerate(cells):
            _add(contents, f"{name}{{{i + 1}}}", cell, depth + 1)


def _is_plain(cell: Member) -> bool:
    """Whether a cell is a text, a vector of numbers, or empty."""
    if not isinstance(cell, h5py.Dataset):
        return False
    vector = cell.dtype.kind in "biuf" and len(squeezed(cell.shape)) == 1
    return _is_empty(cell) or _class(cell) == "char" or vector


def _plain(cell: h5py.Dataset) -> tuple[str, ...] | np.ndarray:
    if _class(cell) == "char":
        return () if _is_empty(cell) else _texts(cell)
    return np.zeros(0) if _is_empty(cell) else np.ravel(cell[()])


def _texts(item: h5py.Dataset) -> tuple[str, ...]:
    """One text a row of characters, which are stored as UTF-16 units."""
    units = np.atleast_2d(item[()].T).astype("<u2")
    return tuple(row.tobytes().decode("utf-16-le", "replace").strip() for row in units)


def _rows(item: h5py.Dataset, where: str) -> Rows:
    """A matrix as MATLAB shows it: the axes of the dataset, reversed."""
    shape = item.shape[::-1]

    def reader(read: Callable[[slice], np.ndarray]) -> Callable[[slice], np.ndarray]:
        def checked(rows: slice) -> np.ndarray:
            with _reading(where):
                return read(rows)

        return checked

    if len(shape) == 2 and 1 in shape:
        along_first = item.shape[1] == 1
        read = reader(lambda s: np.ravel(item[s, 0] if along_first else item[0, s]))
        return Rows(squeezed(shape), item.dtype, read, read)
    if len(shape) == 2:
        return Rows(shape, item.dtype, reader(lambda s: item[:, s].T), reader(lambda s: item[s]))
    whole = reader(lambda s: item[()].T[s])
    return Rows(shape, item.dtype, whole, whole)


def _class(item: Member) -> str:
    found: Any = item.attrs.get("MATLAB_class", b"")
    return found.decode("ascii", "replace") if isinstance(found, bytes) else str(found)


def _is_empty(item: Member) -> bool:
    """Whether a variable is empty; its dataset then holds its size instead of its values."""
    return bool(item.attrs.get("MATLAB_empty", 0)) or item.shape is None or 0 in item.shape


@contextmanager
def _reading(where: str) -> Iterator[None]:
    try:
        yield
    except LOW_LEVEL_ERRORS as error:
        raise DataError(
            f"the MATLAB 7.3 file cannot be read: {error}",
            where=where,
            fix="copy it again, or save it again in MATLAB with save -v7.3",
        ) from error
