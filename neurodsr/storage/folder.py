"""Folders that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neurodsr.errors import OutputError
from neurodsr.storage.files import (
    disk_errors,
    fresh_sibling,
    output_errors,
    remove,
    require_writable_parent,
    settled,
    siblings,
    sync_file,
    sync_folder,
    write_atomically,
)
from neurodsr.storage.lock import locked
from neurodsr.storage.manifest import MANIFEST, write_manifest

__all__ = ["complete_folder", "refuse_existing", "write_atomically"]


@contextmanager
def complete_folder(path: str | Path, *, force: bool = False) -> Iterator[Path]:
    """An output folder that stands only when everything in it does.

    Gives a fresh folder beside the final one to write into. When the block ends well, its files
    are synced to the disk, MANIFEST.json is written last, and the folder is renamed to its
    final name. When the block fails, or the process dies, there is no folder of that name; the
    next writer removes what a dead one left. One writer at a time: the folder is locked
    meanwhile, so do not hold `locked(path)` of the same path around this.

    Parameters
    ----------
    path
        The final folder; its parent must exist.
    force
        Replace an output that stands there. The old one is removed only after the new one
        stands.

    Yields
    ------
    The folder to write into.

    Raises
    ------
    OutputError
        The path exists, is being written by another process, or cannot be written.
    ResourceError
        The disk is full.
    """
    path = settled(path)
    require_writable_parent(path)
    with locked(path):
        with output_errors(path):
            _sweep(path)
        refuse_existing(path, force=force)
        partial = fresh_sibling(path, "tmp")
        try:
            with disk_errors(path):
                with output_errors(path):
                    partial.mkdir()
                yield partial
                _seal(partial)
                refuse_existing(path, force=force)
                with output_errors(path):
                    _put_in_place(partial, path)
        finally:
            remove(partial)


def refuse_existing(path: str | Path, *, force: bool) -> None:
    """Refuse an output that stands there, before any work is done for it.

    Raises
    ------
    OutputError
        Something exists at `path`: anything without `force`, and with it anything that is not
        an output of neurodsr. Or its folder is missing or cannot be written.
    """
    path = settled(path)
    require_writable_parent(path)
    if not os.path.lexists(path):
        return
    if not force:
        raise OutputError(
            "this output exists already",
            where=str(path),
            fix="choose another name, or pass --force to replace it",
        )
    # --force with a mistyped path must not cost somebody their data.
    if not (path.is_dir() and ((path / MANIFEST).is_file() or not any(path.iterdir()))):
        raise OutputError(
            f"it is not an output of neurodsr (no {MANIFEST} in it), so it is not replaced",
            where=str(path),
            fix="choose another name, or remove it yourself",
        )


def _sweep(path: Path) -> None:
    """Clear what dead writers left; we hold the lock, so nobody alive owns any of it."""
    for partial in siblings(path, "tmp"):
        remove(partial)
    for old in siblings(path, "old"):
        # The writer died between its two renames: the old output is the one that counts.
        if os.path.lexists(path):
            remove(old)
        else:
            os.rename(old, path)


def _seal(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            sync_file(Path(parent) / name)
    write_manifest(folder)
    for parent, _, _ in os.walk(folder, topdown=False):
        sync_folder(Path(parent))


def _put_in_place(partial: Path, path: Path) -> None:
    old = fresh_sibling(path, "old") if os.path.lexists(path) else None
    if old:
        os.rename(path, old)
    try:
        os.rename(partial, path)
    except OSError:
        if old:
            os.rename(old, path)
        raise
    sync_folder(path.parent)
    if old:
        remove(old)
