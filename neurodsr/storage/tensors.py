"""Named arrays in a safetensors file: numbers only, nothing in it can run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from neurodsr.errors import DataError, IntegrityError
from neurodsr.storage.files import write_atomically

_PICKLING_SUFFIXES = frozenset({".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy"})
_ZIP_MAGIC = b"PK"
_NPY_MAGIC = b"\x93NUMPY"


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays so that equal arrays give equal bytes.

    Parameters
    ----------
    path
        The .safetensors file; it is replaced atomically.
    arrays
        Numbers or booleans of any shape; the order of the names does not matter.
    """
    plain = {name: np.array(arrays[name], order="C") for name in sorted(arrays)}
    for name, array in plain.items():
        if array.dtype.kind not in "biufc":
            raise AssertionError(f"array {name!r} holds {array.dtype}, not numbers")
    write_atomically(path, safetensors.numpy.save(plain))


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read what `write_arrays` wrote.

    Parameters
    ----------
    path
        A .safetensors file.

    Returns
    -------
    The arrays by name.

    Raises
    ------
    DataError
        There is no such file.
    IntegrityError
        The file is a pickle or a zip, or is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError("there is no such file", where=str(path), fix="check the path")
    refuse_pickle(path)
    try:
        return safetensors.numpy.load(path.read_bytes())
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise IntegrityError(
            f"the safetensors file is damaged ({error})",
            where=str(path),
            fix="restore it from a backup, or train the model again",
        ) from error


def refuse_pickle(path: str | Path) -> None:
    """Refuse a file that could run code when it is read: a pickle, or a zip that may hold one.

    It is told by its suffix and its first bytes; nothing in it is interpreted.

    Parameters
    ----------
    path
        An existing file.

    Raises
    ------
    IntegrityError
        The file is of such a kind.
    """
    path = Path(path)
    with open(path, "rb") as file:
        head = file.read(16)
    kind = _pickling_kind(path.suffix.lower(), head)
    if kind:
        raise IntegrityError(
            f"{kind} can run code when it is read, so neurodsr never reads one",
            where=str(path),
            fix="give a folder saved by neurodsr; from another program, save the weights as "
            "safetensors first",
        )


def _pickling_kind(suffix: str, head: bytes) -> str:
    if suffix in _PICKLING_SUFFIXES:
        return f"a {suffix} file"
    # A safetensors file starts with the length of its header, whose low byte is 0x80, a
    # pickle's first, for one header in 32; the brace after the length tells them apart.
    if head[8:9] == b"{" and head[4:8] == b"\0\0\0\0":
        return ""
    if head.startswith(b"\x80"):
        return "a pickle"
    if head.startswith(_ZIP_MAGIC):
        return "a zip archive (as torch.save writes)"
    if head.startswith(_NPY_MAGIC):
        return "a .npy file"
    return ""
