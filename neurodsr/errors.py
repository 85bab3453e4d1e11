"""Errors that teach: what is wrong, where, and how to fix it, each class with its exit code."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class NeurodsrError(Exception):
    """A problem that a user can understand and mend; never shown with a traceback.

    Parameters
    ----------
    what
        What is wrong, with the offending values.
    where
        File, object or config line it was found at.
    fix
        What to do about it.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what, where, fix)
        self.what, self.where, self.fix = what, where, fix

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        fix = f"\n  fix: {self.fix}" if self.fix else ""
        return f"{where}{self.what}{fix}"


class ConfigError(NeurodsrError):
    """A wrong option or configuration file."""

    exit_code = 2


class DataError(NeurodsrError):
    """Input data that cannot be used as they are."""

    exit_code = 3


class PluginError(NeurodsrError):
    """A plug-in or optional dependency that is missing, broken or of the wrong version."""

    exit_code = 4


class OutputError(NeurodsrError):
    """An output that exists with other content, is locked, or cannot be written."""

    exit_code = 5


class NumericalError(NeurodsrError):
    """Numbers that left the finite world: training or a free run diverged."""

    exit_code = 6


class ResourceError(NeurodsrError):
    """Memory, disk or device that is not there."""

    exit_code = 7


class IntegrityError(NeurodsrError):
    """A checksum that does not match, or a file that is unsafe to read."""

    exit_code = 8


class PreemptedError(NeurodsrError):
    """Stopped from outside (SIGTERM); a checkpoint was saved and a rerun goes on."""

    exit_code = 75


class InterruptedRunError(NeurodsrError):
    """Stopped by Ctrl-C; a checkpoint was saved and a rerun goes on."""

    exit_code = 130


def nearest(name: str, known: Iterable[str], *, n: int = 3) -> str:
    """A phrase naming the known names, the closest ones first if any is close."""
    names = sorted(known)
    alike = [known for known in names if known.lower() == name.lower()]
    close = alike or get_close_matches(name, names, n=n, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(repr(c) for c in close)}?"
    return f"known: {', '.join(names)}" if names else "there are none"
