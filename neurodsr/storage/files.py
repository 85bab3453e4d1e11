"""Single files that appear whole or not at all, and the temporary siblings that make it so."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neurodsr.errors import OutputError, ResourceError

_DISK_FAILS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP}


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write a file so that a reader, or a crash, meets the old bytes or the new, never a mixture.

    Written beside, synced to the disk, renamed; then the folder is synced, so that the file
    survives a power cut. Leftovers of dead processes are removed.

    Parameters
    ----------
    path
        The file; an existing one is replaced.
    data
        All of its bytes.

    Raises
    ------
    OutputError
        The folder is missing or cannot be written.
    ResourceError
        The disk is full.
    """
    path = settled(path)
    require_writable_parent(path)
    for leftover in siblings(path, "tmp"):
        if _is_abandoned(leftover):
            remove(leftover)
    partial = fresh_sibling(path, "tmp")
    try:
        with output_errors(path):
            _write_synced(partial, data)
            os.replace(partial, path)
            sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def settled(path: str | Path) -> Path:
    """The absolute path that an output is named by; its last part may be a link and stays one."""
    path = Path(path)
    if path.name in {"", ".."}:
        return path.resolve()
    return path.parent.resolve() / path.name


def require_writable_parent(path: Path) -> None:
    """Refuse, before any work, an output whose folder is missing or closed to us."""
    parent = path.parent
    if not parent.is_dir():
        raise OutputError(
            f"the folder {parent} does not exist",
            where=str(path),
            fix=f"make it first: mkdir -p '{parent}'",
        )
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(
            f"the folder {parent} cannot be written",
            where=str(path),
            fix="choose an output in a folder of your own, or ask for permission to write there",
        )


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full or failing disk into `ResourceError`; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_FAILS:
            raise
        raise ResourceError(
            f"the disk gave up: {error.strerror}",
            where=str(path),
            fix="free some space or quota (df -h), or choose an output on another disk; "
            "nothing half-written was left behind",
        ) from error


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn what the system says against an output into `OutputError`, or `ResourceError`."""
    try:
        with disk_errors(path):
            yield
    except OSError as error:
        raise OutputError(
            f"cannot be written: {error.strerror}",
            where=str(path),
            fix="choose another output, or change what the system objects to",
        ) from error


def fresh_sibling(path: Path, role: str) -> Path:
    """A name beside `path` that tells whose it is: NAME.ROLE-PID-HOST and random digits."""
    return path.with_name(f"{path.name}.{role}-{os.getpid()}-{_host_tag()}{secrets.token_hex(4)}")


def siblings(path: Path, role: str) -> list[Path]:
    """The standing siblings of `path` that `fresh_sibling` once named, in order of name."""
    named = re.compile(re.escape(f"{path.name}.{role}-") + r"\d{1,10}-[0-9a-f]{16}")
    return sorted(Path(e.path) for e in os.scandir(path.parent) if named.fullmatch(e.name))


def size_on_disk(path: Path) -> int:
    """Bytes in a file, or in all files of a folder."""
    if not path.is_dir():
        return path.stat().st_size
    return sum(
        (Path(parent) / n).stat().st_size for parent, _, names in os.walk(path) for n in names
    )


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder, as far as the system lets us."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Wait until the bytes of a file are on the disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    try:
        _sync(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        # Some network file systems cannot sync folders; they order renames themselves.
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_synced(path: Path, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _is_abandoned(sibling: Path) -> bool:
    pid, token = sibling.name.rsplit("-", 2)[1:]
    # A process of another host cannot be seen from here; its files are left alone.
    return token.startswith(_host_tag()) and not _is_alive(int(pid))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _host_tag() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
