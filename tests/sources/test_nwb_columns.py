"""Columns of a table: plain, ragged, doubly ragged, and those that name rows of another."""

from __future__ import annotations

from itertools import pairwise

import h5py
import numpy as np
import pytest

from neurodsr.errors import DataError
from neurodsr.sources.hdf5_tree import Hdf5Tree
from neurodsr.sources.nwb_columns import (
    column_names,
    is_plain,
    n_rows,
    plain_columns,
    ragged_bounds,
    row_references,
)
from neurodsr.sources.nwb_nodes import index_nodes


@pytest.fixture
def table(tmp_path):
    """A function that writes a table of three rows with some columns, and gives its node."""
    trees = []

    def write(*, names=None, **columns):
        with h5py.File(tmp_path / "table.nwb", "w") as file:
            file["sites/id"] = np.arange(4)
            group = file.create_group("intervals/table")
            group.attrs["neurodata_type"] = "DynamicTable"
            group["id"] = np.arange(3)
            if names is not None:
                group.attrs["colnames"] = np.array(names, dtype=h5py.string_dtype())
            for name, values in columns.items():
                group[name] = values
                if name == "site":
                    group[name].attrs["neurodata_type"] = "DynamicTableRegion"
                    group[name].attrs["table"] = file["sites"].ref
        trees.append(Hdf5Tree(str(tmp_path / "table.nwb")))
        return index_nodes(trees[-1])["intervals/table"]

    yield write
    for tree in trees:
        tree.close()


def test_columns_come_in_the_table_s_order_then_those_that_it_forgot(table):
    node = table(names=["b", "a", "gone"], a=[1, 2, 3], b=[4, 5, 6], c=[7, 8, 9])
    assert column_names(node) == ("b", "a", "c")
    assert n_rows(node) == 3


def test_an_index_is_no_column_of_its_own(table):
    node = table(licks=[0.1, 0.2], licks_index=[1, 1, 2], body_index=[1, 2, 3])
    assert column_names(node) == ("body_index", "licks")


def test_plain_columns_keep_their_kind_and_floats_become_double(table):
    node = table(
        rate=np.array([1, 2, 3], dtype="f4"), side=["left", "N/A", "right"],
        hit=np.array([True, False, True]), licks=[0.1, 0.2], licks_index=[1, 1, 2],
        site=[0, 1, 2], short=[1, 2], shape=np.zeros((3, 2)),
    )  # fmt: skip
    found = plain_columns(node, n=3, without=("hit",))
    assert set(found) == {"rate", "side"}
    assert found["rate"].dtype == np.float64
    assert found["side"].tolist() == ["left", "N/A", "right"]
    assert not is_plain(node, "licks")
    assert not is_plain(node, "site")


@pytest.mark.parametrize("kind", ["u1", "i2", "u4", "u8", "i8"])
def test_a_ragged_column_is_bounded_by_the_cumulative_ends(table, kind):
    node = table(licks=np.arange(5.0), licks_index=np.array([2, 2, 5], dtype=kind))
    assert ragged_bounds(node, "licks", n=3).tolist() == [0, 2, 2, 5]
    assert ragged_bounds(node, "id", n=3) is None


def test_a_doubly_ragged_column_is_bounded_through_both_indices(table):
    node = table(wave=np.arange(7), wave_index=[1, 3, 6, 7], wave_index_index=[2, 2, 4])
    assert ragged_bounds(node, "wave", n=3).tolist() == [0, 3, 3, 7]


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ([1, 2, 9], "row 2 ends at 9, beyond 5 values"),
        ([3, 2, 5], "row 1 ends at 2, before 3"),
        ([-1, 2, 5], "row 0 ends at -1, before 0"),
        ([2, 5], "shape (2,) for 3 rows"),
        ([1.0, 2.0, 5.0], "has type float64"),
        (np.array([1, 2, 2**63], dtype="u8"), f"row 2 ends at {2**63}, beyond 5 values"),
    ],
)
def test_a_wrong_index_is_refused_with_the_row(table, ends, said):
    node = table(licks=np.arange(5.0), licks_index=ends)
    with pytest.raises(DataError, match=r"\n  fix: write the table again from its origin") as error:
        ragged_bounds(node, "licks", n=3)
    assert said in error.value.what


def test_rows_of_another_table_one_each_or_several(table):
    node = table(site=np.array([3, 0, 2], dtype="u1"))
    assert [rows.tolist() for rows in row_references(node, "site", n=3).rows] == [[3], [0], [2]]
    assert row_references(node, "none", n=3) is None


def test_rows_of_another_table_by_an_index(table):
    values, ends = np.array([3, 1, 0, 0]), np.array([2, 2, 4])
    references = row_references(table(site=values, site_index=ends), "site", n=3)
    expected = [values[a:b].tolist() for a, b in pairwise([0, *ends])]
    assert [rows.tolist() for rows in references.rows] == expected
    assert references.table.path == "sites"


@pytest.mark.parametrize(
    ("values", "named"),
    [([0, 1, 4], "4"), ([0, -2, 1], "-2"), ([0.0, 1.0, 2.0], "float64")],
)
def test_a_row_that_is_not_there_is_refused_by_its_number(table, values, named):
    with pytest.raises(
        DataError, match=rf"names row {named} of sites, which has 4 rows\n  fix: the column holds"
    ):
        row_references(table(site=values), "site", n=3)


def test_another_number_of_references_than_of_rows_is_refused(table):
    with pytest.raises(DataError, match=r"2 entries for 3 rows\n  fix: .*or with an index"):
        row_references(table(site=[0, 1]), "site", n=3)
