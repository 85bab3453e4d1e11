"""What an electrodes table says of the place of each electrode."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from neurodsr.data.channels import Channels
from neurodsr.errors import DataError
from neurodsr.sources.nwb_localization import localized
from neurodsr.sources.nwb_locations import clean_region, declared_unit, parse_location
from neurodsr.sources.nwb_nodes import Node, as_text, name_some, read_all
from neurodsr.sources.tree import Dataset, Group

SOURCE = "electrodes"
REGION_COLUMNS = (
    "location", "brain_area", "brain_region", "structure_acronym", "acronym", "allen_acronym",
    "allen_id",
)  # fmt: skip
"""Columns that name the region: the schema's first, then what labs call it."""
NUMBERED = "allen_id"
"""The one of them that names structures of the Allen ontology by number."""
CCF = "AllenCCFv3"
POSITION_COLUMNS = (
    ("anterior_posterior_ccf_coordinate", "dorsal_ventral_ccf_coordinate",
     "left_right_ccf_coordinate"),
    ("ccf_ap", "ccf_dv", "ccf_lr"),
    ("ccf_x", "ccf_y", "ccf_z"),
    ("x", "y", "z"),
)  # fmt: skip
"""Columns that hold the position; those that name their space first."""
MM_LIKE = 20.0
"""A brain's coordinates beyond 20 in some unit are no mm, below it they are hardly µm."""


class Places(NamedTuple):
    """Positions of the rows of a table, with the unit and space that its columns declare."""

    positions: Float[np.ndarray, "row 3"]
    located: Bool[np.ndarray, " row"]
    unit: str
    space: str


def read_electrodes(table: Group, node: Node) -> tuple[Channels, tuple[str, ...]]:
    """One channel an electrode, with its place, and what is to be said of the places.

    Positions that are zero for all electrodes are a placeholder and count as unknown. Their unit
    is what the columns declare; it is never guessed.

    Parameters
    ----------
    node
        Any object of the file, for errors and for looking elsewhere in it.

    Raises
    ------
    DataError
        Electrode ids occur more than once, or a localization names electrodes that are not there.
    """
    ids = _ids(table, node)
    raw = raw_regions(table, len(ids), node)
    parsed = [parse_location(text) for text in raw]
    places = _places(table, len(ids), node)
    known = [bool(region) or here for (region, _), here in zip(parsed, places.located, strict=True)]
    electrodes = Channels(
        ids=ids,
        regions=tuple(region for region, _ in parsed),
        positions=places.positions,
        located=places.located,
        raw_regions=tuple(raw),
        position_units=(places.unit,) * len(ids),
        spaces=(places.space,) * len(ids),
        hemispheres=tuple(hemisphere for _, hemisphere in parsed),
        anatomy_sources=tuple(SOURCE if k else "" for k in known),
    )
    electrodes, notes = localized(electrodes, node.tree, table)
    return electrodes, (*notes, *_doubts(electrodes))


def take_rows(electrodes: Channels, rows: np.ndarray, ids: tuple[str, ...]) -> Channels:
    """Channels that lie where the electrodes of the given rows do, one a row."""
    plain = electrodes.to_plain() | {"ids": list(ids)}
    per_row = [name for name in plain if name not in ("ids", "levels")]
    return Channels.from_plain(plain | {n: [plain[n][r] for r in rows.tolist()] for n in per_row})


def raw_regions(table: Group, n: int, node: Node) -> list[str]:
    """The first column that names a region for at least one electrode, word for word."""
    for name in REGION_COLUMNS:
        column = table.get(name)
        fits = isinstance(column, Dataset) and column.shape == (n,)
        if fits and (column.kind == "text" or (name == NUMBERED and column.kind == "number")):
            values = read_all(column, f"{node.tree.where}:/{column.path}")
            if any(clean_region(v) for v in values):
                return [as_text(v) for v in values]
    return [""] * n


def _ids(table: Group, node: Node) -> tuple[str, ...]:
    where = f"{node.tree.where}:/{table.path}/id"
    ids = read_all(table["id"], where)
    values, counts = np.unique(ids, return_counts=True)
    if len(values) < len(ids):
        raise DataError(
            f"electrode ids occur more than once: "
            f"{name_some([str(v) for v in values[counts > 1]])}",
            where=where,
            fix="give every electrode an id of its own in the source file",
        )
    return tuple(str(i) for i in ids)


def _places(table: Group, n: int, node: Node) -> Places:
    for names in POSITION_COLUMNS:
        columns = [table.get(name) for name in names]
        if all(isinstance(c, Dataset) and c.kind == "number" and c.shape == (n,) for c in columns):
            values = [read_all(c, f"{node.tree.where}:/{c.path}") for c in columns]
            positions = np.stack(values, axis=1).astype(float)
            finite = np.isfinite(positions).all(axis=1)
            if positions[finite].any():
                unit, space = _declared(columns, names)
                return Places(np.where(finite[:, None], positions, 0.0), finite, unit, space)
    return Places(np.zeros((n, 3)), np.zeros(n, dtype=bool), "unknown", "unknown")


def _declared(columns: list[Dataset], names: tuple[str, ...]) -> tuple[str, str]:
    said = " ".join(as_text(c.attributes.get("description", "")) for c in columns)
    named = any("ccf" in name for name in names) or "ccf" in said.lower()
    return declared_unit(said), CCF if named else "unknown"


def _doubts(electrodes: Channels) -> tuple[str, ...]:
    """A sentence on coordinates without a unit."""
    unknown = np.array([unit == "unknown" for unit in electrodes.position_units], dtype=bool)
    bare = electrodes.located & unknown
    if not bare.any():
        return ()
    largest = float(np.abs(electrodes.positions[bare]).max())
    hint = ", which look like mm and are not taken for µm" if largest < MM_LIKE else ""
    return (
        f"the file declares no unit for the electrodes' coordinates (up to {largest:.4g}"
        f"{hint}): kept as they are, unit unknown",
    )
