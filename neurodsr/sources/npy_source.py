"""NumPy files: one array (.npy) or several (.npz), never unpickled."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from io import BufferedIOBase
from tokenize import TokenError

import numpy as np

from neurodsr.errors import DataError, IntegrityError
from neurodsr.sources.safety import MAX_RATIO, MAX_UNSTORED, check_regular_file
from neurodsr.sources.table import WHOLE, Rows, Table, Unreadable, Variable
from neurodsr.sources.table_source import TableSource

# A damaged header is parsed as text before it is refused, which fails in the tokenizer's way; a
# member under a password is a RuntimeError.
_DAMAGED = (
    ValueError, OSError, EOFError, MemoryError, OverflowError, SyntaxError, TokenError,
    RuntimeError, zlib.error, zipfile.BadZipFile,
)  # fmt: skip


def open_npy(path: str | os.PathLike[str]) -> TableSource:
    """The one array of a .npy file, as the stream "table"; its first axis is time.

    Raises
    ------
    DataError
        Damaged, truncated, or not an array of numbers.
    """
    where = os.fspath(path)
    check_regular_file(where)
    variable = Variable(WHOLE, npy_rows(where), word="array")
    return TableSource(where, Table(where, {WHOLE: variable}))


def npy_rows(where: str) -> Rows:
    """The numbers of a .npy file, which stay in it until they are used.

    Raises
    ------
    DataError
        Damaged, truncated, or not an array of numbers.
    """
    try:
        with open(where, "rb") as file:
            shape, dtype = _header(file)
    except _DAMAGED as error:
        raise _damaged(error, where) from error
    _refuse_no_numbers(shape, dtype, where)
    if not math.prod(shape):
        return Rows.of(np.zeros(shape, dtype))
    _map(where)  # finds a file that is too short
    return Rows(
        shape, dtype, lambda s: np.array(_map(where)[s]), lambda s: np.array(_map(where)[:, s].T)
    )


def _map(where: str) -> np.ndarray:
    """The array mapped afresh, so that pages once read do not stay in memory."""
    try:
        return np.load(where, mmap_mode="r", allow_pickle=False)
    except _DAMAGED as error:
        raise _damaged(error, where) from error


def open_npz(path: str | os.PathLike[str]) -> TableSource:
    """The arrays of a .npz file, each a stream of its own; members that are no numbers are listed.

    Raises
    ------
    DataError
        The archive is damaged, or larger on paper than on disk.
    IntegrityError
        A member's name leads elsewhere.
    """
    where = os.fspath(path)
    check_regular_file(where)
    try:
        archive = zipfile.ZipFile(where)
    except _DAMAGED as error:
        raise _damaged(error, where) from error
    try:
        return TableSource(where, _read_members(archive, where), release=archive.close)
    except (DataError, IntegrityError):
        archive.close()
        raise


def _read_members(archive: zipfile.ZipFile, where: str) -> Table:
    _refuse_unsafe(archive.infolist(), where)
    variables: dict[str, Variable] = {}
    texts: dict[str, tuple[str, ...]] = {}
    unreadable: dict[str, Unreadable] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        try:
            shape, dtype = _member_header(archive, member, f"{where}:{name}")
            if dtype.kind == "U":
                if len(shape) == 1:
                    loaded = _load(archive, member, where)
                    texts[name] = tuple(str(text) for text in loaded)
                continue
            _refuse_no_numbers(shape, dtype, f"{where}:{name}")
        except DataError as error:
            unreadable[name] = Unreadable("series", error)
            continue
        data = Rows.deferred(shape, dtype, lambda m=member: _load(archive, m, where))
        variables[name] = Variable(name, data)
    stamps = {n: v.data for n, v in variables.items() if len(v.data.shape) == 1}
    return Table(where, variables, {}, {}, stamps, texts, unreadable)


def _refuse_unsafe(members: list[zipfile.ZipInfo], where: str) -> None:
    outside = [m.filename for m in members if _leads_out(m.filename)]
    if outside:
        raise IntegrityError(
            f"members lead out of the archive: {', '.join(map(repr, outside[:5]))}",
            where=where,
            fix="write the file again with numpy.savez",
        )
    for member in members:
        if member.file_size > MAX_UNSTORED and member.file_size > MAX_RATIO * member.compress_size:
            raise DataError(
                f"{member.filename!r} declares {member.file_size / 2**30:.1f} GiB but stores "
                f"{member.compress_size} bytes",
                where=where,
                fix="write the file again with its real content",
            )


def _leads_out(name: str) -> bool:
    return name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/")


def _member_header(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str
) -> tuple[tuple[int, ...], np.dtype]:
    try:
        with archive.open(member) as file:
            shape, dtype = _header(file)
            declared = math.prod(shape) * dtype.itemsize + file.tell()
    except _DAMAGED as error:
        raise _damaged(error, where) from error
    if not dtype.hasobject and declared != member.file_size:
        raise DataError(
            f"shape {shape} of {dtype} needs {declared} bytes, the archive holds "
            f"{member.file_size}",
            where=where,
            fix="write the file again with numpy.savez",
        )
    return shape, dtype


def _load(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> np.ndarray:
    try:
        with archive.open(member) as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except _DAMAGED as error:
        raise _damaged(error, f"{where}:{member.filename}") from error


def _header(file: BufferedIOBase) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type, read without the data."""
    version = np.lib.format.read_magic(file)
    reader = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = reader(file)
    return shape, dtype


def _refuse_no_numbers(shape: tuple[int, ...], dtype: np.dtype, where: str) -> None:
    if dtype.hasobject:
        raise DataError(
            "an array of Python objects, which NumPy keeps as pickle: never read, since it can "
            "run code",
            where=where,
            fix="save numbers: numpy.save(path, numpy.asarray(values, dtype=float))",
        )
    if dtype.kind not in "biuf" or not 1 <= len(shape) <= 3:
        raise DataError(
            f"shape {shape} of {dtype} is no signal",
            where=where,
            fix="save real numbers of shape (time,) or (time, channel)",
        )


def _damaged(error: Exception, where: str) -> DataError:
    return DataError(
        f"the file is damaged: {error}", where=where, fix="copy it again, or save it again"
    )
