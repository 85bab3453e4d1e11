"""What the labels of a label image are called, and on which side of the brain they lie."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from neurodsr.errors import DataError
from neurodsr.sources.bids_files import find_label_table
from neurodsr.sources.bids_tables import EMPTY, read_tsv, to_numbers
from neurodsr.sources.nwb_nodes import name_some

SIDES = {"l": "left", "left": "left", "lh": "left", "r": "right", "right": "right", "rh": "right"}
SHOWN = 5


class LabelNames(NamedTuple):
    """One entry a label: a name of its own, the region ("" if unnamed), the side; and notes."""

    ids: tuple[str, ...]
    regions: tuple[str, ...]
    hemispheres: tuple[str, ...]
    notes: tuple[str, ...]


def name_labels(path: str, numbers: Int[np.ndarray, " label"]) -> LabelNames:
    """Names from the table beside a label image; "label-7" where it says nothing of label 7.

    Raises
    ------
    DataError
        The table has no columns `index` and `name`.
    """
    table = find_label_table(path)
    names, sides = ({}, {}) if table is None else _read_names(table)
    regions = tuple(names.get(int(n), "") for n in numbers)
    ids = (
        region if region and regions.count(region) == 1 else f"{region} label-{n}".strip()
        for n, region in zip(numbers, regions, strict=True)
    )
    hemispheres = (
        sides.get(int(n)) or hemisphere(region) for n, region in zip(numbers, regions, strict=True)
    )
    return LabelNames(tuple(ids), regions, tuple(hemispheres), _compare(names, numbers))


def hemisphere(name: str) -> str:
    """The side that a parcel's name tells, as in 7Networks_LH_Vis_1, V1_R or left-amygdala."""
    words = (w.lower() for w in re.split(r"[^A-Za-z]+", name))
    sides = {SIDES[w] for w in words if w in SIDES}
    return sides.pop() if len(sides) == 1 else ""


def _read_names(table: Path) -> tuple[dict[int, str], dict[int, str]]:
    """Name and side of each label, but for those that the table leaves open."""
    columns = read_tsv(table)
    index = to_numbers(columns.get("index", [""]))
    if index is None or not {"index", "name"} <= set(columns):
        raise DataError(
            f"the table of labels has the columns {', '.join(columns)}",
            where=os.fspath(table),
            fix="give it the columns index (the label, a number) and name",
        )
    said = columns.get("hemisphere", columns.get("hemi", [""] * len(index)))
    rows = [(int(i), r) for r, i in enumerate(index) if np.isfinite(i)]
    names = {i: columns["name"][r] for i, r in rows if columns["name"][r] not in EMPTY}
    return names, {i: SIDES[said[r].lower()] for i, r in rows if said[r].lower() in SIDES}


def _compare(names: dict[int, str], numbers: Int[np.ndarray, " label"]) -> tuple[str, ...]:
    """What the table and the image do not have in common; a table that is absent says nothing."""
    present = {int(n) for n in numbers}
    # Label 0 is the background, whatever a table calls it.
    empty = [name for i, name in names.items() if i and i not in present]
    unnamed = [f"label-{n}" for n in sorted(present - set(names))] if names else []
    notes = (("labels without voxels", empty), ("labels without a name", unnamed))
    return tuple(f"{what}: {name_some(found, limit=SHOWN)}" for what, found in notes if found)
