"""Where in the brain the channels of an NWB file lie, from its electrodes table."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from neurodsr.data.channels import Channels
from neurodsr.errors import DataError
from neurodsr.sources.nwb_nodes import (
    Node,
    as_text,
    is_text,
    name_some,
    read_all,
    reading,
    row_bounds,
)

NO_REGION = frozenset({"", "unknown", "n/a", "none"})
"""Spellings of "not known"; NA is none of them, it is a region (the nucleus ambiguus)."""


class Electrodes(NamedTuple):
    """Region and position of each row of an electrodes table; positions in the file's space."""

    regions: tuple[str, ...]
    positions: Float[np.ndarray, "electrode 3"]
    located: Bool[np.ndarray, " electrode"]


def read_electrodes(table: Any, where: str) -> Electrodes:
    """Region and position of every electrode; "" and not located where the file is silent.

    Positions that are zero for all electrodes are a placeholder and count as unknown.
    """
    n = len(table.id)
    regions = [""] * n
    if "location" in table.colnames and is_text(table["location"].data):
        regions = [clean_region(v) for v in read_all(table["location"].data, where)]
    positions = np.full((n, 3), np.nan)
    for axis, name in enumerate("xyz"):
        if name in table.colnames:
            column = read_all(table[name].data, where)
            if column.dtype.kind in "iuf" and column.shape == (n,):
                positions[:, axis] = column
    located = np.isfinite(positions).all(axis=1) & bool(np.nan_to_num(positions).any())
    return Electrodes(tuple(regions), np.where(located[:, None], positions, 0.0), located)


def unit_channels(node: Node, ids: tuple[str, ...]) -> tuple[Channels, tuple[str, ...]]:
    """The units' regions and positions, through the electrodes that each one names.

    A unit on several electrodes lies at their mean position, in the region that most of them
    share; one without a region there takes its electrode group's location.
    """
    n, notes = len(ids), []
    regions, positions, located = [""] * n, np.zeros((n, 3)), np.zeros(n, dtype=bool)
    if "electrodes" in node.item.colnames:
        electrodes, rows = _unit_electrodes(node, n)
        mixed = []
        for i, mine in enumerate(rows):
            known = Counter(electrodes.regions[r] for r in mine if electrodes.regions[r])
            regions[i] = known.most_common(1)[0][0] if known else ""
            if len(known) > 1:
                mixed.append(f"{ids[i]} ({', '.join(known)})")
            if (good := mine[electrodes.located[mine]]).size:
                positions[i], located[i] = electrodes.positions[good].mean(axis=0), True
        if mixed:
            notes.append(f"electrodes of units in several regions: {name_some(mixed)}")
    groups = _group_locations(node, n) if "" in regions else [""] * n
    channels = Channels(
        ids=ids,
        regions=tuple(a or b for a, b in zip(regions, groups, strict=True)),
        positions=positions,
        located=located,
    )
    return channels, tuple(notes)


def series_channels(node: Node, ids: tuple[str, ...]) -> Channels:
    """The channels of a series, with their places if it names one electrode a channel."""
    region = getattr(node.item, "electrodes", None)
    if "ElectricalSeries" not in node.types or region is None:
        return Channels(ids=ids)
    rows = _region_rows(region, f"{node.where}/electrodes")
    if len(rows) != len(ids):
        raise DataError(
            f"{len(ids)} channels but {len(rows)} electrodes",
            where=node.where,
            fix="the series must name one electrode a channel; is its first axis time?",
        )
    electrodes = read_electrodes(region.table, f"{node.file}:electrodes")
    return Channels(
        ids=ids,
        regions=tuple(electrodes.regions[r] for r in rows),
        positions=electrodes.positions[rows],
        located=electrodes.located[rows],
    )


def clean_region(value: object) -> str:
    """The location as the file spells it, "" for the ways to say that it is not known."""
    text = as_text(value).strip()
    return "" if text.lower() in NO_REGION else text


def _unit_electrodes(node: Node, n: int) -> tuple[Electrodes, list[Int[np.ndarray, " row"]]]:
    where = f"{node.where}/electrodes"
    with reading(where):
        column = node.item["electrodes"]
        region = getattr(column, "target", column)
        table = region.table
    rows = _region_rows(region, where)
    bounds = np.arange(n + 1)
    if region is not column:
        bounds = row_bounds(column, n_rows=n, n_data=len(rows), where=f"{where}_index")
    mine = [rows[a:b] for a, b in pairwise(bounds)]
    return read_electrodes(table, f"{node.file}:electrodes"), mine


def _region_rows(region: Any, where: str) -> Int[np.ndarray, " row"]:
    """Row numbers (not ids) in the electrodes table, checked against its length."""
    rows = read_all(region.data, where)
    n = len(region.table.id)
    if rows.dtype.kind not in "iu" or (rows.size and not 0 <= rows.min() <= rows.max() < n):
        bad = rows.max() if rows.size else rows.dtype
        raise DataError(
            f"names electrode row {bad}, but the electrodes table has {n} rows",
            where=where,
            fix="the column holds row numbers from 0, not electrode ids; write it again",
        )
    return rows.astype(np.int64)


def _group_locations(node: Node, n: int) -> list[str]:
    if "electrode_group" not in node.item.colnames:
        return [""] * n
    with reading(f"{node.where}/electrode_group"):
        column = node.item["electrode_group"]
        return [clean_region(column[i].location or "") for i in range(n)]
