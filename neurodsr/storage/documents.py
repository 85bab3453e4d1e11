"""JSON documents: deterministic bytes out, suspicious bytes refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from neurodsr.errors import DataError, IntegrityError
from neurodsr.storage.files import write_atomically

LARGEST = 64 * 2**20


def write_json(path: str | Path, value: object) -> None:
    """Write a value as JSON whose bytes depend on the value alone: sorted keys, one layout.

    Parameters
    ----------
    path
        The file; it is replaced atomically.
    value
        Dicts with string keys, lists, strings, finite numbers, booleans, None.

    Raises
    ------
    ValueError
        NaN or an infinity is in it; these are no JSON.
    """
    write_atomically(path, json_bytes(value))


def json_bytes(value: object) -> bytes:
    """The bytes that `write_json` writes."""
    text = json.dumps(value, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)
    return (text + "\n").encode("utf-8")


def read_json(path: str | Path) -> Any:
    """Read a JSON document of ours.

    Parameters
    ----------
    path
        The file, at most 64 MiB.

    Returns
    -------
    Dicts, lists, strings, finite numbers, booleans, None.

    Raises
    ------
    DataError
        There is no such file.
    IntegrityError
        It is too large, too deep, or not JSON.
    """
    path = Path(path)
    try:
        return json.loads(_bounded_bytes(path), parse_constant=_refuse_constant)
    except RecursionError:
        raise _damaged(path, "its values are nested too deeply") from None
    except ValueError as error:
        raise _damaged(path, f"it is not JSON ({error})") from None


def _bounded_bytes(path: Path) -> bytes:
    if not path.is_file():
        raise DataError("there is no such file", where=str(path), fix="check the path")
    with open(path, "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise _damaged(path, f"it is larger than {LARGEST // 2**20} MiB")
    return data


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _damaged(path: Path, what: str) -> IntegrityError:
    return IntegrityError(
        f"the document is damaged: {what}",
        where=str(path),
        fix="restore it from a backup, or make it again with the command that wrote it",
    )
