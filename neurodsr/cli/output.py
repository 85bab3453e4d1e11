"""What the commands say: results on stdout, everything else on stderr, both free of escapes."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from neurodsr.errors import NeurodsrError, OutputError
from neurodsr.report.text import plain_text
from neurodsr.storage.files import write_atomically

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)?|\x1b.?")


def clean_text(text: object, *, limit: int | None = 200) -> str:
    """Text from a file made safe for a terminal: no escape codes, no hidden direction marks.

    Parameters
    ----------
    text
        Anything; a file may hold hostile names.
    limit
        Longest result, characters, on one line; longer text ends in "…". None: all lines.
    """
    return plain_text(_ANSI.sub("", str(text)), limit=limit)


def print_json(verb: str, result: dict[str, Any]) -> None:
    """One JSON object on stdout, with the name and version of its form."""
    whole = {"schema": f"neurodsr/{verb}-result/1", **result}
    print(json.dumps(whole, indent=2, sort_keys=True, allow_nan=False))


def print_text(text: str) -> None:
    """Result text on stdout, free of terminal codes."""
    print(clean_text(text, limit=None).rstrip("\n"))


def say(text: str) -> None:
    """A remark on stderr, where it never mixes with results."""
    if sys.stderr:  # None when closed, and print would then turn to stdout
        print(clean_text(text, limit=None), file=sys.stderr)


def say_error(error: NeurodsrError) -> None:
    """An error as two parts: what is wrong and where, then how to fix it."""
    where = f"{error.where}: " if error.where else ""
    say(f"error: {where}{error.what}")
    if error.fix:
        say(f"fix: {error.fix}")


def save_text(path: Path, text: str, *, force: bool) -> None:
    """Write a text file that appears whole; an existing one of other content is kept.

    Raises
    ------
    OutputError
        The file exists with other content and `force` is False.
    """
    content = text.encode("utf-8")
    if path.is_file() and path.read_bytes() == content:
        return
    require_free(path, force=force)
    write_atomically(path, content)


def require_free(path: Path, *, force: bool) -> None:
    """Refuse an output that exists, before any work is done for it.

    Raises
    ------
    OutputError
        Something stands at `path` and `force` is False.
    """
    if path.exists() and not force:
        raise OutputError(
            "this output exists already",
            where=str(path),
            fix="choose another -o, or give --force to replace it",
        )
