"""Compressed rows of an HDF5 dataset, inflated in several threads.

HDF5 reads under one lock, so that threads wait for one another; but zlib frees Python's own lock,
and the raw bytes of a chunk can be had without decoding them.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import h5py
import numpy as np

GZIP, SHUFFLE = h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE
MAX_THREADS = 4
LEAST_CHUNKS = 4


def read_rows(
    dataset: h5py.Dataset, first: int, last: int, *, n_threads: int | None = None
) -> np.ndarray:
    """Rows [first, last) of a dataset; the same values as `dataset[first:last]`, sooner.

    Parameters
    ----------
    n_threads
        Threads that inflate; by default as many as there are cores, four at most. Data that are
        not compressed with gzip are read by HDF5 itself.

    Raises
    ------
    OSError
        A chunk is damaged, or cannot be read.
    """
    n_threads = n_threads or min(MAX_THREADS, len(os.sched_getaffinity(0)))
    filters = _filters(dataset)
    if n_threads < 2 or filters is None or last <= first:
        return dataset[first:last]
    corners = list(_corners(dataset, first, last))
    if len(corners) < LEAST_CHUNKS:
        return dataset[first:last]
    out = np.empty((last - first, *dataset.shape[1:]), dtype=dataset.dtype)
    with ThreadPoolExecutor(n_threads) as pool:
        # One reader at a time is all that HDF5 allows; decoding goes on meanwhile.
        waiting = []
        for corner in corners:
            chunk = _raw(dataset, corner)
            waiting.append(pool.submit(_place, out, first, dataset, corner, chunk, filters))
            if len(waiting) > 4 * n_threads:
                waiting.pop(0).result()
        for task in waiting:
            task.result()
    return out


def _filters(dataset: h5py.Dataset) -> tuple[int, ...] | None:
    """The codes of a dataset's filters if they are gzip, shuffled or not; None otherwise."""
    if dataset.chunks is None or dataset.dtype.kind not in "iuf" or not dataset.size:
        return None
    created = dataset.id.get_create_plist()
    codes = tuple(created.get_filter(i)[0] for i in range(created.get_nfilters()))
    return codes if codes in ((GZIP,), (SHUFFLE, GZIP)) else None


def _corners(dataset: h5py.Dataset, first: int, last: int) -> Iterator[tuple[int, ...]]:
    steps = dataset.chunks
    rows = range(first // steps[0] * steps[0], last, steps[0])
    others = (range(0, n, step) for n, step in zip(dataset.shape[1:], steps[1:], strict=True))
    return product(rows, *others)


def _raw(dataset: h5py.Dataset, corner: tuple[int, ...]) -> tuple[int, bytes] | None:
    """Filter mask and stored bytes of a chunk; None if it was never written."""
    info = dataset.id.get_chunk_info_by_coord(corner)
    if info.byte_offset is None or not info.size:
        return None
    return dataset.id.read_direct_chunk(corner)


def _place(
    out: np.ndarray,
    first: int,
    dataset: h5py.Dataset,
    corner: tuple[int, ...],
    chunk: tuple[int, bytes] | None,
    filters: tuple[int, ...],
) -> None:
    """Decode a chunk into its place."""
    shape = dataset.chunks
    a, b = max(first, corner[0]), min(first + len(out), corner[0] + shape[0])
    inner = tuple(
        slice(0, min(step, n - c))
        for c, step, n in zip(corner[1:], shape[1:], dataset.shape[1:], strict=True)
    )
    outer = tuple(slice(c, c + s.stop) for c, s in zip(corner[1:], inner, strict=True))
    target = (slice(a - first, b - first), *outer)
    if chunk is None:
        out[target] = dataset.fillvalue
        return
    values = _decoded(chunk, dataset.dtype, filters, size=math.prod(shape)).reshape(shape)
    out[target] = values[(slice(a - corner[0], b - corner[0]), *inner)]


def _decoded(
    chunk: tuple[int, bytes], dtype: np.dtype, filters: tuple[int, ...], *, size: int
) -> np.ndarray:
    skipped, data = chunk
    # Bit i of the mask says that filter i was left out of this chunk; the last one ran last.
    for i in reversed(range(len(filters))):
        if skipped >> i & 1:
            continue
        inflates = filters[i] == GZIP
        data = _inflated(data, size * dtype.itemsize) if inflates else _unshuffled(data, dtype)
    return np.frombuffer(data, dtype=dtype)


def _inflated(data: bytes, n_bytes: int) -> bytes:
    """The bytes of a chunk; one that holds more of them is damaged, and could fill the memory."""
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(data, n_bytes + 1)
    except zlib.error as error:
        raise OSError(f"a compressed chunk is damaged: {error}") from error
    if len(found) != n_bytes or not inflater.eof:
        raise OSError(f"a compressed chunk is damaged: it does not hold {n_bytes} bytes")
    return found


def _unshuffled(data: bytes, dtype: np.dtype) -> np.ndarray:
    """Bytes in the order of the elements; they are stored by their place in the element."""
    return np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1).T)
