"""Runs Python in a process of its own, which can neither hang nor end this one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

N_SHOWN = 4096
"""Bytes that are kept of the beginning of stdout and of the end of stderr."""


class Ran(NamedTuple):
    """What a process left: exit code (None: it hung and was killed), output, and time taken, s."""

    code: int | None
    out: str
    err: str
    seconds: float


def run_alone(*args: str, timeout: float) -> Ran:
    """Run a Python that sees the same packages as this one, and kill it where it hangs."""
    path = os.pathsep.join(p or os.getcwd() for p in sys.path)
    begin = time.perf_counter()
    # Files, because a pipe stays open as long as any child of a killed process holds it.
    with TemporaryDirectory(prefix="neurodsr-") as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        with out.open("wb") as out_file, err.open("wb") as err_file:
            process = subprocess.Popen(
                [sys.executable, "-P", *args],
                stdin=subprocess.DEVNULL,
                stdout=out_file,
                stderr=err_file,
                env=os.environ | {"PYTHONPATH": path},
                start_new_session=True,
            )
            code = _wait(process, timeout)
        return Ran(code, _head(out), _tail(err), time.perf_counter() - begin)


def _wait(process: subprocess.Popen[bytes], timeout: float) -> int | None:
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        return None
    finally:  # also when Ctrl-C ends the waiting
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(N_SHOWN).decode("utf-8", "replace")


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - N_SHOWN))
        return file.read().decode("utf-8", "replace")
