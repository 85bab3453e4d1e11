"""The parts of a recording that are not arrays, as JSON-like values and back, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.data.truth import Truth
from neurodsr.errors import DataError

VERSION_1 = "neurodsr/recording/1"
"""Arrays without shards; of its channels little was known, and the rest takes its default."""
VERSION_2 = "neurodsr/recording/2"
VERSION_3 = "neurodsr/recording/3"
"""Some stream has an exposure, which version 2 knew nothing of; else version 2 is written still."""
SCHEMAS = (VERSION_1, VERSION_2, VERSION_3)


def recording_to_plain(recording: Recording) -> dict[str, Any]:
    """Everything about a recording but its arrays; streams in their order.

    A neurodsr that knows version 2 only would take the counts of partly watched bins for those
    of whole ones, and must refuse them; it may read all other recordings.
    """
    inputs = recording.inputs
    streams = [*recording.streams.values(), *([] if inputs is None else [inputs])]
    exposed = any(stream.exposure is not None for stream in streams)
    return {
        "schema": VERSION_3 if exposed else VERSION_2,
        "id": recording.id,
        "grid": grid_to_plain(recording.grid),
        "streams": [_stream_to_plain(s, name=n) for n, s in recording.streams.items()],
        "inputs": None if inputs is None else _stream_to_plain(inputs, name="inputs"),
        "segments": intervals_to_plain(recording.segments),
        "sessions": list(recording.sessions),
        "notes": list(recording.notes),
        "source": None if recording.source is None else dict(sorted(recording.source.items())),
        "truth": None if recording.truth is None else _truth_to_plain(recording.truth),
    }


def recording_from_plain(
    data: Mapping[str, Any],
    streams: Mapping[str, Stream],
    inputs: Stream | None,
    truth: Truth | None = None,
) -> Recording:
    """Inverse of `recording_to_plain`, given the streams themselves."""
    return Recording(
        id=data["id"],
        grid=grid_from_plain(data["grid"]),
        streams=streams,
        inputs=inputs,
        segments=intervals_from_plain(data["segments"]),
        sessions=tuple(data["sessions"]),
        notes=tuple(data["notes"]),
        source=data["source"],
        truth=truth,
    )


def grid_to_plain(grid: TimeGrid) -> dict[str, float | int]:
    """The three numbers of a grid, exact."""
    return {
        "start": float(grid.start),
        "bin_width": float(grid.bin_width),
        "n_bins": int(grid.n_bins),
    }


def grid_from_plain(data: Mapping[str, float | int]) -> TimeGrid:
    """Inverse of `grid_to_plain`."""
    return TimeGrid(float(data["start"]), float(data["bin_width"]), int(data["n_bins"]))


def intervals_to_plain(intervals: Intervals) -> dict[str, Any]:
    """Starts, stops (s) and the other columns of a table of intervals, in their order."""
    return {
        "starts": _array_to_plain(np.asarray(intervals.starts, dtype=float), name="starts"),
        "stops": _array_to_plain(np.asarray(intervals.stops, dtype=float), name="stops"),
        "columns": [
            {"name": name, **_array_to_plain(np.asarray(column), name=name)}
            for name, column in intervals.columns.items()
        ],
    }


def intervals_from_plain(data: Mapping[str, Any]) -> Intervals:
    """Inverse of `intervals_to_plain`."""
    return Intervals(
        starts=_array_from_plain(data["starts"]),
        stops=_array_from_plain(data["stops"]),
        columns={column["name"]: _array_from_plain(column) for column in data["columns"]},
    )


def _stream_to_plain(stream: Stream, *, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "channels": stream.channels.to_plain(),
        "unit": stream.unit,
        "notes": list(stream.notes),
        **({} if stream.exposure is None else {"exposure": True}),
    }


def _truth_to_plain(truth: Truth) -> dict[str, Any]:
    assert truth.state.exposure is None, "a true state is known whole"
    return {
        "state": _stream_to_plain(truth.state, name="state"),
        "n_reference": len(truth.reference),
        "exponent": float(truth.exponent),
    }


def stream_from_plain(
    data: Mapping[str, Any], values: Any, mask: Any, exposure: Any = None
) -> Stream:
    """A stream of the given arrays, which may be lazy."""
    return Stream(
        values=values,
        mask=mask,
        channels=Channels.from_plain(data["channels"]),
        unit=data["unit"],
        notes=tuple(data["notes"]),
        exposure=exposure,
    )


def _array_to_plain(array: np.ndarray, *, name: str) -> dict[str, Any]:
    texts = array.dtype.kind in "OU" and all(isinstance(v, str) for v in array.flat)
    if not (texts or array.dtype.kind in "biuf"):
        raise DataError(
            f"column {name!r} holds {array.dtype}, neither numbers nor texts",
            where="segments of the recording",
            fix="leave that column out, or turn it into numbers or texts in the source file",
        )
    values = array.ravel().tolist()
    if array.dtype.kind == "f":
        # JSON has no NaN, and a trials table may well have one.
        values = [v if np.isfinite(v) else str(v) for v in values]
    # Texts lose their width, so that equal texts give equal bytes.
    return {
        "dtype": "text" if texts else array.dtype.name,
        "shape": list(array.shape),
        "values": values,
    }


def _array_from_plain(data: Mapping[str, Any]) -> np.ndarray:
    values, shape = data["values"], data["shape"]
    if data["dtype"] == "text":
        return np.array(values, dtype=str).reshape(shape)
    dtype = np.dtype(data["dtype"])
    if dtype.kind not in "biuf":
        raise ValueError(f"{dtype} is no type of a column")
    if dtype.kind == "f":
        values = [float(v) for v in values]
    return np.array(values, dtype=dtype).reshape(shape)
