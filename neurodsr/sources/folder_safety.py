"""What is checked of a Zarr folder before any reader may look into it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neurodsr.errors import DataError, IntegrityError
from neurodsr.sources.array_safety import MALFORMED, check_array, damaged
from neurodsr.sources.zarr_attributes import leaving_links

MAX_DOCUMENT = 16 * 2**20
MAX_DEPTH = 64
SHOWN = 10
GROUPS = (".zgroup", "zarr.json")
DOCUMENTS = frozenset({".zarray", ".zattrs", *GROUPS})


@dataclass
class _Array:
    """An array with what is stored of it."""

    folder: str
    document: Mapping[str, Any]
    n_bytes: int = 0
    n_files: int = 0


@dataclass
class _Folder:
    """A folder of the tree, and the array that it holds or lies in."""

    path: str
    depth: int
    array: _Array | None
    members: list[os.DirEntry] = field(default_factory=list)


def scan_zarr_folder(path: str) -> None:
    """Check that a Zarr folder is self-contained, and declares no more than it could hold.

    A link can lead anywhere, 2 kB of metadata can declare 8 TB, and a codec can be any program.
    Every file is looked at once, and no data are read. A hard link is a file like any other: it
    leads nowhere, and backups are made of them.

    Raises
    ------
    DataError
        Not a Zarr group, metadata that are damaged or huge, or arrays larger on paper than on
        disk.
    IntegrityError
        Something in the folder points outside of it, all of which is listed; or an array asks for
        a foreign codec.
    """
    if not any(os.path.isfile(os.path.join(path, name)) for name in GROUPS):
        raise DataError(
            "the folder is no Zarr group", where=path, fix="give the folder that holds .zgroup"
        )
    outside: list[str] = []
    arrays: list[_Array] = []
    stack = [_Folder(path, 0, None)]
    while stack:
        folder = stack.pop()
        outside += _look(folder, path)
        if folder.array is not None and folder.array.folder == folder.path:
            arrays.append(folder.array)
        stack += [
            _Folder(member.path, folder.depth + 1, folder.array)
            for member in folder.members
            if member.is_dir(follow_symlinks=False)
        ]
    _refuse_outside(outside, path)
    for array in arrays:
        check_array(array.document, stored=array.n_bytes, n_files=array.n_files, where=array.folder)


def read_document(path: str) -> dict[str, Any]:
    """A metadata document, which is a JSON object.

    Raises
    ------
    DataError
        It is none, is larger than 16 MiB, or is nested too deeply.
    """
    where = str(path)
    try:
        if (size := os.path.getsize(path)) > MAX_DOCUMENT:
            raise DataError(
                f"{size / 2**20:.0f} MiB of metadata, more than {MAX_DOCUMENT // 2**20} MiB",
                where=where,
                fix="write the object again: attributes are no place for data",
            )
        with open(path, "rb") as file:
            text = file.read(MAX_DOCUMENT)
        found = json.loads(text)
    except (ValueError, RecursionError, OSError) as error:
        raise damaged(where, str(error)[:120]) from error
    if not isinstance(found, dict):
        raise damaged(where, "it is no JSON object")
    return found


def _look(folder: _Folder, root: str) -> list[str]:
    """What leads out of one folder; its array and the sizes of its files are taken down."""
    if folder.depth > MAX_DEPTH:
        raise damaged(folder.path, f"more than {MAX_DEPTH} folders lie in one another")
    folder.members = _members(folder.path)
    odd = [m.path for m in folder.members if not _is_plain(m)]
    files = [m for m in folder.members if m.is_file(follow_symlinks=False)]
    documents = {m.name: read_document(m.path) for m in files if m.name in DOCUMENTS}
    third = documents.get("zarr.json", {})
    layout = documents.get(".zarray") or (third if third.get("node_type") == "array" else None)
    if layout is not None:
        folder.array = _Array(folder.path, layout)
    if folder.array is not None:
        folder.array.n_files += len(files)
        folder.array.n_bytes += sum(m.stat(follow_symlinks=False).st_size for m in files)
    attributes = documents.get(".zattrs") or third.get("attributes") or {}
    return [os.path.relpath(p, root) for p in odd] + _leaving(folder.path, attributes, root)


def _members(path: str) -> list[os.DirEntry]:
    try:
        with os.scandir(path) as members:
            return list(members)
    except OSError as error:
        raise DataError(
            f"a folder cannot be read: {error.strerror}",
            where=path,
            fix="chmod -R u+rX the folder, or copy it again",
        ) from error


def _is_plain(member: os.DirEntry) -> bool:
    return not member.is_symlink() and (
        member.is_dir(follow_symlinks=False) or member.is_file(follow_symlinks=False)
    )


def _leaving(path: str, attributes: Any, root: str) -> list[str]:
    try:
        links = leaving_links(attributes, root)
    except MALFORMED as error:
        raise damaged(path, f"links are malformed: {type(error).__name__}: {error}") from error
    return [os.path.relpath(os.path.join(path, link), root) for link in links]


def _refuse_outside(outside: list[str], where: str) -> None:
    if outside:
        more = f" and {len(outside) - SHOWN} more" if len(outside) > SHOWN else ""
        raise IntegrityError(
            f"{len(outside)} objects lead out of the folder: "
            f"{', '.join(sorted(outside)[:SHOWN])}{more}",
            where=where,
            fix="put copies of the files in their places, or export a self-contained copy",
        )
