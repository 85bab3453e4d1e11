"""MATLAB files of version 5, parsed without trusting any length in them: nothing is run."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neurodsr.errors import DataError
from neurodsr.sources.safety import GIB, MAX_RATIO

HEADER_BYTES = 128
MAX_DEPTH = 32
_PREFIX = 4096  # holds flags, sizes and name of a variable
_MATRIX, _COMPRESSED = 14, 15
_TYPES = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
    16: "u1", 17: "u2", 18: "u4",
}  # fmt: skip
_ENCODINGS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _CHAR, _OPAQUE = 1, 2, 4, 17
_COMPLEX = 0x08
_NUMERIC = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
_NAMES = {3: "an object", 5: "a sparse matrix", 16: "a function", _OPAQUE: "an object"}


class NotRead(NamedTuple):
    """Something that MATLAB can save and that is no array of numbers, texts, cells or structs."""

    what: str


Value = np.ndarray | tuple[str, ...] | list["Value"] | Mapping[str, list["Value"]] | NotRead
"""Numbers as MATLAB shows them, one text a row, cells in MATLAB's order, or fields of structs."""


class Head(NamedTuple):
    """What a variable says of itself: its class number, whether complex, its shape and name."""

    kind: int
    is_complex: bool
    shape: tuple[int, ...]
    name: str

    @property
    def dtype(self) -> np.dtype | None:
        """Type of its real numbers; None if it holds none."""
        return np.dtype(_NUMERIC[self.kind]) if self.kind in _NUMERIC else None


@dataclass(frozen=True)
class MatVariable:
    """A variable of the file, read when `load` is called.

    Parameters
    ----------
    head
        What it says of itself.
    path
        The file.
    order
        "<" or ">": its byte order.
    start, n_bytes, compressed
        Where in the file it lies, and whether it is compressed.
    """

    head: Head
    path: str
    order: str
    start: int
    n_bytes: int
    compressed: bool

    def load(self) -> Value:
        """Its value.

        Raises
        ------
        DataError
            It is damaged, or larger on paper than on disk.
        """
        where = f"{self.path}:{self.head.name}"
        with open(self.path, "rb") as file:
            file.seek(self.start)
            raw = file.read(self.n_bytes)
        if self.compressed:
            raw = _inflate(raw, self.order, where)
        return _Parser(raw, self.order, where).matrix(0, len(raw), 0)


def is_mat5(head: bytes) -> bool:
    """Whether a file begins like a MAT-file of version 5 in either byte order."""
    return head.startswith(b"MATLAB") and head[124:128] in (b"\x00\x01IM", b"\x01\x00MI")


