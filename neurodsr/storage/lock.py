"""One writer at a time: an advisory lock that dies with its process."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from neurodsr.errors import OutputError
from neurodsr.storage.files import output_errors, require_writable_parent, settled


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Hold an output for ourselves, or say at once who holds it.

    The lock is the system's own (flock on PATH.lock), so that of a process that died is free
    again by itself. The file only tells others who the holder is, and goes when we do.

    Parameters
    ----------
    path
        The output; it need not exist, its folder must.

    Raises
    ------
    OutputError
        Someone else holds it (names host, pid and start), or it cannot be locked.
    """
    path = settled(path)
    require_writable_parent(path)
    lock = path.with_name(path.name + ".lock")
    with output_errors(path):
        descriptor = _acquire(lock)
    try:
        with output_errors(path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, _ourselves(), 0)
        yield
    finally:
        # Unlink while we hold it: whoever waits on this file then sees that it is stale.
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(lock: Path) -> int:
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(lock, flags, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 4096, 0)
            os.close(descriptor)
            raise _taken(lock, holder) from None
        except OSError:
            os.close(descriptor)
            raise
        if _is_still_there(lock, descriptor):
            return descriptor
        # Its last holder removed the file between our open and our lock: that lock protects
        # nothing, so try again with the file that now has the name.
        os.close(descriptor)


def _is_still_there(lock: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(lock), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _ourselves() -> bytes:
    started = datetime.now(UTC).isoformat(timespec="seconds")
    holder = {"host": socket.gethostname(), "pid": os.getpid(), "started": started}
    return json.dumps(holder, sort_keys=True).encode()


def _taken(lock: Path, holder: bytes) -> OutputError:
    try:
        told = json.loads(holder)
        who = f"process {told['pid']} on {told['host']}, since {told['started']}"
    except (ValueError, KeyError, TypeError):
        who = "another process, which is just starting"
    return OutputError(
        f"it is being written by {who}",
        where=str(lock.with_suffix("")),
        fix="wait until that process ends, or choose another output",
    )
