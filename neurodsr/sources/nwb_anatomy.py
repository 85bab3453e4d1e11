"""Where in the brain the channels of a stream lie: units, electrical and optogenetic series."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from neurodsr.data.channels import Channels
from neurodsr.errors import DataError
from neurodsr.sources.nwb_columns import (
    RowReferences,
    referenced_table,
    region_rows,
    row_references,
)
from neurodsr.sources.nwb_electrodes import read_electrodes, take_rows
from neurodsr.sources.nwb_localization import localized
from neurodsr.sources.nwb_locations import cell_types, group_text, parse_location
from neurodsr.sources.nwb_nodes import Node, name_some, read_all, reading
from neurodsr.sources.tree import Group

ELECTRODES = "general/extracellular_ephys/electrodes"
PEAK = "peak_channel_id"
BLOCK_BYTES = 32 * 2**20


def unit_channels(node: Node, ids: tuple[str, ...]) -> tuple[Channels, tuple[str, ...]]:
    """The units' regions and positions, through the electrodes that each one names.

    A unit on several electrodes lies at the one where it is largest (`peak_channel_id`, or the
    peak of `waveform_mean` by electrode); where the file has neither, at their mean position, in
    the region that most of them share. One without a region there takes its electrode group's
    location. A localization of the units themselves wins over all of these.
    """
    channels, notes = Channels(ids=ids), []
    references, doubts = _electrodes_of(node, len(ids))
    if references is not None:
        electrodes, said = read_electrodes(references.table, node)
        channels, mixed = _on_electrodes(electrodes, references.rows, ids)
        notes += [*doubts, *said, *mixed]
    channels = replace(
        _grouped(node, channels), cell_types=cell_types(node.group, len(ids), node.where)
    )
    channels, said = localized(channels, node.tree, node.group)
    return channels, (*notes, *said)


def electrode_channels(node: Node, ids: tuple[str, ...]) -> tuple[Channels, tuple[str, ...]]:
    """The channels of an electrical series, with their places if it names one electrode each."""
    data, where = node.dataset("electrodes"), f"{node.where}/electrodes"
    if data is None:
        return Channels(ids=ids), ()
    table = referenced_table(node, data, where)
    rows = region_rows(data, table, where)
    if len(rows) != len(ids):
        raise DataError(
            f"{len(ids)} channels but {len(rows)} electrodes",
            where=node.where,
            fix="the series must name one electrode a channel; is its first axis time?",
        )
    electrodes, notes = read_electrodes(table, node)
    return take_rows(electrodes, rows, ids), notes


def site_channels(node: Node, ids: tuple[str, ...]) -> Channels:
    """The channels of an optogenetic series, at the location of its stimulation site."""
    raw = ""
    with reading(f"{node.where}/site"):
        site = node.group.get("site")
    if isinstance(site, Group):
        raw = group_text(site, "location")
    region, hemisphere = parse_location(raw)
    n = len(ids)
    return Channels(
        ids=ids,
        regions=(region,) * n,
        raw_regions=(raw,) * n,
        hemispheres=(hemisphere,) * n,
        anatomy_sources=("stimulation site" if region else "",) * n,
    )


def _electrodes_of(node: Node, n: int) -> tuple[RowReferences | None, list[str]]:
    """The electrodes that each unit lies on, only its largest one where that is known."""
    references, peaks = row_references(node, "electrodes", n=n), _peaks(node, n)
    if references is None:
        table = _electrodes_table(node)
        if peaks is None or table is None:
            return None, []
        references = RowReferences(table, [np.arange(len(table["id"]))] * n)
        return _at_peaks(node, references, peaks)
    if peaks is not None:
        return _at_peaks(node, references, peaks)
    return RowReferences(references.table, _largest_waveform(node, references.rows)), []


def _electrodes_table(node: Node) -> Group | None:
    try:
        table = node.tree.get(ELECTRODES)
    except KeyError:
        return None
    return table if isinstance(table, Group) and "id" in table else None


def _peaks(node: Node, n: int) -> np.ndarray | None:
    data = node.dataset(PEAK)
    if data is None or data.kind != "number" or data.shape != (n,):
        return None
    return read_all(data, f"{node.where}/{PEAK}")


def _at_peaks(
    node: Node, references: RowReferences, peaks: np.ndarray
) -> tuple[RowReferences, list[str]]:
    """Each unit's electrodes narrowed to the one whose id is its peak's, where it is there."""
    ids = read_all(references.table["id"], f"{node.tree.where}:/{references.table.path}/id")
    found = [mine[ids[mine] == peak] for mine, peak in zip(references.rows, peaks, strict=True)]
    lost = sum(not len(rows) for rows in found)
    notes = [f"{lost} units have a {PEAK} that is none of their electrodes"] if lost else []
    own = node.dataset("electrodes") is not None
    rows = [f if len(f) or not own else r for f, r in zip(found, references.rows, strict=True)]
    return RowReferences(references.table, rows), notes


def _largest_waveform(node: Node, rows: list[Int[np.ndarray, " _"]]) -> list[np.ndarray]:
    """Of each unit's electrodes the one with the largest mean waveform, where that is known."""
    data = node.dataset("waveform_mean")
    if data is None or data.kind != "number" or data.ndim != 3 or len(data) != len(rows):
        return rows
    if any(len(mine) != data.shape[2] for mine in rows):
        return rows
    step = max(1, BLOCK_BYTES // max(1, 8 * data.shape[1] * data.shape[2]))
    peaks: list[int] = []
    for first in range(0, len(rows), step):
        with reading(f"{node.where}/waveform_mean"):
            block = np.nan_to_num(data[first : first + step])
        peaks += np.argmax(np.ptp(block, axis=1), axis=1).tolist()
    return [mine[[peak]] for mine, peak in zip(rows, peaks, strict=True)]


def _on_electrodes(
    electrodes: Channels, rows: list[Int[np.ndarray, " _"]], ids: tuple[str, ...]
) -> tuple[Channels, list[str]]:
    """Each unit in the region that most of its electrodes share, at their mean position."""
    first, mixed = np.zeros(len(ids), dtype=np.int64), []
    placed = np.array([len(mine) > 0 for mine in rows], dtype=bool)
    for i in np.flatnonzero(placed):
        known = Counter(electrodes.regions[r] for r in rows[i] if electrodes.regions[r])
        common = known.most_common(1)[0][0] if known else ""
        first[i] = next(r for r in rows[i] if electrodes.regions[r] == common)
        if len(known) > 1:
            mixed.append(f"{ids[i]} ({', '.join(known)})")
    channels = _at_mean(_taken(electrodes, first, placed, ids), electrodes, rows)
    notes = [f"electrodes of units in several regions: {name_some(mixed)}"] if mixed else []
    return channels, notes


def _taken(
    electrodes: Channels, rows: np.ndarray, placed: np.ndarray, ids: tuple[str, ...]
) -> Channels:
    """What is said of one electrode for each unit; nothing for units that lie on none."""
    if not len(electrodes):
        return Channels(ids=ids)
    plain, blank = take_rows(electrodes, rows, ids).to_plain(), Channels(ids=ids).to_plain()
    for i in np.flatnonzero(~placed):
        for name in set(plain) - {"ids", "levels"}:
            plain[name][i] = blank[name][i]
    return Channels.from_plain(plain)


def _at_mean(
    channels: Channels, electrodes: Channels, rows: list[Int[np.ndarray, " _"]]
) -> Channels:
    """Units at the mean of their electrodes' positions, of those in one and the same space."""
    frames = np.array(
        [f"{s}|{u}" for s, u in zip(electrodes.spaces, electrodes.position_units, strict=True)]
    )
    plain = channels.to_plain()
    for i, mine in enumerate(rows):
        good = mine[electrodes.located[mine]]
        plain["located"][i] = bool(good.size)
        if good.size:
            good = good[frames[good] == frames[good[0]]]
            plain["positions"][i] = electrodes.positions[good].mean(axis=0).tolist()
            plain["spaces"][i] = electrodes.spaces[good[0]]
            plain["position_units"][i] = electrodes.position_units[good[0]]
    return Channels.from_plain(plain)


def _grouped(node: Node, channels: Channels) -> Channels:
    """Channels without a region take their electrode group's."""
    n, groups = len(channels), node.dataset("electrode_group")
    if groups is None or groups.kind != "reference" or all(channels.regions) or len(groups) != n:
        return channels
    paths = read_all(groups, f"{node.where}/electrode_group")
    raw = {p: _group_location(node, p) for p in dict.fromkeys(paths.tolist()) if p}
    plain = channels.to_plain()
    for i, path in enumerate(paths.tolist()):
        region, hemisphere = parse_location(raw.get(path, ""))
        if region and not channels.regions[i]:
            plain["regions"][i], plain["raw_regions"][i] = region, raw[path]
            plain["hemispheres"][i] = hemisphere
            plain["anatomy_sources"][i] = "electrode group"
    return Channels.from_plain(plain)


def _group_location(node: Node, path: str) -> str:
    with reading(f"{node.tree.where}:/{path}"):
        group = node.tree.get(path)
    return group_text(group, "location") if isinstance(group, Group) else ""
