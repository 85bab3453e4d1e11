"""A recording on disk: a zarr folder that is whole, checksummed, and opened lazily."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from neurodsr.data.plain import SCHEMAS, recording_from_plain, recording_to_plain
from neurodsr.data.recording import Recording
from neurodsr.data.store_streams import malformed, open_stream, write_stream
from neurodsr.data.streams import Stream
from neurodsr.data.truth import Truth
from neurodsr.errors import DataError, IntegrityError
from neurodsr.storage.documents import read_json
from neurodsr.storage.folder import complete_folder
from neurodsr.storage.manifest import MANIFEST, check_manifest


def save_recording(recording: Recording, path: str | Path, *, force: bool = False) -> None:
    """Write a recording as a folder that appears whole or not at all.

    Integers, and whole numbers of the unit "count", take the smallest integer type that holds
    them; everything else is float32, exposures too. Names stay in the attributes and never become
    file names. Equal recordings give equal bytes, also after opening and saving again.

    Parameters
    ----------
    recording
        Its arrays may be lazy; one shard of one stream is held in memory at a time.
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
        A value is not finite or beyond float32, or is not 0 where the mask is False, or an
        exposure is not above 0 and at most 1 where it is True.
    """
    attributes = recording_to_plain(recording)
    _assert_finite_json(attributes)
    inputs = recording.inputs
    assert inputs is None or inputs.n_bins == recording.grid.n_bins, "inputs on another grid"
    with complete_folder(path, force=force) as folder:
        root = zarr.create_group(store=folder, zarr_format=3, attributes=attributes)
        for i, (name, stream) in enumerate(recording.streams.items()):
            write_stream(root, f"streams/{i}", stream, name=name)
        if inputs is not None:
            write_stream(root, "inputs", inputs, name="inputs")
        if recording.truth is not None:
            write_stream(root, "truth/state", recording.truth.state, name="state")
            write_stream(root, "truth/reference", _as_stream(recording.truth), name="reference")


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
        A file is missing, extra, changed or a link, or a newer neurodsr wrote it. Reading values
        later raises it too, where a file was lost or damaged since.
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
        raise malformed(path, f"its attributes do not make a recording ({error})") from error


def _assert_finite_json(attributes: dict[str, Any]) -> None:
    try:
        json.dumps(attributes, allow_nan=False)
    except ValueError as error:
        raise AssertionError(
            "a NaN or infinity in the grid, or in a channel's position (use `located`)"
        ) from error


def _read_attributes(path: Path) -> dict[str, Any]:
    if not (path / "zarr.json").is_file():
        raise _not_a_recording(path, "it is a folder, but not a recording")
    document = read_json(path / "zarr.json")
    attributes = document.get("attributes") if isinstance(document, dict) else None
    schema = attributes.get("schema") if isinstance(attributes, dict) else None
    if schema in SCHEMAS:
        return attributes
    if isinstance(schema, str) and re.fullmatch(r"neurodsr/recording/\d+", schema):
        raise IntegrityError(
            f"its schema is {schema}, newer than {SCHEMAS[-1]}",
            where=str(path),
            fix="read it with a newer neurodsr: pip install -U neurodsr",
        )
    raise _not_a_recording(path, "it is a zarr store, but not a recording")


def _open(path: Path, attributes: dict[str, Any]) -> Recording:
    n_bins = attributes["grid"]["n_bins"]
    schema = attributes["schema"]
    streams = {
        plain["name"]: open_stream(path, f"streams/{i}", plain, n_bins, schema=schema)
        for i, plain in enumerate(attributes["streams"])
    }
    inputs = attributes["inputs"]
    if inputs is not None:
        inputs = open_stream(path, "inputs", inputs, n_bins, schema=schema)
    truth = attributes["truth"]
    if truth is not None:
        truth = _open_truth(path, truth, n_bins, schema=schema)
    return recording_from_plain(attributes, streams, inputs, truth)


def _open_truth(path: Path, plain: dict[str, Any], n_bins: int, *, schema: str) -> Truth:
    state, n_reference = plain["state"], plain["n_reference"]
    reference = open_stream(path, "truth/reference", state, n_reference, schema=schema)
    state = open_stream(path, "truth/state", state, n_bins, schema=schema)
    return Truth(state, np.asarray(reference.values[:], dtype=float), plain["exponent"])


def _as_stream(truth: Truth) -> Stream:
    """The reference orbit in the form in which arrays are stored."""
    seen = np.ones(truth.reference.shape, dtype=bool)
    return Stream(truth.reference, seen, truth.state.channels, truth.state.unit)


def _not_a_recording(path: Path, what: str) -> DataError:
    return DataError(
        f"not a recording: {what}",
        where=str(path),
        fix=f"check the path, or make a recording: neurodsr ingest run.yaml -o '{path}'",
    )
