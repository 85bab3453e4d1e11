"""Open a recording by what its bytes say, whatever its name is."""

from __future__ import annotations

import os
from importlib import import_module

from neurodsr.sources.base import Source
from neurodsr.sources.recognize import Format, recognize

# Modules are imported when a file of their format is opened: some take a second.
_OPENERS: dict[Format, tuple[str, str]] = {
    "nwb-hdf5": ("nwb", "NwbSource"),
    "nwb-zarr": ("nwb", "NwbSource"),
    "zarr": ("plain_zarr", "PlainZarrSource"),
    "nifti": ("nifti", "NiftiSource"),
    "bids": ("bids", "BidsSource"),
    "csv": ("csv_source", "open_csv"),
    "npy": ("npy_source", "open_npy"),
    "npz": ("npy_source", "open_npz"),
    "mat": ("mat_source", "open_mat"),
    "suite2p": ("suite2p", "open_suite2p"),
}


def open_source(path: str | os.PathLike[str]) -> Source:
    """The opened recording, a context manager; its format is found from the content.

    Parameters
    ----------
    path
        A file or folder; its name and suffix play no role.

    Raises
    ------
    DataError
        Missing, unreadable, damaged, or of a format that is not understood.
    IntegrityError
        The file is unsafe to read: something in it points outside of it.
    """
    where = os.fspath(path)
    module, opener = _OPENERS[recognize(where)]
    return getattr(import_module(f"neurodsr.sources.{module}"), opener)(where)
