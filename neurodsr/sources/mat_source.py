"""MATLAB files: version 5 by a reader of our own, version 7.3 through HDF5; nothing is run."""

from __future__ import annotations

import os

import numpy as np

from neurodsr.errors import DataError
from neurodsr.sources.mat5 import HEADER_BYTES, MatVariable, is_mat5, list_mat5
from neurodsr.sources.mat_struct import MatContents, squeeze, squeezed
from neurodsr.sources.safety import check_regular_file
from neurodsr.sources.table import Rows
from neurodsr.sources.table_source import TableSource

HDF5_BANNER = b"MATLAB 7.3 MAT-file"


def open_mat(path: str | os.PathLike[str]) -> TableSource:
    """The variables of a MAT-file: matrices (time, channel), fields of structs, cells of spikes.

    Raises
    ------
    DataError
        Damaged, truncated, or of a version before 5.
    IntegrityError
        Something in a version 7.3 file points outside of it.
    """
    where = os.fspath(path)
    check_regular_file(where)
    with open(where, "rb") as file:
        head = file.read(HEADER_BYTES)
    if head.startswith(HDF5_BANNER):
        from neurodsr.sources.mat_hdf5 import open_mat_hdf5

        return open_mat_hdf5(where)
    if not is_mat5(head):
        raise DataError(
            f"no MAT-file of version 5 or later: it begins with {head[:16]!r}",
            where=where,
            fix="save it again in MATLAB: save('file.mat', 'x', '-v7')",
        )
    contents = MatContents(where)
    for variable in list_mat5(where):
        _add(contents, variable)
    return TableSource(where, contents.table())


def read_scalars(path: str | os.PathLike[str], name: str) -> dict[str, float]:
    """Single numbers of one variable of a version 5 file, such as "ops.fs"; none if it lacks it.

    Raises
    ------
    DataError
        The file is damaged.
    """
    where = os.fspath(path)
    contents = MatContents(where)
    with open(where, "rb") as file:
        if not is_mat5(file.read(HEADER_BYTES)):
            return {}
    for variable in list_mat5(where):
        if variable.head.name == name:
            contents.add_value(name, variable.load())
    return contents.scalars


def _add(contents: MatContents, variable: MatVariable) -> None:
    """A matrix stays in the file until it is used; anything else is looked into."""
    head = variable.head
    if head.dtype is None or head.is_complex:
        contents.add_value(head.name, variable.load())
        return

    def load() -> np.ndarray:
        return squeeze(variable.load())

    contents.add_array(head.name, Rows.deferred(squeezed(head.shape), head.dtype, load))
