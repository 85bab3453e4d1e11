"""What each object of an NWB file offers, listed with its problems and without failing on them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from neurodsr.data.channels import Channels
from neurodsr.errors import DataError
from neurodsr.sources.base import StreamEntry
from neurodsr.sources.clock_rules import Clock, describe_gaps, gaps
from neurodsr.sources.nwb_clock import first_and_last, n_stamps, read_clock
from neurodsr.sources.nwb_events import is_events, load_events
from neurodsr.sources.nwb_nodes import Node, reading
from neurodsr.sources.nwb_rois import plane_description
from neurodsr.sources.nwb_series import (
    channels_of,
    is_numeric,
    n_channels,
    numeric_data,
    series_unit,
    shape_doubts,
)
from neurodsr.sources.nwb_stimuli import is_index_series, load_index_series
from neurodsr.sources.nwb_tables import load_intervals, plain_names, ragged_names
from neurodsr.sources.nwb_units import load_units, time_resolution

RawKind = Literal["events", "series", "intervals"]
MAX_GAPS = 20
MAX_STAMPS = 2**26
"""Timestamps that a listing reads in all; of further series it looks at the first and last."""
MAX_TEXT = 1000
"""Characters of a description that are listed; some files keep whole documents there."""
NO_SIGNALS = ("ImageSeries", "SpikeEventSeries")
"""Series whose samples are images, or snippets around spikes: no signal in time."""
LFP, CALCIUM, BEHAVIOR = "ElectricalSeries", "RoiResponseSeries", "SpatialSeries"
BEHAVIOR_PLACES = frozenset(
    {"behavior", "position", "compassdirection", "eyetracking", "pupiltracking",
     "behavioraltimeseries"}
)  # fmt: skip


def raw_kind(node: Node) -> RawKind | None:
    """What an object can be read as; None if it can be no stream."""
    if node.is_a("Units") or is_events(node) or is_index_series(node):
        return "events"
    if node.is_a("TimeIntervals"):
        return "intervals"
    if node.is_a("TimeSeries") and not any(node.is_a(kind) for kind in NO_SIGNALS):
        return "series" if is_numeric(node.dataset("data")) else None
    return None


def describe_all(nodes: Mapping[Node, RawKind]) -> Iterator[StreamEntry]:
    """One line of the listing for each object that can be read as something."""
    left = MAX_STAMPS
    for node, kind in nodes.items():
        n = n_stamps(node) if kind == "series" else 0
        yield describe(node, kind, whole_clock=n <= left)
        left -= n if n <= left else 0


def describe(node: Node, kind: RawKind, *, whole_clock: bool = True) -> StreamEntry:
    """One line of the listing; what is wrong becomes a graded problem instead of an error.

    Parameters
    ----------
    whole_clock
        Whether all timestamps of a series are looked at, or only the first and the last.
    """
    try:
        with reading(node.where):
            if kind == "series":
                return _series(node, whole_clock=whole_clock)
            return _events(node) if kind == "events" else _intervals(node)
    except DataError as error:
        data = node.dataset("data") if kind == "series" else None
        return _entry(
            node,
            kind,
            n_channels=0 if data is None else n_channels(data),
            n_samples=0 if data is None else data.shape[0],
            problems=(f"error: {error.what}; fix: {error.fix}",),
        )


def modality_of(node: Node) -> str:
    """The kind of observation model that would fit; "" if none is known to."""
    if node.is_a("Units"):
        return "spikes"
    if node.is_a(CALCIUM):
        return "calcium"
    if node.is_a(LFP):
        return "lfp"
    places = {part.lower() for part in node.path.split("/")[:-1]}
    bare = node.types[0] == "TimeSeries" and bool(places & BEHAVIOR_PLACES)
    return "behavior" if node.is_a(BEHAVIOR) or bare else ""


def _events(node: Node) -> StreamEntry:
    load = load_units if node.is_a("Units") else load_events
    events = load_index_series(node) if is_index_series(node) else load(node)
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
        channels=events.channels,
        problems=tuple(f"warning: {note}" for note in events.notes),
        more=time_resolution(node) if node.is_a("Units") else "",
    )


def _series(node: Node, *, whole_clock: bool) -> StreamEntry:
    data = numeric_data(node)
    channels, notes = channels_of(node, data)
    clock = (read_clock if whole_clock else first_and_last)(node, n_samples=data.shape[0])
    found = gaps(clock)
    gap_notes = filter(None, [describe_gaps(found)])
    problems = [*clock.notes, *gap_notes, *notes, *shape_doubts(data)]
    plane = plane_description(node) if node.is_a(CALCIUM) else ""
    return _entry(
        node,
        "series",
        n_channels=n_channels(data),
        n_samples=data.shape[0],
        span=_span(clock),
        rate=clock.rate,
        unit=series_unit(data),
        channels=channels,
        problems=tuple(f"warning: {p}" for p in problems),
        gaps=tuple(sorted(sorted(found, key=lambda g: g[0] - g[1])[:MAX_GAPS])),
        more=plane,
    )


def _intervals(node: Node) -> StreamEntry:
    table = load_intervals(node)
    empty = int((table.starts == table.stops).sum())
    return _entry(
        node,
        "intervals",
        problems=(f"warning: {empty} rows of no duration, which hold no bin",) if empty else (),
        n_channels=len(table.columns),
        n_samples=len(table.starts),
        span=(float(np.min(table.starts)), float(np.max(table.stops))),
        columns=(*plain_names(node), *ragged_names(node)),
    )


def _shortened(node: Node) -> str:
    text = node.text("description")
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} ... ({len(text)} characters)"


def _says(description: str) -> bool:
    """Whether a description is one, and not the schema's placeholder for none."""
    return description not in ("", "no description")


def _span(clock: Clock) -> tuple[float, float]:
    return float(clock.times[0]), float(clock.times[-1])


def _entry(
    node: Node,
    kind: RawKind,
    *,
    n_channels: int = 0,
    n_samples: int = 0,
    span: tuple[float, float] = (math.nan, math.nan),
    rate: float = 0.0,
    unit: str = "",
    channels: Channels | None = None,
    columns: tuple[str, ...] = (),
    problems: tuple[str, ...] = (),
    gaps: tuple[tuple[float, float], ...] = (),
    more: str = "",
) -> StreamEntry:
    return StreamEntry(
        path=node.path,
        kind=kind,
        neurodata_type=node.types[0],
        n_channels=n_channels,
        n_samples=n_samples,
        start=span[0],
        stop=span[1],
        rate=float(rate),
        unit=unit,
        description="; ".join(p for p in (_shortened(node), more) if _says(p)),
        regions=() if channels is None else tuple(sorted(set(channels.regions) - {""})),
        channels=channels,
        columns=columns,
        problems=problems,
        modality=modality_of(node),
        gaps=gaps,
    )
