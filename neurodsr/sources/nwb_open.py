"""An NWB file as a tree, whichever way it is stored, after the checks of its format."""

from __future__ import annotations

import os

from neurodsr.sources.safety import scan_hdf5
from neurodsr.sources.tree import Tree


def open_nwb_tree(path: str) -> Tree:
    """The opened tree of an NWB file on HDF5, or of a folder that holds one on Zarr.

    Raises
    ------
    DataError
        Missing, damaged, or not NWB 2.
    IntegrityError
        Something in it points outside of it.
    """
    if os.path.isdir(path):
        from neurodsr.sources.zarr_open import open_zarr_tree, require_nwb

        tree = open_zarr_tree(path)
        require_nwb(tree)
        return tree
    scan_hdf5(path)
    from neurodsr.sources.hdf5_tree import Hdf5Tree

    return Hdf5Tree(path)
