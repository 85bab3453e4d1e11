"""What a file or folder is, told from its content; its name and suffix play no role."""

from __future__ import annotations

import json
import os
import zipfile
from json import JSONDecodeError
from pathlib import Path
from typing import Any, Literal

from neurodsr.errors import DataError
from neurodsr.sources.mat5 import is_mat5
from neurodsr.sources.safety import check_regular_file, has_hdf5_signature

Format = Literal[
    "nwb-hdf5", "nwb-zarr", "zarr", "nifti", "bids", "csv", "npy", "npz", "mat", "suite2p"
]

FORMATS = (
    "NWB 2 on HDF5 (usually .nwb) or Zarr, NIfTI, CSV or TSV, NumPy .npy or .npz, "
    "MATLAB .mat from version 5 on"
)
FOLDERS = "NWB on Zarr, a Zarr group, a BIDS dataset or its func folder, suite2p output"
HEAD_BYTES = 64 * 2**10
_NPY, _ZIP, _GZIP = b"\x93NUMPY", b"PK\x03\x04", b"\x1f\x8b"
_ZARR = (".zgroup", "zarr.json")
_MAX_DOCUMENT = 2**24


def recognize(path: str | os.PathLike[str]) -> Format:
    """The format of a file or folder.

    Parameters
    ----------
    path
        What there is; nothing but regular files and folders is ever opened.

    Raises
    ------
    DataError
        Missing, empty, unreadable, or of a format that is not understood; all that are, are named.
    """
    where = os.fspath(path)
    return _folder(where) if os.path.isdir(where) else _file(where)


def _file(where: str) -> Format:
    size = check_regular_file(where).st_size
    with open(where, "rb") as file:
        head = file.read(HEAD_BYTES)
    found = _by_signature(where, head) or _table(head, whole=size <= len(head)) or _image(where)
    if found is None:
        raise DataError(
            f"unknown format: {_describe(where, head)}",
            where=where,
            fix=f"formats understood: {FORMATS}",
        )
    return found


def _by_signature(where: str, head: bytes) -> Format | None:
    if has_hdf5_signature(where):
        return "mat" if head.startswith(b"MATLAB 7.3") else "nwb-hdf5"
    if head.startswith(_NPY):
        return "npy"
    if head.startswith(_ZIP):
        return "npz" if _holds_arrays(where) else None
    return "mat" if is_mat5(head) else None


def _table(head: bytes, *, whole: bool) -> Format | None:
    from neurodsr.sources.csv_text import sniff

    return None if sniff(head, whole=whole) is None else "csv"


def _image(where: str) -> Format | None:
    from neurodsr.sources.nifti_header import is_nifti

    return "nifti" if is_nifti(where) else None


def _holds_arrays(where: str) -> bool:
    return bool(names := _members(where)) and all(name.endswith(".npy") for name in names)


def _members(where: str) -> list[str]:
    try:
        with zipfile.ZipFile(where) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError):
        return []


def _describe(where: str, head: bytes) -> str:
    """What is found instead, in words that help to mend it."""
    if head.startswith(_ZIP):
        names = _members(where)
        if "[Content_Types].xml" in names:
            return "an Office document; a sheet can be saved as CSV"
        return f"a zip archive of {', '.join(names[:3]) or 'nothing that can be listed'}; unpack it"
    if head.startswith(_GZIP):
        return "compressed with gzip, and no NIfTI image; unpack it with gunzip"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text in UTF-16; save it in UTF-8"
    return f"the file begins with {head[:8]!r}"


def _folder(where: str) -> Format:
    from neurodsr.sources.bids import is_bids_folder

    folder = Path(where)
    if not os.access(where, os.R_OK | os.X_OK):
        raise DataError(
            "no permission to read the folder", where=where, fix=f"chmod u+rx {folder.name}"
        )
    if any((folder / name).is_file() for name in _ZARR):
        return "nwb-zarr" if "nwb_version" in _zarr_attributes(folder) else "zarr"
    if _holds_traces(folder):
        return "suite2p"
    if is_bids_folder(where):
        return "bids"
    names = sorted(p.name for p in folder.iterdir())
    raise DataError(
        f"a folder of no known kind, with {', '.join(names[:6]) or 'nothing in it'}",
        where=where,
        fix=f"give one file, or a folder of these kinds: {FOLDERS}",
    )


def _holds_traces(folder: Path) -> bool:
    from neurodsr.sources.suite2p import find_planes

    return bool(find_planes(folder))


def _zarr_attributes(folder: Path) -> dict[str, Any]:
    """Attributes of the root of a Zarr folder of either format."""
    third = _document(folder / "zarr.json").get("attributes", {})
    return {**_document(folder / ".zattrs"), **(third if isinstance(third, dict) else {})}


def _document(path: Path) -> dict[str, Any]:
    """A small JSON object; empty if there is none."""
    if not path.is_file() or path.stat().st_size > _MAX_DOCUMENT:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (JSONDecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
