"""Continuous signals of an NWB file as samples in physical units with their times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Series
from neurodsr.errors import DataError
from neurodsr.sources.base import DeclaredClock
from neurodsr.sources.lazy import Samples, finite, lazy_values
from neurodsr.sources.nwb_anatomy import electrode_channels, site_channels
from neurodsr.sources.nwb_clock import read_clock
from neurodsr.sources.nwb_nodes import Node, as_text, reading
from neurodsr.sources.nwb_pose import mask_unsure
from neurodsr.sources.nwb_rois import roi_channels, roi_columns
from neurodsr.sources.tree import Dataset

EAGER_BYTES = 64 * 2**20
AXES = ("x", "y", "z")


def load_series(
    node: Node,
    *,
    check: Callable[[], None],
    declared: DeclaredClock | None = None,
    n_together: int = 1,
) -> Series:
    """The samples of a time series, value = raw * conversion + offset, with a mask for NaN.

    Below 64 MiB they are read at once; beyond, they stay in the file and are read when sliced.

    Parameters
    ----------
    check
        Raises if the file has changed; called after each read.
    declared
        What the user says of its clock, where the file does not.
    n_together
        Number of series that are held in memory together: they share the 64 MiB.

    Raises
    ------
    DataError
        Not a numeric one- or two-dimensional signal, no samples, none of them a number, or a
        wrong clock.
    """
    data = numeric_data(node)
    n = n_channels(data)
    channels, notes = channels_of(node, data)
    clock = read_clock(node, n_samples=data.shape[0], declared=declared)
    gain, offset, repairs = _scaling(node, data, n)
    samples = Samples(data, clock.rows, gain, offset, node.where, check)
    invalid, values, valid = _load(samples, EAGER_BYTES // n_together)
    if invalid == 1:
        raise DataError(
            "no sample holds a number: all are NaN or infinite",
            where=node.where,
            fix="leave this stream out",
        )
    if invalid:
        repairs.append(f"{invalid:.3%} of the values are NaN or infinite and were masked")
    if isinstance(values, np.ndarray):
        repairs += _saturated(samples, values)
    series = Series(
        values=values,
        valid=valid,
        times=clock.times,
        channels=channels,
        unit=series_unit(data),
        notes=(*clock.notes, *repairs, *notes, *shape_doubts(data)),
        columns=roi_columns(node) if node.is_a("RoiResponseSeries") else {},
    )
    return mask_unsure(node, series, rows=clock.rows)


def numeric_data(node: Node) -> Dataset:
    """The series' dataset if it can be a stream: numbers, (sample,) or (sample, channel)."""
    with reading(node.where):
        data = node.dataset("data")
    if not is_numeric(data) or 0 in data.shape:
        found = "no data" if data is None else f"data of shape {data.shape}, type {data.dtype}"
        raise DataError(
            f"{node.types[0]} with {found} cannot be a stream",
            where=node.where,
            fix="choose a numeric series of shape (time,) or (time, channel) with samples; "
            "`neurodsr inspect` lists them",
        )
    return data


def is_numeric(data: Dataset | None) -> bool:
    """Whether a dataset holds numbers along one or two axes."""
    return data is not None and data.kind == "number" and data.ndim in (1, 2)


def n_channels(data: Dataset) -> int:
    """Channels of a series; one where its data have a single axis."""
    return data.shape[1] if data.ndim == 2 else 1


def shape_doubts(data: Dataset) -> tuple[str, ...]:
    """A sentence on axes that may be exchanged: recordings last longer than they are wide."""
    if not n_channels(data) > data.shape[0] > 1:
        return ()
    return (f"shape {data.shape}: more channels than samples; may be transposed",)


def series_unit(data: Dataset) -> str:
    """The unit as the file spells it."""
    return as_text(data.attributes.get("unit") or "")


def _scaling(
    node: Node, data: Dataset, n: int
) -> tuple[Float[np.ndarray, " channel"], float, list[str]]:
    notes = []
    with reading(node.where):
        conversion = float(data.attributes.get("conversion", 1.0))
        offset = float(data.attributes.get("offset", 0.0))
        per_channel = node.dataset("channel_conversion")
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


def _saturated(samples: Samples, values: np.ndarray) -> list[str]:
    """A sentence on values at the limits of a converter's integers; they are kept.

    Only signals that are in memory are looked at; shorter integers mostly hold codes.
    """
    dtype = samples.dataset.dtype
    if dtype.kind not in "iu" or dtype.itemsize != 2:
        return []
    limits = np.iinfo(dtype)
    ends = [limits.max] if dtype.kind == "u" else [limits.min, limits.max]
    n = sum(int((values == end * samples.gain + samples.offset).sum()) for end in ends)
    return [f"{n} values lie at the limits of {dtype}: is the signal saturated?"] if n else []


def _load(samples: Samples, eager_bytes: int) -> tuple[float, Any, Any]:
    n_values = samples.shape[0] * samples.shape[1]
    if 8 * n_values < eager_bytes:
        values, valid = finite(samples.read(slice(None)))
        return 1 - valid.sum() / n_values, values, valid
    invalid = samples.invalid_fraction()
    return invalid, *lazy_values(samples, complete=invalid == 0)


def channels_of(node: Node, data: Dataset) -> tuple[Channels, tuple[str, ...]]:
    """Names and places of the channels, and what is to be said of them."""
    n, name = n_channels(data), node.path.rsplit("/", 1)[-1]
    ids = tuple(f"{name}[{i}]" for i in range(n))
    if node.is_a("RoiResponseSeries"):
        return roi_channels(node, shape=data.shape)
    if node.is_a("ElectricalSeries"):
        return electrode_channels(node, ids)
    if node.is_a("OptogeneticSeries"):
        return site_channels(node, ids), ()
    if node.is_a("SpatialSeries") and n <= len(AXES):
        return Channels(ids=AXES[:n]), ()
    return Channels(ids=ids if n > 1 else (name,)), ()
