"""What the members of a plain Zarr group are, and what their attributes say of the channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from neurodsr.data.channels import Channels
from neurodsr.errors import DataError
from neurodsr.sources.nwb_nodes import as_text, read_all
from neurodsr.sources.tree import Dataset, Group, Tree

Kind = Literal["events", "series", "intervals"]
TIMES = "times"
CLOCK = ("rate", "start")
PAGE = "docs/zarr_layout.md shows how"
POSITION_UNITS = ("um", "mm", "m", "voxel", "pixel", "unknown")


@dataclass(frozen=True)
class Member:
    """One stream of the group: its arrays by name, and its attributes.

    A bare array of the root has itself as `values`, and the root's `times`, rate and start.
    """

    path: str
    kind: Kind
    datasets: Mapping[str, Dataset]
    attributes: Mapping[str, Any]
    where: str

    def text(self, name: str, default: str = "") -> str:
        """An attribute as text."""
        found = self.attributes.get(name, default)
        return as_text(found) if np.ndim(found) == 0 else default

    def number(self, name: str) -> float | None:
        """An attribute that must be a number; None if there is none."""
        found = self.attributes.get(name)
        if found is None or (isinstance(found, int | float) and not isinstance(found, bool)):
            return None if found is None else float(found)
        raise DataError(
            f"the attribute {name!r} is {found!r}, not a number",
            where=self.where,
            fix=f'write it as a number: group.attrs["{name}"] = 30.0',
        )

    def texts(self, name: str, n_channels: int) -> tuple[str, ...]:
        """An attribute with one entry a channel; nothing if there is none."""
        found = self.attributes.get(name)
        if found is None:
            return ()
        if np.shape(found) != (n_channels,):
            raise DataError(
                f"the attribute {name!r} has shape {np.shape(found)} for {n_channels} channels",
                where=self.where,
                fix=f"write one entry a channel: a list of {n_channels}",
            )
        return tuple(as_text(value) for value in np.asarray(found).tolist())


def find_members(tree: Tree) -> dict[str, Member]:
    """The streams of a plain Zarr group by name: its member groups, and bare arrays."""
    return {member.path: member for member in _members(tree)}


def member_channels(member: Member, n_channels: int) -> Channels:
    """Names and places of a stream's channels, as its attributes and `positions` say them.

    Raises
    ------
    DataError
        Another number of entries than of channels, or an unknown unit of positions.
    """
    name = member.path
    default = (name,) if n_channels == 1 else tuple(f"{name}[{i}]" for i in range(n_channels))
    regions = member.texts("regions", n_channels) or ("",) * n_channels
    positions, located = _positions(member, n_channels)
    unit, space = _position_unit(member), member.text("space") or "unknown"
    told = [bool(region) or bool(there) for region, there in zip(regions, located, strict=True)]
    return Channels(
        ids=member.texts("channel_ids", n_channels) or default,
        regions=regions,
        positions=positions,
        located=located,
        position_units=tuple(unit if there else "unknown" for there in located),
        spaces=tuple(space if there else "unknown" for there in located),
        anatomy_sources=tuple(name if some else "" for some in told),
    )


def _members(tree: Tree) -> Iterator[Member]:
    root = tree.root
    times = {TIMES: root[TIMES]} if isinstance(root.get(TIMES), Dataset) else {}
    clock = {name: root.attributes[name] for name in CLOCK if name in root.attributes}
    for name in root:
        item, where = root[name], f"{tree.where}:/{name}"
        if isinstance(item, Group):
            inside = {n: item[n] for n in item}
            arrays = {n: d for n, d in inside.items() if isinstance(d, Dataset)}
            yield Member(name, _kind(arrays), arrays, item.attributes, where)
        elif name != TIMES:
            attributes = {**clock, **item.attributes}
            yield Member(name, "series", {"values": item, **times}, attributes, where)


def _kind(arrays: Mapping[str, Dataset]) -> Kind:
    if "values" in arrays:
        return "series"
    if {"starts", "stops"} <= arrays.keys():
        return "intervals"
    return "events" if TIMES in arrays else "series"


def _positions(member: Member, n_channels: int) -> tuple[np.ndarray, np.ndarray]:
    found = member.datasets.get("positions")
    if found is None:
        return np.zeros((n_channels, 3)), np.zeros(n_channels, dtype=bool)
    if found.kind != "number" or found.shape != (n_channels, 3):
        raise DataError(
            f"positions of shape {found.shape}, type {found.dtype}, for {n_channels} channels",
            where=f"{member.where}/positions",
            fix=f"write x, y and z of each channel: shape ({n_channels}, 3); NaN where unknown",
        )
    places = read_all(found, f"{member.where}/positions").astype(np.float64)
    located = np.isfinite(places).all(axis=1)
    return np.where(located[:, None], places, 0.0), located


def _position_unit(member: Member) -> str:
    unit = member.text("position_unit") or "unknown"
    unit = "um" if unit in ("µm", "μm") else unit
    if unit not in POSITION_UNITS:
        raise DataError(
            f"position_unit is {unit!r}",
            where=member.where,
            fix=f"write one of: {', '.join(POSITION_UNITS)}",
        )
    return unit
