"""Chunks of Zarr format 2 decoded by codecs that carry data and nothing else."""

from __future__ import annotations

import bz2
import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numcodecs
import numpy as np

from neurodsr.errors import DataError
from neurodsr.sources.array_safety import MAX_CHUNK

COMPRESSORS = frozenset({"blosc", "zlib", "gzip", "zstd", "lz4", "bz2"})
NUMBER_FILTERS = frozenset({"shuffle", "delta", "fixedscaleoffset"})
TEXT_FILTERS = frozenset({"vlen-utf8", "vlen-bytes", "json2"})
ZLIB, GZIP = 15, 31
"""Window sizes that tell zlib which of its two formats to expect."""
BLOSC_HEADER = 16
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
LARGEST_ELEMENT, HEADERS = 16, 4096
"""Bytes that a filter may turn one number into, and add to a chunk."""


def filter_ids(layout: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the filters of an array, by its `.zarray`."""
    return tuple(str(f.get("id")) for f in layout.get("filters") or ())


def foreign_codec(layout: Mapping[str, Any]) -> str:
    """The first codec of an array that is never run, such as pickle; "" if there is none."""
    compressor = layout.get("compressor")
    if compressor is not None and compressor.get("id") not in COMPRESSORS:
        return str(compressor.get("id"))
    # Compressors serve as filters too: hdmf-zarr turns HDF5's gzip into one.
    allowed = COMPRESSORS | NUMBER_FILTERS | TEXT_FILTERS
    return next((f for f in filter_ids(layout) if f not in allowed), "")


def decode_chunk(
    raw: bytes, layout: Mapping[str, Any], *, shape: tuple[int, ...], where: str
) -> np.ndarray:
    """One chunk as an array of the given shape; a few bytes that become gigabytes are refused.

    Raises
    ------
    DataError
        A codec could run code, so the chunk is not decoded.
    ValueError
        The bytes are not what the codecs or the shape ask for.
    """
    if foreign := foreign_codec(layout):
        raise DataError(
            f"is coded with {foreign!r}, which can run code when it is read",
            where=where,
            fix="leave this object out; `group_name` says the same of electrodes as their `group`",
        )
    text = set(filter_ids(layout)) & TEXT_FILTERS
    dtype, n = np.dtype(layout["dtype"]), math.prod(shape)
    limit = MAX_CHUNK if text else n * max(dtype.itemsize, LARGEST_ELEMENT) + HEADERS
    compressor = layout.get("compressor")
    data: Any = raw
    for config in (*([compressor] if compressor else ()), *reversed(layout.get("filters") or ())):
        data = _decoded(config, data, n=n, limit=limit)
    array = np.asarray(data) if text else np.frombuffer(memoryview(data), dtype=dtype)
    return array.reshape(shape, order=layout.get("order", "C"))


def _decoded(config: Mapping[str, Any], data: Any, *, n: int, limit: int) -> Any:
    """The data before one codec; the codecs themselves take any size for granted."""
    name, raw = config["id"], memoryview(np.frombuffer(data, dtype=np.uint8))
    if name == "json2":
        return _texts(raw, n)
    if name in ("zlib", "gzip", "bz2"):
        return _inflated(name, raw, limit)
    if name in TEXT_FILTERS and int.from_bytes(raw[:4], "little") != n:
        raise ValueError(f"a chunk of {n} texts says that it holds another number of them")
    if name in COMPRESSORS:
        size = _blosc_size(raw) if name == "blosc" else _stated_size(name, raw)
        _refuse_large(size, limit)
    return numcodecs.get_codec(dict(config)).decode(raw)


def _texts(raw: memoryview, n: int) -> np.ndarray:
    """The elements of a list in JSON, which ends with the type and shape that it was written of."""
    *items, _, shape = json.loads(bytes(raw))
    for _ in shape[1:]:
        items = [member for item in items for member in item]
    if len(items) != n:
        raise ValueError(f"{len(items)} elements in a chunk of {n}")
    found = np.empty(n, dtype=object)
    found[:] = items
    return found


def _inflated(name: str, raw: memoryview, limit: int) -> bytes:
    if name == "bz2":
        stream = bz2.BZ2Decompressor()
        data = stream.decompress(raw, limit + 1)
    else:
        stream = zlib.decompressobj(GZIP if name == "gzip" else ZLIB)
        data = stream.decompress(raw, limit + 1)
    _refuse_large(len(data), limit)
    if not stream.eof:
        raise ValueError("a compressed chunk was cut")
    return data


def _blosc_size(raw: memoryview) -> int:
    """Size that a chunk decodes to; blosc believes its header and would read beyond the chunk."""
    stored = int.from_bytes(raw[12:BLOSC_HEADER], "little")
    if len(raw) < BLOSC_HEADER or stored != len(raw):
        raise ValueError(f"a chunk of {len(raw)} bytes says that it has {stored}")
    return int.from_bytes(raw[4:8], "little")


def _stated_size(name: str, raw: memoryview) -> int:
    """Size that a chunk says it decodes to."""
    if name == "lz4":
        return int.from_bytes(raw[:4], "little")
    if raw[:4] != ZSTD_MAGIC or len(raw) < 6:
        raise ValueError("a chunk is not what zstd writes")
    # RFC 8878, 3.1.1.1: flags, a window, a dictionary, then the size, each of them optional.
    flags = raw[4]
    single = flags >> 5 & 1
    width = (single, 2, 4, 8)[flags >> 6]
    if not width:
        raise ValueError("a zstd frame does not say its size; write it with numcodecs or zarr")
    first = 5 + (not single) + (0, 1, 2, 4)[flags & 3]
    return int.from_bytes(raw[first : first + width], "little") + (256 if width == 2 else 0)


def _refuse_large(size: int, limit: int) -> None:
    if size > limit:
        raise ValueError(f"a chunk decodes to {size} bytes or more, {limit} are expected at most")
