"""Arrays of a recording on disk: sharded, checksummed, written by one writer, shard by shard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from neurodsr.storage.documents import read_json

# Windows of training are some 100 bins: a small chunk inside a large shard is read fastest, and
# gives few files.
CHUNK_BINS, LEAST_CHUNK_BINS, CHUNK_BYTES = 256, 32, 2 * 2**20
# Writing a shard holds it about four times: itself, its compressed chunks, the file's bytes.
SHARD_BINS, SHARD_BYTES = 16384, 64 * 2**20

_VALUE_TYPES = frozenset(
    {*(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), "float32"}
)
EXPOSURE_TYPE = np.dtype(np.float32)


class Layout(NamedTuple):
    """How an array is cut: files of one shard each, and in them the chunks that are read."""

    chunk: tuple[int, int]
    shard: tuple[int, int]


def layout_of(shape: tuple[int, int], dtype: np.dtype) -> Layout:
    """The layout of a stream's values, of its mask, and of its exposure if it has one.

    A chunk is 256 bins of all channels; where that is more than 2 MiB it has fewer bins, down to
    32, and then fewer channels. A shard is 16384 bins of all channels, or as many chunks as the
    array has or 64 MiB hold.

    Parameters
    ----------
    shape
        (time, channel) of the whole array.
    dtype
        The widest of them; all are cut alike, so that they are written in one pass.
    """
    n_bins, n_channels = max(1, shape[0]), max(1, shape[1])
    bins = CHUNK_BINS
    while bins > LEAST_CHUNK_BINS and bins * n_channels * dtype.itemsize > CHUNK_BYTES:
        bins //= 2
    channels = min(n_channels, CHUNK_BYTES // (bins * dtype.itemsize))
    chunk_bytes = bins * channels * dtype.itemsize
    wide = min(-(-n_channels // channels), SHARD_BYTES // chunk_bytes)
    fitting = max(1, SHARD_BYTES // (chunk_bytes * wide))
    long = min(SHARD_BINS // bins, -(-n_bins // bins), fitting)
    return Layout((bins, channels), (bins * long, channels * wide))


def create_array(
    root: zarr.Group, where: str, shape: tuple[int, int], dtype: np.dtype, layout: Layout
) -> zarr.Array:
    """A new array, in which nothing is written yet.

    A chunk that was never written reads as NaN, the largest integer or "not observed", never as
    a plausible number; so every chunk is written, also one that holds nothing but that.
    """
    fills = {"f": np.nan, "b": False}
    return root.create_array(
        where,
        shape=shape,
        chunks=layout.chunk,
        shards=layout.shard,
        dtype=dtype,
        fill_value=fills[dtype.kind] if dtype.kind in fills else np.iinfo(dtype).max,
        compressors=[ZstdCodec(level=3, checksum=True)],
        config={"write_empty_chunks": True},
    )


def shards_along(n: int, step: int) -> Iterator[slice]:
    """The stretches of an axis of length `n` that its shards take, in order."""
    for begin in range(0, n, step):
        yield slice(begin, min(begin + step, n))


def write_shard(array: zarr.Array, rows: slice, columns: slice, block: np.ndarray) -> None:
    """Write one whole shard.

    A part of a shard is refused: zarr would read the shard, change it and write it back, and of
    two writers that do so at once the work of one is lost, with no word.

    Raises
    ------
    AssertionError
        The block is not exactly one shard.
    """
    for part, n, step in zip((rows, columns), array.shape, array.shards, strict=True):
        if part.start % step or part.stop != min(part.start + step, n) or part.step:
            raise AssertionError(
                f"a write to [{part.start}, {part.stop}) is not one whole shard of {step} along "
                f"an axis of {n}"
            )
    array[rows, columns] = block


def sound(block: np.ndarray, observed: np.ndarray, dtype: np.dtype, *, name: str) -> np.ndarray:
    """A block of a stream as the type that it is stored as.

    Raises
    ------
    AssertionError
        A value is not finite or beyond that type, or is not 0 where the mask is False.
    """
    # Integers need no such look, which would make float64 copies of them.
    finite = block.dtype.kind in "biu" or np.isfinite(block).all()
    if not (finite and _holds(dtype, block)):
        raise AssertionError(f"stream {name!r} holds NaN, an infinity, or more than {dtype} can")
    if not observed.all() and np.any(block, where=~observed):
        raise AssertionError(f"stream {name!r} has values other than 0 where its mask is False")
    return block.astype(dtype, copy=False)


def sound_exposure(block: np.ndarray, observed: np.ndarray, *, name: str) -> np.ndarray:
    """A block of a stream's exposure as the type that it is stored as.

    Raises
    ------
    AssertionError
        It is not above 0 and at most 1 where the mask is True, or not 0 where it is False.
    """
    # Less than the least normal number might become 0 in float32.
    partly = (np.finfo(EXPOSURE_TYPE).tiny <= block) & (block <= 1)
    if not np.where(observed, partly, block == 0).all():
        raise AssertionError(
            f"stream {name!r} has exposures that are not in (0, 1] where its mask is True, or "
            "other than 0 where it is False"
        )
    return block.astype(EXPOSURE_TYPE, copy=False)


def is_laid_out(
    path: Path, where: str, shape: tuple[int, int], layout: Layout, *, dtype: str | None = None
) -> bool:
    """Whether an array on disk is cut and coded as `layout` says.

    Asked before zarr sees the array: zarr would import a foreign codec, or allocate a chunk of
    any size that the file asks for.
    """
    document = read_json(path / where / "zarr.json")
    return (
        _agrees(document, shape, layout.shard, dtype)
        and document["chunk_key_encoding"]["name"] == "default"
        and [codec["name"] for codec in document["codecs"]] == ["sharding_indexed"]
        and _is_our_sharding(document["codecs"][0]["configuration"], layout.chunk)
    )


def is_laid_out_in_version_1(
    path: Path, where: str, shape: tuple[int, int], *, dtype: str | None = None
) -> bool:
    """The same of recordings of schema 1: no shards, chunks of 1024 bins of all channels."""
    document = read_json(path / where / "zarr.json")
    names = [codec["name"] for codec in document["codecs"]]
    return _agrees(document, shape, (1024, max(1, shape[1])), dtype) and names == ["bytes", "zstd"]


def stored_type(path: Path, where: str) -> np.dtype:
    """Type of the numbers in an array on disk, if it is one that values are stored as.

    Raises
    ------
    ValueError
        It is another one.
    """
    name = read_json(path / where / "zarr.json")["data_type"]
    if not (isinstance(name, str) and name in _VALUE_TYPES):
        raise ValueError(f"{where} holds {name!r}")
    return np.dtype(name)


def _holds(dtype: np.dtype, block: np.ndarray) -> bool:
    if block.dtype == dtype or not block.size:
        return True
    limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return bool(limits.min <= block.min() and block.max() <= limits.max)


def _agrees(
    document: Any, shape: tuple[int, int], file_shape: tuple[int, int], dtype: str | None
) -> bool:
    grid = document["chunk_grid"]
    return (
        document["shape"] == list(shape)
        and dtype in (None, document["data_type"])
        and grid["name"] == "regular"
        and grid["configuration"]["chunk_shape"] == list(file_shape)
        and not document.get("storage_transformers")
    )


def _is_our_sharding(sharding: Any, chunk: tuple[int, int]) -> bool:
    return (
        sharding["chunk_shape"] == list(chunk)
        and [codec["name"] for codec in sharding["codecs"]] == ["bytes", "zstd"]
        and [codec["name"] for codec in sharding["index_codecs"]] == ["bytes", "crc32c"]
        and sharding["index_location"] == "end"
    )
