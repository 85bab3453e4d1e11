"""A recording on disk: a zarr folder that is whole, checksummed, and opened lazily."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from neurodsr.data.plain import (
    SCHEMA,
    recording_from_plain,
    recording_to_plain,
    stream_from_plain,
)
from neurodsr.data.recording import Recording
from neurodsr.data.streams import Stream
from neurodsr.data.truth import Truth
from neurodsr.errors import DataError, IntegrityError
from neurodsr.storage.documents import read_json
from neurodsr.storage.folder import complete_folder
from neurodsr.storage.manifest import MANIFEST, check_manifest

CHUNK = 1024
_INTEGERS = tuple(np.dtype(f"{sign}int{bits}") for sign in ("u", "") for bits in (8, 16, 32, 64))
_VALUE_TYPES = frozenset({*(dtype.name for dtype in _INTEGERS), "float32"})
_MASK_TYPES = frozenset({"bool"})


def save_recording(recording: Recording, path: str | Path, *, force: bool = False) -> None:
    """Write a recording as a folder that appears whole or not at all.

    Integers, and whole numbers of the unit "count", take the smallest integer type that holds
    them; everything else is float32. Names stay in the attributes and never become file names.
    Equal recordings give equal bytes, also after opening and saving again.

    Parameters
    ----------
    recording
        Its arrays may be lazy; `CHUNK` bins are held in memory at a time.
    path
        The folder to write, by custom NAME.zarr.
    force
        Replace the recording that stands there.

    Raises
    ------
    OutputError
        The folder exists, is being written by someone else, or cannot be written.
    ResourceError
        The disk is full.
    AssertionError
        A value is not finite or beyond float32, or is not 0 where the mask is False.
    """
    attributes = recording_to_plain(recording)
    _assert_finite_json(attributes)
    inputs = recording.inputs
    assert inputs is None or inputs.n_bins == recording.grid.n_bins, "inputs on another grid"
    with complete_folder(path, force=force) as folder:
        root = zarr.create_group(store=folder, zarr_format=3, attributes=attributes)
        for i, (name, stream) in enumerate(recording.streams.items()):
            _write_stream(root, f"streams/{i}", stream, name=name)
        if inputs is not None:
            _write_stream(root, "inputs", inputs, name="inputs")
        if recording.truth is not None:
            _write_stream(root, "truth/state", recording.truth.state, name="state")
            _write_stream(root, "truth/reference", _as_stream(recording.truth), name="reference")


def open_recording(path: str | Path, *, verify: bool = True) -> Recording:
    """Open a recording; its arrays stay on the disk and give only what is sliced out of them.

    Parameters
    ----------
    path
        A folder that `save_recording` wrote.
    verify
        Compare the sha256 of every file, which reads all of them; otherwise only names and
        sizes are compared.

    Raises
    ------
    DataError
        It is not a recording.
    IntegrityError
        A file is missing, extra, changed or a link, or a newer neurodsr wrote it.
    """
    path = Path(path)
    if not path.is_dir():
        raise _not_a_recording(path, "there is no such folder")
    if (path / MANIFEST).exists():
        check_manifest(path, contents=verify)
    attributes = _read_attributes(path)
    # Now that it is one of ours: without its manifest, its writing was never finished.
    check_manifest(path, contents=False)
    try:
        return _open(path, attributes)
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise _malformed(path, f"its attributes do not make a recording ({error})") from error


def _assert_finite_json(attributes: dict[str, Any]) -> None:
    try:
        json.dumps(attributes, allow_nan=False)
    except ValueError as error:
        raise AssertionError(
            "a NaN or infinity in the grid, or in a channel's position (use `located`)"
        ) from error


def _write_stream(root: zarr.Group, where: str, stream: Stream, *, name: str) -> None:
    dtype = _stored_type(stream)
    fill = np.nan if dtype.kind == "f" else np.iinfo(dtype).max
    values = _create(root, f"{where}/values", stream.values.shape, dtype, fill)
    mask = _create(root, f"{where}/mask", stream.mask.shape, np.dtype(bool), False)
    for begin in range(0, stream.n_bins, CHUNK):
        chunk = slice(begin, min(begin + CHUNK, stream.n_bins))
        observed = np.asarray(stream.mask[chunk], dtype=bool)
        values[chunk] = _sound(np.asarray(stream.values[chunk]), observed, dtype, name=name)
        mask[chunk] = observed


def _create(
    root: zarr.Group, name: str, shape: tuple[int, int], dtype: np.dtype, fill: float | int
) -> zarr.Array:
    # A missing chunk reads as `fill`: NaN, the largest count or "not observed", never as a
    # plausible number; so every chunk is written, also one that holds nothing but `fill`.
    return root.create_array(
        name,
        shape=shape,
        chunks=_chunks(shape),
        dtype=dtype,
        fill_value=fill,
        compressors=[ZstdCodec(level=3, checksum=True)],
        config={"write_empty_chunks": True},
    )


def _chunks(shape: tuple[int, int]) -> tuple[int, int]:
    return CHUNK, max(1, shape[1])


def _stored_type(stream: Stream) -> np.dtype:
    real = np.dtype(np.float32)
    if stream.values.dtype.kind not in "biu" and stream.unit != "count":
        return real
    low = high = 0
    for begin in range(0, stream.n_bins, CHUNK):
        block = np.asarray(stream.values[begin : begin + CHUNK])
        if not (np.isfinite(block).all() and (block == np.floor(block)).all()):
            return real
        low, high = min(low, int(block.min(initial=0))), max(high, int(block.max(initial=0)))
    fitting = (t for t in _INTEGERS if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
    return next(fitting, real)


def _sound(block: np.ndarray, observed: np.ndarray, dtype: np.dtype, *, name: str) -> np.ndarray:
    if not (np.isfinite(block).all() and (np.abs(block) <= _largest(dtype)).all()):
        raise AssertionError(f"stream {name!r} holds NaN, an infinity, or more than {dtype} can")
    if np.any(block[~observed]):
        raise AssertionError(f"stream {name!r} has values other than 0 where its mask is False")
    return block.astype(dtype)


def _largest(dtype: np.dtype) -> float:
    return float(np.finfo(dtype).max) if dtype.kind == "f" else np.inf


def _read_attributes(path: Path) -> dict[str, Any]:
    if not (path / "zarr.json").is_file():
        raise _not_a_recording(path, "it is a folder, but not a recording")
    document = read_json(path / "zarr.json")
    attributes = document.get("attributes") if isinstance(document, dict) else None
    schema = attributes.get("schema") if isinstance(attributes, dict) else None
    if schema == SCHEMA:
        return attributes
    if isinstance(schema, str) and re.fullmatch(r"neurodsr/recording/\d+", schema):
        raise IntegrityError(
            f"its schema is {schema}, newer than {SCHEMA}",
            where=str(path),
            fix="read it with a newer neurodsr: pip install -U neurodsr",
        )
    raise _not_a_recording(path, "it is a zarr store, but not a recording")


def _open(path: Path, attributes: dict[str, Any]) -> Recording:
    n_bins = attributes["grid"]["n_bins"]
    streams = {
        plain["name"]: _open_stream(path, f"streams/{i}", plain, n_bins)
        for i, plain in enumerate(attributes["streams"])
    }
    inputs = attributes["inputs"]
    if inputs is not None:
        inputs = _open_stream(path, "inputs", inputs, n_bins)
    truth = attributes["truth"]
    if truth is not None:
        truth = _open_truth(path, truth, n_bins)
    return recording_from_plain(attributes, streams, inputs, truth)


def _open_truth(path: Path, plain: dict[str, Any], n_bins: int) -> Truth:
    state = _open_stream(path, "truth/state", plain["state"], n_bins)
    reference = _open_stream(path, "truth/reference", plain["state"], plain["n_reference"])
    return Truth(state, np.asarray(reference.values[:], dtype=float), plain["exponent"])


def _as_stream(truth: Truth) -> Stream:
    """The reference orbit in the form in which arrays are stored."""
    seen = np.ones(truth.reference.shape, dtype=bool)
    return Stream(truth.reference, seen, truth.state.channels, truth.state.unit)


def _open_stream(path: Path, where: str, plain: dict[str, Any], n_bins: int) -> Stream:
    shape = (n_bins, len(plain["channels"]["ids"]))
    values = _open_array(path, f"{where}/values", shape, types=_VALUE_TYPES)
    mask = _open_array(path, f"{where}/mask", shape, types=_MASK_TYPES)
    return stream_from_plain(plain, values, mask)


def _open_array(
    path: Path, where: str, shape: tuple[int, int], *, types: frozenset[str]
) -> zarr.Array:
    # Looked at before zarr sees it: it would import a foreign codec, or allocate a chunk of any
    # size that the file asks for.
    layout = read_json(path / where / "zarr.json")
    ours = (
        layout["shape"] == list(shape)
        and layout["data_type"] in types
        and layout["chunk_grid"]["configuration"]["chunk_shape"] == list(_chunks(shape))
        and [codec["name"] for codec in layout["codecs"]] == ["bytes", "zstd"]
    )
    if not ours:
        raise _malformed(path, f"{where} is not laid out as {SCHEMA} says")
    return zarr.open_array(store=path, path=where, mode="r", zarr_format=3)


def _not_a_recording(path: Path, what: str) -> DataError:
    return DataError(
        f"not a recording: {what}",
        where=str(path),
        fix=f"check the path, or make a recording: neurodsr ingest run.yaml -o '{path}'",
    )


def _malformed(path: Path, what: str) -> IntegrityError:
    return IntegrityError(
        f"the recording is damaged: {what}",
        where=str(path),
        fix="make it again with neurodsr ingest",
    )