def list_mat5(path: str) -> list[MatVariable]:
    """The named variables of a file, none of them read.

    Raises
    ------
    DataError
        The file is damaged or truncated.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        order = ">" if file.read(HEADER_BYTES)[126:] == b"MI" else "<"
        found, at = [], HEADER_BYTES
        while at + 8 <= size:
            file.seek(at)
            kind, n_bytes = (int(v) for v in np.frombuffer(file.read(8), f"{order}u4"))
            if at + 8 + n_bytes > size:
                raise _damaged(f"a variable of {n_bytes} bytes ends beyond the file", path)
            compressed = kind == _COMPRESSED
            if n_bytes and (compressed or kind == _MATRIX):
                raw = file.read(min(_PREFIX, n_bytes))
                raw = _start(raw, path) if compressed else raw
                head = _Parser(raw, order, path).head(0, len(raw))[0]
                variable = MatVariable(head, path, order, at + 8, n_bytes, compressed)
                found += [variable] if head.name else []
            at += 8 + n_bytes
    return found


@dataclass(frozen=True)
class _Parser:
    raw: bytes
    order: str
    where: str

    def elements(self, at: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Type, start and end of each element between two places."""
        while at + 8 <= stop:
            kind, n_bytes = (int(v) for v in np.frombuffer(self.raw, f"{self.order}u4", 2, at))
            small = kind >> 16  # a short element keeps its length and data within eight bytes
            start = at + 4 if small else at + 8
            kind, n_bytes = (kind & 0xFFFF, small) if small else (kind, n_bytes)
            if start + n_bytes > stop or (small and n_bytes > 4):
                raise _damaged(
                    f"{n_bytes} bytes are announced where {stop - start} are", self.where
                )
            yield kind, start, start + n_bytes
            at = start + n_bytes + (-(start + n_bytes - at) % 8)

    def numbers(self, element: tuple[int, int, int]) -> np.ndarray:
        kind, start, stop = element
        if kind not in _TYPES:
            raise _damaged(f"numbers of the unknown type {kind}", self.where)
        dtype = np.dtype(f"{self.order}{_TYPES[kind]}")
        if (stop - start) % dtype.itemsize:
            raise _damaged(f"{stop - start} bytes are no {dtype} numbers", self.where)
        return np.frombuffer(self.raw, dtype, (stop - start) // dtype.itemsize, start)

    def head(self, at: int, stop: int) -> tuple[Head, Iterator[tuple[int, int, int]]]:
        """What an array says of itself, and the elements that follow."""
        parts = self.elements(at, stop)
        flags = self.numbers(self.next(parts))
        if not len(flags) or flags.dtype.kind != "u":
            raise _damaged("an array does not say its class", self.where)
        kind, is_complex = int(flags[0]) & 0xFF, bool(int(flags[0]) >> 8 & _COMPLEX)
        sizes = np.zeros(0, "i4") if kind == _OPAQUE else self.numbers(self.next(parts))
        if sizes.dtype.kind == "f" or len(sizes) > 32 or np.any(sizes < 0):
            raise _damaged("an array does not say its size", self.where)
        name = self.numbers(self.next(parts)).tobytes().decode("utf-8", "replace").strip("\0")
        return Head(kind, is_complex, tuple(int(n) for n in sizes), name), parts

    def matrix(self, at: int, stop: int, depth: int) -> Value:
        """The array between two places; an empty one where there is nothing."""
        if at == stop:
            return np.zeros((0, 0))
        head, parts = self.head(at, stop)
        if depth > MAX_DEPTH:
            return NotRead("an array nested too deep")
        if head.kind == _CHAR:
            return self.texts(head, self.next(parts))
        if head.kind == _CELL:
            return self.arrays(parts, math.prod(head.shape), depth)
        if head.kind == _STRUCT:
            return self.fields(head, parts, depth)
        if head.kind not in _NUMERIC:
            return NotRead(_NAMES.get(head.kind, f"something of the unknown class {head.kind}"))
        if head.is_complex:
            return NotRead("an array of complex numbers")
        values = self.numbers(self.next(parts))
        if len(values) != math.prod(head.shape):
            raise _damaged(f"{len(values)} numbers for shape {head.shape}", self.where)
        return values.reshape(head.shape, order="F")

    def texts(self, head: Head, element: tuple[int, int, int]) -> tuple[str, ...]:
        """The rows of an array of characters."""
        kind, start, stop = element
        encoding = _ENCODINGS.get(kind, "latin-1")
        if encoding in ("utf-16", "utf-32"):
            encoding += "-le" if self.order == "<" else "-be"
        text = self.raw[start:stop].decode(encoding, "replace")
        n_rows = head.shape[0] if head.shape else 1
        return tuple(text[row::n_rows].strip(" \0") for row in range(min(n_rows, len(text))))

    def arrays(self, parts: Iterator[tuple[int, int, int]], n: int, depth: int) -> list[Value]:
        found: list[Value] = []
        while len(found) < n:  # not range(n): a damaged size may be anything
            kind, start, stop = self.next(parts)
            if kind != _MATRIX:
                raise _damaged(f"an element of type {kind} in place of an array", self.where)
            found.append(self.matrix(start, stop, depth + 1))
        return found

    def fields(
        self, head: Head, parts: Iterator[tuple[int, int, int]], depth: int
    ) -> dict[str, list[Value]]:
        """The values of each field of all structs of an array."""
        width = self.numbers(self.next(parts))
        names = self.numbers(self.next(parts)).tobytes()
        if len(width) != 1 or width[0] < 1:
            raise _damaged("a struct does not say how long the names of its fields are", self.where)
        step = int(width[0])
        keys = [names[i : i + step].split(b"\0")[0] for i in range(0, len(names), step)]
        values = self.arrays(parts, math.prod(head.shape) * len(keys), depth)
        return {k.decode("utf-8", "replace"): values[i :: len(keys)] for i, k in enumerate(keys)}

    def next(self, parts: Iterator[tuple[int, int, int]]) -> tuple[int, int, int]:
        for element in parts:
            return element
        raise _damaged("an array ends before it is complete", self.where)


def _start(raw: bytes, where: str) -> bytes:
    """The beginning of a compressed array, without its tag."""
    try:
        return zlib.decompressobj().decompress(raw, _PREFIX)[8:]
    except zlib.error as error:
        raise _damaged(f"a compressed variable cannot be read ({error})", where) from error


def _inflate(raw: bytes, order: str, where: str) -> bytes:
    """A compressed array without its tag, never longer than the tag says."""
    inflater = zlib.decompressobj()
    try:
        kind, n_bytes = (int(v) for v in np.frombuffer(inflater.decompress(raw, 8), f"{order}u4"))
        if n_bytes > GIB and n_bytes > MAX_RATIO * len(raw):
            raise _damaged(f"{len(raw)} bytes claim to hold {n_bytes / GIB:.1f} GiB", where)
        data = inflater.decompress(inflater.unconsumed_tail, max(n_bytes, 1))
        # The checksum stands at the end, and is compared when that is reached.
        rest = inflater.decompress(inflater.unconsumed_tail, 1)
    except (zlib.error, ValueError) as error:
        raise _damaged(f"a compressed variable cannot be read ({error})", where) from error
    if kind != _MATRIX or len(data) < n_bytes or rest or not inflater.eof:
        raise _damaged(f"a variable of {n_bytes} bytes ends elsewhere, after {len(data)}", where)
    return data


def _damaged(what: str, where: str) -> DataError:
    return DataError(
        f"the MAT-file is damaged: {what}",
        where=where,
        fix="copy it again, or save it again in MATLAB: save('file.mat', 'x', '-v7')",
    )
