"""Free texts on a place in the brain and on units of length, as labs write them."""

from __future__ import annotations

import re

import numpy as np

from neurodsr.sources.missing import MISSING_WORDS
from neurodsr.sources.nwb_nodes import as_text, read_all
from neurodsr.sources.tree import Dataset, Group

NO_REGION = MISSING_WORDS | {"unknown"}
"""Spellings of "not known"; NA is none of them, it is a region (the nucleus ambiguus)."""
REGION_KEYS = ("brain_subregion", "subregion", "brain_region", "region", "brain_area", "location")
"""Keys of a location that is a list, the finest first."""
UNITS = {
    "um": r"[\u00b5\u03bc]m|um|micron\w*|micromet\w*",
    "mm": r"mm|millimet\w*",
    "m": r"meters?|metres?",
}
"""Words that name a unit; two characters look like µ: the micro sign and the Greek letter."""

CELL_TYPES = ("cell_type", "celltype", "putative_cell_type")
"""Columns that say what kind of cell a neuron is."""


def parse_location(raw: str) -> tuple[str, str]:
    """Region and hemisphere of a free text; "" for the ways to say that one is not known.

    A list such as "brain_region: Thalamus; hemisphere: Left" gives its parts; any other text is
    the region as it stands.
    """
    text = raw.strip()
    pairs = re.findall(r"(\w+)\s*:\s*([^;,]*)", text)
    known = {key.lower(): clean_region(value) for key, value in pairs}
    if not known.keys() & set(REGION_KEYS):
        return clean_region(text), ""
    region = next((known[key] for key in REGION_KEYS if known.get(key)), "")
    side = known.get("hemisphere", "").lower()
    return region, side if side in ("left", "right") else ""


def clean_region(value: object) -> str:
    """The location as the file spells it, "" for the ways to say that it is not known."""
    text = as_text(value).strip()
    return "" if text.lower() in NO_REGION else text


def declared_unit(text: str) -> str:
    """The unit of length that a description names, "unknown" if none or several."""
    found = [u for u, p in UNITS.items() if re.search(rf"(?<!\w)({p})(?!\w)", text.lower())]
    return found[0] if len(found) == 1 else "unknown"


def declared_length(unit: str) -> str:
    """The unit of length that a field for a unit names, where "m" alone is one too."""
    return "m" if unit.strip().lower() == "m" else declared_unit(unit)


def group_text(group: Group, name: str) -> str:
    """A text of an object, in a dataset or an attribute; "" if it has none."""
    if name in group and isinstance(found := group[name], Dataset):
        values = np.ravel(read_all(found, f"{group.path}/{name}"))
        return as_text(values[0]) if values.size else ""
    return as_text(group.attributes.get(name, ""))


def cell_types(table: Group, n: int, where: str) -> tuple[str, ...]:
    """What a table of neurons says of each cell, word for word; "" where it does not."""
    for name in CELL_TYPES:
        column = table.get(name)
        if isinstance(column, Dataset) and column.kind == "text" and column.shape == (n,):
            return tuple(clean_region(v) for v in read_all(column, f"{where}/{name}"))
    return ("",) * n
