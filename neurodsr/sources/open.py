"""Open a recording by what its bytes say, whatever its name is."""

from __future__ import annotations

import os

from neurodsr.errors import DataError
from neurodsr.sources.base import Source
from neurodsr.sources.safety import check_regular_file, has_hdf5_signature

FORMATS = "NWB 2 on HDF5 (usually .nwb)"


def open_source(path: str | os.PathLike[str]) -> Source:
    """The opened recording, a context manager; its format is found from the content.

    Parameters
    ----------
    path
        A file; its suffix plays no role.

    Raises
    ------
    DataError
        Missing, unreadable, damaged, or of a format that is not understood.
    IntegrityError
        The file is unsafe to read: something in it points outside of it.
    """
    where = os.fspath(path)
    check_regular_file(where)
    if not has_hdf5_signature(where):
        raise DataError(
            f"unknown format: the file begins with {_first_bytes(where)}",
            where=where,
            fix=f"formats understood: {FORMATS}",
        )
    from neurodsr.sources.nwb import NwbSource  # pynwb takes seconds to import

    return NwbSource(where)


def _first_bytes(where: str) -> str:
    with open(where, "rb") as file:
        return repr(file.read(8))
