"""Notice that a file changes while it is being read."""

from __future__ import annotations

import os
from collections.abc import Iterable

from neurodsr.errors import DataError

Stamp = tuple[tuple[int, ...] | None, ...]


def stamp(path: str) -> Stamp:
    """What changes when a file is written or replaced; for a folder, also its own members.

    A folder's deeper files are not looked at: there may be a hundred thousand chunks, and this is
    asked after each read. The arrays of a Zarr folder look after their own.
    """
    members = sorted(e.path for e in os.scandir(path)) if os.path.isdir(path) else []
    return stamp_files((path, *members))


def stamp_files(paths: Iterable[str | os.PathLike[str]]) -> Stamp:
    """What changes when one of these files or folders is written to, replaced or removed.

    A folder is written to when a member is added, replaced or removed, and not when a member's
    content changes in its place.
    """
    return tuple(_one(path) for path in paths)


def refuse_changed(path: str, before: Stamp) -> None:
    """Refuse a file that is not as it was when it was opened.

    Raises
    ------
    DataError
        It was written to, replaced or removed.
    """
    if stamp(path) != before:
        raise _changed(path)


def refuse_changed_files(
    paths: Iterable[str | os.PathLike[str]], before: Stamp, *, where: str
) -> None:
    """Refuse if one of these is not as it was.

    Raises
    ------
    DataError
        It was written to, replaced or removed.
    """
    if stamp_files(paths) != before:
        raise _changed(where)


def _changed(where: str) -> DataError:
    return DataError(
        "the file was modified while it was being read",
        where=where,
        fix="wait until the program that writes it is done, then run again",
    )


def _one(path: str | os.PathLike[str]) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
