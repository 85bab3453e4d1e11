"""A Zarr folder as a tree, whichever format of Zarr it is, after a look over the folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurodsr.errors import DataError
from neurodsr.sources.folder_safety import scan_zarr_folder
from neurodsr.sources.tree import Tree


def open_zarr_tree(path: str) -> Tree:
    """The tree of any Zarr folder of format 2 or 3, which reads nothing outside of it.

    Raises
    ------
    DataError
        It is no Zarr group, or declares more than it stores.
    IntegrityError
        Something in it points outside of it.
    """
    scan_zarr_folder(path)
    if (Path(path) / "zarr.json").is_file():
        from neurodsr.sources.zarr3_tree import open_zarr3

        return open_zarr3(path)
    from neurodsr.sources.zarr2_tree import open_zarr2

    return open_zarr2(path)


def require_nwb(tree: Tree) -> None:
    """Refuse a tree that is not NWB 2.

    Raises
    ------
    DataError
        There is no `nwb_version`, or it is another.
    """
    found = tree.root.attributes.get("nwb_version")
    if found is None:
        names = ", ".join(tree.root.names()[:8]) or "nothing"
        raise DataError(
            f"Zarr but not NWB: there is no nwb_version, and its root holds {names}",
            where=tree.where,
            fix="lay the group out as docs/zarr_layout.md says, or export it to NWB",
        )
    version = str(np.ravel(found)[0])
    if not version.removeprefix("NWB-").startswith("2"):
        raise DataError(
            f"the file is of NWB version {version!r}; version 2 is needed",
            where=tree.where,
            fix="ask for an NWB 2 copy or convert it with pynwb",
        )
