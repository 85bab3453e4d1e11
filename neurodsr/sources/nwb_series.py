"""Continuous signals of an NWB file as samples in physical units with their times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Series
from neurodsr.errors import DataError
from neurodsr.sources.lazy import LazyArray, Samples
from neurodsr.sources.nwb_anatomy import series_channels
from neurodsr.sources.nwb_clock import read_clock
from neurodsr.sources.nwb_nodes import Node, as_text, reading

EAGER_BYTES = 64 * 2**20
AXES = ("x", "y", "z")


def load_series(node: Node, *, check: Callable[[], None]) -> Series:
    """The samples of a time series, value = raw * conversion + offset, with a mask for NaN.

    Below 64 MiB they are read at once; beyond, they stay in the file and are read when sliced.

    Parameters
    ----------
    check
        Raises if the file has changed; called after each read.

    Raises
    ------
    DataError
        Not a numeric one- or two-dimensional signal, no samples, none of them a number, or a
        wrong clock.
    """
    data = numeric_data(node)
    clock = read_clock(node, n_samples=data.shape[0])
    gain, offset, notes = _scaling(node, n_channels(data))
    samples = Samples(data, clock.rows, gain, offset, node.where, check)
    invalid, values, valid = _load(samples)
    if invalid == 1:
        raise DataError(
            "no sample holds a number: all are NaN or infinite",
            where=node.where,
            fix="leave this stream out",
        )
    if invalid:
        notes.append(f"{invalid:.3%} of the values are NaN or infinite and were masked")
    return Series(
        values=values,
        valid=valid,
        times=clock.times,
        channels=_channels(node, len(gain)),
        unit=as_text(node.item.unit or ""),
        notes=clock.notes + tuple(notes),
    )


def numeric_data(node: Node) -> h5py.Dataset:
    """The series' dataset if it can be a stream: numbers, (sample,) or (sample, channel)."""
    with reading(node.where):
        data = node.item.data
        shape, dtype = getattr(data, "shape", None), getattr(data, "dtype", None)
    if not is_numeric(data) or 0 in shape:
        raise DataError(
            f"{node.types[0]} data of shape {shape}, type {dtype}, cannot be a stream",
            where=node.where,
            fix="choose a numeric series of shape (time,) or (time, channel) with samples; "
            "`neurodsr inspect` lists them",
        )
    return data


def is_numeric(data: Any) -> bool:
    """Whether a dataset holds numbers along one or two axes."""
    return isinstance(data, h5py.Dataset) and data.dtype.kind in "biuf" and data.ndim in (1, 2)


def n_channels(data: h5py.Dataset) -> int:
    """Channels of a series; one where its data have a single axis."""
    return data.shape[1] if data.ndim == 2 else 1


def _scaling(node: Node, n: int) -> tuple[Float[np.ndarray, " channel"], float, list[str]]:
    notes = []
    with reading(node.where):
        conversion = float(node.item.conversion)
        offset = float(node.item.offset)
        per_channel = getattr(node.item, "channel_conversion", None)
        gain = np.ones(n) if per_channel is None else np.array(per_channel[:], dtype=float)
    if not np.isfinite(conversion) or conversion == 0:
        notes.append(f"the conversion factor is {conversion:g}; 1 was used")
        conversion = 1.0
    if gain.shape != (n,) or not np.isfinite(gain).all() or not np.isfinite(offset):
        raise DataError(
            f"channel_conversion of shape {gain.shape} or offset {offset:g} "
            f"do not fit {n} channels",
            where=node.where,
            fix="write the series again with one finite conversion a channel",
        )
    return gain * conversion, offset, notes


def _load(samples: Samples) -> tuple[float, Any, Any]:
    n_values = samples.shape[0] * samples.shape[1]
    if 8 * n_values < EAGER_BYTES:
        values, valid = _finite(samples.read(slice(None)))
        return 1 - valid.sum() / n_values, values, valid
    values = LazyArray(
        lambda key: _finite(samples.read(key))[0], shape=samples.shape, dtype=np.float64
    )
    valid = LazyArray(lambda key: _finite(samples.read(key))[1], shape=samples.shape, dtype=bool)
    return samples.invalid_fraction(), values, valid


def _finite(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    valid = np.isfinite(values)
    return np.where(valid, values, 0.0), valid


def _channels(node: Node, n: int) -> Channels:
    name = node.path.rsplit("/", 1)[-1]
    if "SpatialSeries" in node.types and n <= len(AXES):
        return Channels(ids=AXES[:n])
    ids = tuple(f"{name}[{i}]" for i in range(n))
    return series_channels(node, ids)
