"""What each object of an NWB file offers, listed with its problems and without failing on them."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from neurodsr.errors import DataError
from neurodsr.sources.base import StreamEntry
from neurodsr.sources.nwb_clock import gaps, read_clock
from neurodsr.sources.nwb_nodes import Node, as_text, reading
from neurodsr.sources.nwb_series import is_numeric, n_channels
from neurodsr.sources.nwb_tables import load_intervals, plain_columns
from neurodsr.sources.nwb_units import load_units

RawKind = Literal["events", "series", "intervals"]


def raw_kind(node: Node) -> RawKind | None:
    """What an object can be read as; None if it can be no stream."""
    if "Units" in node.types:
        return "events"
    if "TimeIntervals" in node.types:
        return "intervals"
    if "TimeSeries" in node.types:
        with reading(node.where):
            return "series" if is_numeric(node.item.data) else None
    return None


def describe(node: Node) -> StreamEntry:
    """One line of the listing; what is wrong becomes a graded problem instead of an error."""
    readers = {"events": _events, "series": _series, "intervals": _intervals}
    kind = raw_kind(node)
    try:
        return readers[kind](node)
    except DataError as error:
        return _entry(node, kind, problems=(f"error: {error.what}; fix: {error.fix}",))


def _events(node: Node) -> StreamEntry:
    events = load_units(node)
    observed = [o for o in events.observed or () if len(o)]
    start, stop = float(events.times.min()), float(events.times.max())
    if observed:
        start, stop = min(o[0, 0] for o in observed), max(o[:, 1].max() for o in observed)
    return _entry(
        node,
        "events",
        n_channels=len(events.channels),
        n_samples=len(events.times),
        span=(float(start), float(stop)),
        unit="count",
        regions=tuple(sorted(set(events.channels.regions) - {""})),
        problems=tuple(f"warning: {note}" for note in events.notes),
    )


def _series(node: Node) -> StreamEntry:
    data = node.item.data
    clock = read_clock(node, n_samples=data.shape[0])
    problems = [*clock.notes, *filter(None, [gaps(clock)])]
    if n_channels(data) > data.shape[0] > 1:
        problems.append(f"shape {data.shape}: more channels than samples; may be transposed")
    return _entry(
        node,
        "series",
        n_channels=n_channels(data),
        n_samples=data.shape[0],
        span=(float(clock.times[0]), float(clock.times[-1])),
        rate=clock.rate,
        unit=as_text(node.item.unit or ""),
        problems=tuple(f"warning: {p}" for p in problems),
    )


def _intervals(node: Node) -> StreamEntry:
    table = load_intervals(node)
    return _entry(
        node,
        "intervals",
        n_channels=len(table.columns),
        n_samples=len(table.starts),
        span=(float(np.min(table.starts)), float(np.max(table.stops))),
        columns=plain_columns(node),
    )


def _entry(
    node: Node,
    kind: RawKind,
    *,
    n_channels: int = 0,
    n_samples: int = 0,
    span: tuple[float, float] = (math.nan, math.nan),
    rate: float = 0.0,
    unit: str = "",
    regions: tuple[str, ...] = (),
    columns: tuple[str, ...] = (),
    problems: tuple[str, ...] = (),
) -> StreamEntry:
    return StreamEntry(
        path=node.path,
        kind=kind,
        neurodata_type=node.types[0],
        n_channels=n_channels,
        n_samples=n_samples,
        start=span[0],
        stop=span[1],
        rate=rate,
        unit=unit,
        description=as_text(getattr(node.item, "description", "") or ""),
        regions=regions,
        columns=columns,
        problems=problems,
    )
