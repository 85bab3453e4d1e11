"""One stream of a recording on disk: its arrays written in one pass, and opened lazily."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from neurodsr.data.plain import VERSION_1, stream_from_plain
from neurodsr.data.store_arrays import (
    CHUNK_BINS,
    EXPOSURE_TYPE,
    Layout,
    create_array,
    is_laid_out,
    is_laid_out_in_version_1,
    layout_of,
    shards_along,
    sound,
    sound_exposure,
    stored_type,
    write_shard,
)
from neurodsr.data.streams import Stream
from neurodsr.data.strict_store import StoredArray
from neurodsr.errors import IntegrityError

READ_BYTES = 32 * 2**20
_INTEGERS = tuple(np.dtype(f"{sign}int{bits}") for sign in ("u", "") for bits in (8, 16, 32, 64))


def write_stream(root: zarr.Group, where: str, stream: Stream, *, name: str) -> None:
    """Values, mask and exposure, shard by shard, so that a lazy stream is never held as a whole.

    Raises
    ------
    AssertionError
        They hold what no stream may, as `sound` and `sound_exposure` say.
    """
    types = _types(_stored_type(stream), exposed=stream.exposure is not None)
    layout = _layout(stream.values.shape, types)
    arrays = [
        create_array(root, f"{where}/{part}", stream.values.shape, dtype, layout)
        for part, dtype in types.items()
    ]
    n_bins, n_channels = stream.values.shape
    for rows in shards_along(n_bins, layout.shard[0]):
        blocks = _shard(stream, rows, types, name=name)
        for columns in shards_along(n_channels, layout.shard[1]):
            for array, block in zip(arrays, blocks.values(), strict=True):
                write_shard(array, rows, columns, block[:, columns])


def open_stream(
    path: Path, where: str, plain: dict[str, Any], n_bins: int, *, schema: str
) -> Stream:
    """The stream at a place of a recording on disk, whose arrays are read when they are sliced.

    Parameters
    ----------
    plain
        The stream's attributes.
    schema
        That of the recording, which says how its arrays are laid out.

    Raises
    ------
    IntegrityError
        An array is missing, or laid out in another way.
    """
    shape = (n_bins, len(plain["channels"]["ids"]))
    values = stored_type(path, f"{where}/values")
    types = _types(values, exposed=bool(plain.get("exposure", False)))
    for part, dtype in types.items():
        if schema == VERSION_1:
            ours = is_laid_out_in_version_1(path, f"{where}/{part}", shape, dtype=dtype.name)
        else:
            layout = _layout(shape, types)
            ours = is_laid_out(path, f"{where}/{part}", shape, layout, dtype=dtype.name)
        if not ours:
            raise malformed(path, f"{where}/{part} is not laid out as {schema} says")
    arrays = (StoredArray(path, f"{where}/{part}", name=plain["name"]) for part in types)
    return stream_from_plain(plain, *arrays)


def _types(values: np.dtype, *, exposed: bool) -> dict[str, np.dtype]:
    """The arrays of a stream by name, in the order of `stream_from_plain`, and their types."""
    types = {"values": values, "mask": np.dtype(bool)}
    return types | {"exposure": EXPOSURE_TYPE} if exposed else types


def _layout(shape: tuple[int, int], types: dict[str, np.dtype]) -> Layout:
    return layout_of(shape, max(types.values(), key=lambda dtype: dtype.itemsize))


def _shard(
    stream: Stream, rows: slice, types: dict[str, np.dtype], *, name: str
) -> dict[str, np.ndarray]:
    """Some rows of each array, checked, in the types that they are stored as."""
    shape = (rows.stop - rows.start, stream.n_channels)
    blocks = {part: np.empty(shape, dtype) for part, dtype in types.items()}
    for part in _parts(stream, rows):
        inside = slice(part.start - rows.start, part.stop - rows.start)
        values = np.asarray(stream.values[part])
        mask = blocks["mask"][inside] = np.asarray(stream.mask[part], dtype=bool)
        blocks["values"][inside] = sound(values, mask, types["values"], name=name)
        if stream.exposure is not None:
            exposure = np.asarray(stream.exposure[part])
            blocks["exposure"][inside] = sound_exposure(exposure, mask, name=name)
    return blocks


def _parts(stream: Stream, rows: slice) -> Iterator[slice]:
    """Stretches of rows that are read at a time."""
    row = 8 * max(1, stream.n_channels)
    step = max(CHUNK_BINS, READ_BYTES // row // CHUNK_BINS * CHUNK_BINS)
    for begin in range(rows.start, rows.stop, step):
        yield slice(begin, min(begin + step, rows.stop))


def _stored_type(stream: Stream) -> np.dtype:
    real, kind = np.dtype(np.float32), stream.values.dtype.kind
    if kind not in "biu" and stream.unit != "count":
        return real
    if stream.values.dtype in (bool, np.uint8):
        return np.dtype(np.uint8)
    low = high = 0
    for part in _parts(stream, slice(0, stream.n_bins)):
        block = np.asarray(stream.values[part])
        if kind not in "biu" and not (np.isfinite(block).all() and (block == np.rint(block)).all()):
            return real
        low, high = min(low, int(block.min(initial=0))), max(high, int(block.max(initial=0)))
    fitting = (t for t in _INTEGERS if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
    return next(fitting, real)


def malformed(path: Path, what: str) -> IntegrityError:
    """What is raised for a folder that is whole, and yet no recording can be made of it."""
    return IntegrityError(
        f"the recording is damaged: {what}",
        where=str(path),
        fix="make it again with neurodsr ingest",
    )
