"""What the metadata of a Zarr array may declare before anything of it is read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from neurodsr.errors import DataError, IntegrityError

GIB = 2**30
MAX_UNSTORED, MAX_RATIO, MAX_CHUNK = 4 * GIB, 1000, GIB
MAX_ABSENT = 10**5
"""Chunks that may be missing: each is looked for when its rows are read."""
MAX_INNER = 2**20
"""Inner chunks of a shard, whose index is read as a whole."""
MAX_AXES, MAX_LENGTH = 16, 2**62
CODECS_3 = frozenset(
    {"bytes", "zstd", "crc32c", "sharding_indexed", "gzip", "blosc", "transpose", "vlen-utf8",
     "vlen-bytes", "numcodecs.zlib", "numcodecs.shuffle", "numcodecs.delta", "numcodecs.lz4",
     "numcodecs.bz2", "numcodecs.blosc", "numcodecs.zstd", "numcodecs.gzip"}
)  # fmt: skip
SEPARATORS = (".", "/")
OBJECT_BYTES = 8
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError)


class _Declared(NamedTuple):
    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    inner: tuple[int, ...]
    itemsize: int
    separator: str
    foreign: tuple[str, ...]


def check_array(document: Mapping[str, Any], *, stored: int, n_files: int, where: str) -> None:
    """Refuse an array that is larger on paper than on disk, or that asks for what is not run.

    Parameters
    ----------
    document
        The content of its `.zarray` or `zarr.json`.
    stored, n_files
        Bytes and number of the files below its folder.

    Raises
    ------
    DataError
        The metadata are malformed, or declare far more than is stored.
    IntegrityError
        Chunks would be looked for elsewhere, or an array of format 3 asks for a foreign codec.
    """
    try:
        third = document["zarr_format"] == 3
        declared = _third(document) if third else _second(document)
    except MALFORMED as error:
        raise damaged(where, f"{type(error).__name__}: {error}") from error
    _refuse_foreign(declared, where)
    _refuse_size(declared, stored, where)
    _refuse_chunks(declared, n_files, where)


def damaged(where: str, what: str) -> DataError:
    """The error of metadata that are not what the format asks for."""
    return DataError(
        f"the metadata are damaged: {what}", where=where, fix="copy or download the folder again"
    )


def _second(document: Mapping[str, Any]) -> _Declared:
    shape, chunk = _lengths(document["shape"]), _lengths(document["chunks"])
    dtype = document["dtype"]
    itemsize = _itemsize(dtype) if isinstance(dtype, str) else OBJECT_BYTES * len(dtype)
    for codec in (document.get("compressor") or {}, *(document.get("filters") or ())):
        codec.keys()
    if document["order"] not in ("C", "F"):
        raise ValueError(f"order {document['order']!r}")
    separator = document.get("dimension_separator", ".")
    return _Declared(*_matching(shape, chunk), chunk, itemsize, separator, ())


def _third(document: Mapping[str, Any]) -> _Declared:
    shape = _lengths(document["shape"])
    chunk = _lengths(document["chunk_grid"]["configuration"]["chunk_shape"])
    keys = document["chunk_key_encoding"]
    default = "/" if keys["name"] == "default" else "."
    separator = (keys.get("configuration") or {}).get("separator", default)
    names = {name for name, _ in _codecs(document["codecs"])}
    foreign = tuple(sorted(names - CODECS_3))
    inner = chunk
    for _, options in _codecs(document["codecs"]):
        inner = _lengths(options["chunk_shape"]) if "chunk_shape" in options else inner
    itemsize = _itemsize_3(document["data_type"])
    return _Declared(*_matching(shape, chunk), inner, itemsize, separator, foreign)


def _codecs(codecs: Sequence[Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name and options of each codec, with those of the chunks in a shard and of its index."""
    for codec in codecs:
        named = {"name": codec} if isinstance(codec, str) else codec
        options = named.get("configuration") or {}
        yield str(named["name"]), options
        for key in ("codecs", "index_codecs"):
            yield from _codecs(options.get(key, ()))


def _lengths(found: Any) -> tuple[int, ...]:
    whole = isinstance(found, list) and all(type(n) is int and 0 <= n < MAX_LENGTH for n in found)
    if not whole or len(found) > MAX_AXES:
        raise ValueError(f"{str(found)[:80]} is no list of lengths")
    return tuple(found)


def _matching(
    shape: tuple[int, ...], chunk: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if len(shape) != len(chunk) or 0 in chunk:
        raise ValueError(f"shape {shape} in chunks of {chunk}")
    return shape, chunk


def _bounded(itemsize: int) -> int:
    if not 0 <= itemsize <= MAX_CHUNK:
        raise ValueError(f"elements of {str(itemsize)[:20]} bytes")
    return max(1, itemsize)


def _itemsize(dtype: str) -> int:
    """Bytes of an element of a type such as "<f8"; a guess for texts."""
    found = re.fullmatch(r"[<>|]?([biufcSUV])(\d+)", dtype)
    if found is None:
        return OBJECT_BYTES
    return _bounded(int(found[2]) * (4 if found[1] == "U" else 1))


def _itemsize_3(dtype: Any) -> int:
    """Bytes of an element of a type such as "float64"; a guess for texts and records."""
    if not isinstance(dtype, str):
        return _bounded(int((dtype.get("configuration") or {}).get("length_bytes", OBJECT_BYTES)))
    found = re.fullmatch(r"[a-z]+(\d+)", dtype)
    return _bounded(int(found[1]) // 8) if found else OBJECT_BYTES


def _refuse_foreign(declared: _Declared, where: str) -> None:
    if declared.separator not in SEPARATORS:
        raise IntegrityError(
            f"parts the names of its chunks by {declared.separator!r}, which can lead elsewhere",
            where=where,
            fix="write the array again with the separator '/' or '.'",
        )
    if declared.foreign:
        raise IntegrityError(
            f"asks for the codecs {', '.join(declared.foreign)}, which neurodsr does not run",
            where=where,
            fix="write the array again with zstd, gzip or blosc",
        )


def _refuse_size(declared: _Declared, stored: int, where: str) -> None:
    shape, itemsize = declared.shape, declared.itemsize
    size, one = math.prod(shape) * itemsize, math.prod(declared.chunk) * itemsize
    if size > MAX_UNSTORED and size > MAX_RATIO * stored:
        raise DataError(
            f"declares {size / GIB:.1f} GiB {shape} but stores {stored} bytes",
            where=where,
            fix="write the array again with its real shape, or remove it",
        )
    if one > MAX_CHUNK:
        raise DataError(
            f"one chunk holds {one / GIB:.1f} GiB, more than {MAX_CHUNK // GIB} GiB",
            where=where,
            fix="write the array again with smaller chunks",
        )


def _refuse_chunks(declared: _Declared, n_files: int, where: str) -> None:
    shape, chunk, inner = declared.shape, declared.chunk, declared.inner
    n = math.prod(-(-length // step) for length, step in zip(shape, chunk, strict=True))
    if n > MAX_ABSENT and n > MAX_RATIO * n_files:
        raise DataError(
            f"declares {n} chunks but has {n_files} files",
            where=where,
            fix="write the array again with its real shape and larger chunks",
        )
    if len(inner) != len(chunk) or 0 in inner or math.prod(chunk) > MAX_INNER * math.prod(inner):
        raise DataError(
            f"shards of {chunk} are divided into chunks of {inner}",
            where=where,
            fix=f"write the array again with up to {MAX_INNER} chunks a shard",
        )
