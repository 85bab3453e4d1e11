"""Places in a declared space, where a file has the anatomical localization extension."""

from __future__ import annotations

import numpy as np

from neurodsr.data.channels import Channels
from neurodsr.errors import DataError
from neurodsr.sources.nwb_columns import region_rows
from neurodsr.sources.nwb_locations import clean_region, declared_length
from neurodsr.sources.nwb_nodes import as_text, name_some, read_all, type_name
from neurodsr.sources.tree import Dataset, Group, Tree

PLACE = "general"
TABLE, CCF_TYPE, CCF = "AnatomicalCoordinatesTable", "AllenCCFv3Space", "AllenCCFv3"
SOURCE = "localization"


def localized(channels: Channels, tree: Tree, table: Group) -> tuple[Channels, tuple[str, ...]]:
    """The rows of a table with the regions and positions that a localization gives them.

    What an `AnatomicalCoordinatesTable` says wins over what the rows say themselves; where it is
    silent, they keep what they have.

    Parameters
    ----------
    channels
        One for each row of the table, such as the electrodes.

    Raises
    ------
    DataError
        A localization names a row that the table does not have, or its columns were cut.
    """
    tables = [found for found in _tables(tree) if _points_to(found, table.path)]
    if not tables:
        return channels, ()
    chosen, notes = tables[0], []
    if len(tables) > 1:
        names = name_some([t.path.rpartition("/")[2] for t in tables])
        notes.append(f"several localizations ({names}): the first was used")
    where = f"{tree.where}:/{chosen.path}"
    rows = region_rows(chosen["localized_entity"], table, f"{where}/localized_entity")
    if doubled := len(rows) - len(np.unique(rows)):
        notes.append(f"{doubled} rows are localized more than once: the last place was used")
    return _placed(channels, chosen, rows, where), tuple(notes)


def _placed(channels: Channels, table: Group, rows: np.ndarray, where: str) -> Channels:
    positions = np.stack([_numbers(table, axis, len(rows), where) for axis in "xyz"], axis=1)
    said = _regions(table, len(rows), where)
    unit, space = _space(table)
    plain = channels.to_plain()
    for row, position, text in zip(rows.tolist(), positions, said, strict=True):
        region = clean_region(text)
        if np.isfinite(position).all():
            plain["positions"][row], plain["located"][row] = position.tolist(), True
            plain["position_units"][row], plain["spaces"][row] = unit, space
        elif not region:
            continue
        plain["anatomy_sources"][row] = SOURCE
        if region:
            plain["regions"][row], plain["raw_regions"][row] = region, text
    return Channels.from_plain(plain)


def _tables(tree: Tree) -> list[Group]:
    found: list[Group] = []
    if PLACE not in tree.root or not isinstance(start := tree.root[PLACE], Group):
        return found
    stack = [start]
    while stack:
        group = stack.pop()
        for name in group.names():
            if group.is_link(name) or not isinstance(item := group[name], Group):
                continue
            if type_name(item) == TABLE:
                found.append(item)
            else:
                stack.append(item)
    return sorted(found, key=lambda g: g.path)


def _points_to(table: Group, target: str) -> bool:
    entity = table.get("localized_entity")
    if not isinstance(entity, Dataset):
        return False
    return as_text(entity.attributes.get("table", "")).strip("/") == target.strip("/")


def _numbers(table: Group, axis: str, n: int, where: str) -> np.ndarray:
    column = table.get(axis)
    if not isinstance(column, Dataset) or column.kind != "number" or column.shape != (n,):
        found = f"shape {column.shape}" if isinstance(column, Dataset) else "no such column"
        raise DataError(
            f"{axis} of {n} localized rows has {found}",
            where=f"{where}/{axis}",
            fix="write the localization again with one number for x, y and z a row",
        )
    return read_all(column, f"{where}/{axis}").astype(float)


def _regions(table: Group, n: int, where: str) -> list[str]:
    column = table.get("brain_region")
    if not isinstance(column, Dataset) or column.kind != "text" or column.shape != (n,):
        return [""] * n
    return [as_text(value) for value in read_all(column, f"{where}/brain_region")]


def _space(table: Group) -> tuple[str, str]:
    """Unit of the coordinates, and the space's name with the directions that x, y, z grow in."""
    space = table.get("space")
    if not isinstance(space, Group):
        return "unknown", "unknown"
    kind, said = type_name(space), space.attributes
    if kind == CCF_TYPE:
        # The type fixes both: the Allen common coordinate framework is in µm, its axes PIR.
        return "um", CCF
    name = as_text(said.get("space_name", "")) or kind.removesuffix("Space") or "unknown"
    axes = as_text(said.get("orientation", "")).strip().upper()
    unit = declared_length(as_text(said.get("units", "")))
    return unit, f"{name} ({axes})" if axes else name
