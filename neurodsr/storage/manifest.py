"""The manifest of a folder: which files belong to it, and the checksum of each."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from neurodsr.errors import IntegrityError
from neurodsr.storage.documents import json_bytes, read_json
from neurodsr.storage.files import write_atomically

MANIFEST = "MANIFEST.json"
SCHEMA = "neurodsr/manifest/1"


def write_manifest(folder: str | Path) -> None:
    """Write down name, size and sha256 of every file in a folder, in MANIFEST.json.

    Parameters
    ----------
    folder
        Holds regular files and folders only.

    Raises
    ------
    IntegrityError
        A link or a device is in it.
    """
    folder = Path(folder)
    files = {
        name: {"sha256": file_sha256(folder / name), "size": size}
        for name, size in sorted(_members(folder))
    }
    write_atomically(folder / MANIFEST, json_bytes({"schema": SCHEMA, "files": files}))


def check_manifest(folder: str | Path, *, contents: bool = True) -> None:
    """Refuse a folder whose files are not those that its manifest lists.

    Parameters
    ----------
    folder
        A folder with a MANIFEST.json.
    contents
        Also compare the sha256 of each file, which reads all of them; otherwise only names and
        sizes.

    Raises
    ------
    IntegrityError
        A file is missing, extra or changed, a member is a link or a device, or the manifest
        is missing, damaged, or of a newer version.
    """
    problems = differences(folder, contents=contents)
    if any(problems.values()):
        raise _differs(Path(folder), problems)


def differences(folder: str | Path, *, contents: bool = True) -> dict[str, list[str]]:
    """Every file that is "missing", "extra" or "changed" against the manifest, by these words.

    Parameters
    ----------
    folder, contents
        As in `check_manifest`.

    Raises
    ------
    IntegrityError
        A member is a link or a device, or the manifest itself cannot be trusted.
    """
    folder = Path(folder)
    listed = _read_manifest(folder)
    found = dict(_members(folder))
    changed = [
        name
        for name in sorted(listed.keys() & found.keys())
        if listed[name]["size"] != found[name]
        or (contents and listed[name]["sha256"] != file_sha256(folder / name))
    ]
    return {
        "missing": sorted(listed.keys() - found.keys()),
        "extra": sorted(found.keys() - listed.keys()),
        "changed": changed,
    }


def folder_digest(folder: str | Path) -> str:
    """One sha256 for a whole folder: that of its manifest."""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise _unfinished(Path(folder))
    return file_sha256(path)


def file_sha256(path: str | Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_sha256(path: str | Path) -> str:
    """One sha256 for a file, or for a folder by the names and contents of all files in it.

    Raises
    ------
    IntegrityError
        A link or a device is in the folder.
    """
    path = Path(path)
    if not path.is_dir():
        return file_sha256(path)
    whole = hashlib.sha256()
    for name, _ in sorted(_members(path)):
        whole.update(f"{file_sha256(path / name)}  {name}\n".encode())
    return whole.hexdigest()


def content_size(path: str | Path) -> int:
    """Bytes of a file, or of all files in a folder.

    Raises
    ------
    IntegrityError
        A link or a device is in the folder.
    """
    path = Path(path)
    return sum(size for _, size in _members(path)) if path.is_dir() else path.stat().st_size


def _members(folder: Path, prefix: str = "") -> Iterator[tuple[str, int]]:
    for entry in os.scandir(folder):
        name = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _members(Path(entry.path), name + "/")
        elif entry.is_file(follow_symlinks=False):
            if name != MANIFEST:
                yield name, entry.stat(follow_symlinks=False).st_size
        else:
            raise IntegrityError(
                f"{name!r} is a link or a device, not a file",
                where=str(folder),
                fix="put a copy of the file in its place, or do not use this folder",
            )


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if path.is_symlink() or not path.is_file():
        raise _unfinished(folder)
    document = read_json(path)
    _check_schema(path, document)
    try:
        for name, entry in document["files"].items():
            _check_entry(path, name, entry)
    except (KeyError, TypeError, AttributeError):
        raise _distrusted(path, "its entries are malformed") from None
    # Without this, a flipped bit that leaves the values alone would go unseen.
    if path.read_bytes() != json_bytes(document):
        raise _distrusted(path, "its bytes are not those that neurodsr writes")
    return document["files"]


def _check_schema(path: Path, document: object) -> None:
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema == SCHEMA:
        return
    if isinstance(schema, str) and re.fullmatch(r"neurodsr/manifest/\d+", schema):
        raise IntegrityError(
            f"its schema is {schema}, newer than {SCHEMA}",
            where=str(path),
            fix="read it with a newer neurodsr: pip install -U neurodsr",
        )
    raise _distrusted(path, f"its schema is {schema!r}, not {SCHEMA!r}")


def _check_entry(path: Path, name: str, entry: dict[str, Any]) -> None:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\0" in name or str(pure) != name:
        raise _distrusted(path, f"it lists {name!r}, which is not a plain path inside the folder")
    well_formed = (
        entry.keys() == {"sha256", "size"}
        and type(entry["size"]) is int
        and re.fullmatch(r"[0-9a-f]{64}", entry["sha256"])
    )
    if not well_formed:
        raise _distrusted(path, f"the entry of {name!r} is malformed")


def _differs(folder: Path, problems: dict[str, list[str]]) -> IntegrityError:
    parts = [_phrase(kind, names) for kind, names in problems.items() if names]
    only_extra = not problems["missing"] and not problems["changed"]
    return IntegrityError(
        f"its files are not those that {MANIFEST} lists: {'; '.join(parts)}",
        where=str(folder),
        fix="remove the extra files"
        if only_extra
        else "restore it from a backup, or make it again with the command that wrote it",
    )


def _phrase(kind: str, names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
    return f"{len(names)} {kind} ({shown})"


def _unfinished(folder: Path) -> IntegrityError:
    return IntegrityError(
        f"it has no {MANIFEST}, so it was never finished, or neurodsr did not write it",
        where=str(folder),
        fix="make it again with the command that wrote it",
    )


def _distrusted(path: Path, what: str) -> IntegrityError:
    return IntegrityError(
        f"the manifest cannot be trusted: {what}",
        where=str(path),
        fix="restore the folder from a backup, or make it again with the command that wrote it",
    )
