"""Columns of an NWB table: plain ones, ragged ones, and those that name rows of another table."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from neurodsr.errors import DataError
from neurodsr.sources.nwb_nodes import Node, as_text, read_all, reading, row_bounds, type_name
from neurodsr.sources.tree import Dataset, Group


class RowReferences(NamedTuple):
    """The table that a column points into, and for each row of the column the rows it names."""

    table: Group
    rows: list[Int[np.ndarray, " _"]]


def n_rows(node: Node) -> int:
    """Rows of a table, by its ids."""
    ids = node.dataset("id")
    return 0 if ids is None or ids.ndim == 0 else len(ids)


def column_names(node: Node) -> tuple[str, ...]:
    """The table's columns in its own order, also those that its `colnames` forgot."""
    declared = [as_text(name) for name in np.ravel(node.attribute("colnames", ()))]
    others = [n for n in node.group.names() if n not in declared and n != "id"]
    found = [n for n in (*declared, *others) if node.dataset(n) is not None]
    return tuple(n for n in dict.fromkeys(found) if not is_index(node, n))


def is_index(node: Node, name: str) -> bool:
    """Whether a column only says where the rows of a ragged one end."""
    return name.endswith("_index") and node.dataset(name.removesuffix("_index")) is not None


def ragged_bounds(node: Node, name: str, *, n: int) -> Int[np.ndarray, " rows_plus_1"] | None:
    """Where each row of a ragged column starts and ends; None if it is not ragged."""
    index, data = node.dataset(f"{name}_index"), node.dataset(name)
    if index is None or data is None:
        return None
    where = f"{node.where}/{name}_index"
    if node.dataset(f"{name}_index_index") is None:
        return row_bounds(index, n_rows=n, n_data=len(data), where=where)
    # Doubly ragged, as waveforms are: the outer index counts entries of the inner one.
    outer = row_bounds(
        node.dataset(f"{name}_index_index"), n_rows=n, n_data=len(index), where=f"{where}_index"
    )
    inner = row_bounds(index, n_rows=len(index), n_data=len(data), where=where)
    return inner[outer]


def is_plain(node: Node, name: str) -> bool:
    """Whether a column holds one text, number or boolean a row."""
    data = node.dataset(name)
    if data is None or data.kind not in ("number", "text") or data.ndim != 1:
        return False
    return f"{name}_index" not in node.group and type_name(data) != "DynamicTableRegion"


def plain_values(node: Node, name: str) -> Shaped[np.ndarray, " row"]:
    """A plain column: text as str, floats as float64, integers and booleans as stored."""
    values = read_all(node.dataset(name), f"{node.where}/{name}")
    return values.astype(np.float64) if values.dtype.kind == "f" else values


def plain_columns(node: Node, *, n: int, without: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """All plain columns of the right length, by name."""
    found = {}
    for name in column_names(node):
        if name not in without and is_plain(node, name) and len(node.dataset(name)) == n:
            found[name] = plain_values(node, name)
    return found


def row_references(node: Node, name: str, *, n: int) -> RowReferences | None:
    """What a region column names, row numbers checked against the table; None if there is none."""
    data = node.dataset(name)
    if data is None:
        return None
    where = f"{node.where}/{name}"
    table = referenced_table(node, data, where)
    rows = region_rows(data, table, where)
    bounds = ragged_bounds(node, name, n=n)
    if bounds is None:
        if len(rows) != n:
            raise DataError(
                f"{len(rows)} entries for {n} rows",
                where=where,
                fix="write the table again with one reference a row, or with an index",
            )
        bounds = np.arange(n + 1)
    return RowReferences(table, [rows[a:b] for a, b in pairwise(bounds)])


def referenced_table(node: Node, data: Dataset, where: str) -> Group:
    """The table that a region column points into."""
    with reading(where):
        table = node.tree.get(as_text(data.attributes["table"]))
    if not isinstance(table, Group) or "id" not in table:
        raise DataError(
            "points to something that is no table",
            where=where,
            fix="write the column again with its table, e.g. with pynwb",
        )
    return table


def region_rows(data: Dataset, table: Group, where: str) -> Int[np.ndarray, " row"]:
    """Row numbers (not ids) in another table, checked against its length."""
    rows, n = read_all(data, where), len(table["id"])
    if rows.dtype.kind not in "iu" or (rows.size and not 0 <= rows.min() <= rows.max() < n):
        bad = rows.dtype
        if rows.dtype.kind in "iu":
            bad = rows.min() if rows.min() < 0 else rows.max()
        raise DataError(
            f"names row {bad} of {table.path.rpartition('/')[2]}, which has {n} rows",
            where=where,
            fix="the column holds row numbers from 0, not ids; write it again",
        )
    return rows.astype(np.int64)
