"""Conditions on the rows of a table: which kinds of value match, and which never do."""

import numpy as np
import pytest
from pydantic import ValidationError

from neurodsr.errors import DataError
from neurodsr.modalities.selection import Range, select_rows
from neurodsr.modalities.spikes import Spikes

COLUMNS = {
    "quality": np.array(["good", "mua", "noise", "good"]),
    "snr": np.array([1.0, 2.5, np.nan, 4.0]),
    "n": np.array([0, 1, 2, 3]),
    "accepted": np.array([1, 0, 1, 1]),
    "kept": np.array([True, False, False, True]),
    "mixed": np.array(["1", "2", "", "1.0"], dtype=object),
}


def kept(**selection):
    keep = select_rows(COLUMNS, selection, n_rows=4, where="f.nwb:/units")
    return np.flatnonzero(keep).tolist()


@pytest.mark.parametrize(
    ("selection", "rows"),
    [
        ({}, [0, 1, 2, 3]),
        ({"quality": "good"}, [0, 3]),
        ({"quality": ("good", "mua")}, [0, 1, 3]),
        ({"quality": "Good"}, []),
        ({"n": 2}, [2]),
        ({"n": 2.0}, [2]),
        ({"n": (0, 3)}, [0, 3]),
        ({"snr": 2.5}, [1]),
        ({"quality": "good", "n": (0, 1)}, [0]),  # all conditions must hold
    ],
)
def test_rows_that_have_one_of_the_values(selection, rows):
    assert kept(**selection) == rows


@pytest.mark.parametrize(
    ("selection", "rows"),
    [
        ({"accepted": 1}, [0, 2, 3]),
        ({"accepted": True}, [0, 2, 3]),
        ({"kept": True}, [0, 3]),
        ({"kept": 0}, [1, 2]),
        ({"kept": Range(min=1)}, [0, 3]),
    ],
)
def test_truth_values_match_the_numbers_0_and_1_that_files_hold_for_them(selection, rows):
    assert kept(**selection) == rows


@pytest.mark.parametrize(
    ("selection", "rows"),
    [
        ({"n": "2"}, []),
        ({"kept": "True"}, []),
        ({"quality": 1}, []),
        ({"mixed": 1}, []),
        ({"mixed": "1"}, [0]),
        ({"mixed": ("1", 2)}, [0]),
    ],
)
def test_texts_and_numbers_never_match(selection, rows):
    assert kept(**selection) == rows


@pytest.mark.parametrize(
    ("bounds", "rows"),
    [
        ({"min": 2.5}, [1, 3]),  # bounds are included
        ({"max": 2.5}, [0, 1]),
        ({"min": 1.0, "max": 1.0}, [0]),
        ({"min": 5.0}, []),
        ({"min": 3.0, "max": 2.0}, []),
        ({"min": -1e300, "max": 1e300}, [0, 1, 3]),
    ],
)
def test_ranges_include_their_bounds_and_leave_out_what_is_missing(bounds, rows):
    assert kept(snr=Range(**bounds)) == rows


def test_a_table_without_rows_keeps_none():
    keep = select_rows({"n": np.zeros(0)}, {"n": 1}, n_rows=0, where="units")
    assert keep.shape == (0,)


# ---- as a configuration writes them


@pytest.mark.parametrize(
    ("plain", "condition"),
    [
        (True, True),
        (1, 1),
        (1.5, 1.5),
        ("good", "good"),
        (["good", 1], ("good", 1)),
        ({"min": 1}, Range(min=1.0)),
        ({"min": 0.5, "max": 2}, Range(min=0.5, max=2.0)),
    ],
)
def test_a_condition_keeps_the_kind_of_value_that_was_written(plain, condition):
    found = Spikes.from_plain({"where": {"x": plain}}).where["x"]
    assert found == condition
    assert type(found) is type(condition)


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({}, "give min, max or both"),
        ({"min": None, "max": None}, "give min, max or both"),
        ({"minimum": 1}, "Extra inputs are not permitted"),
        ({"min": "low"}, "valid number"),
    ],
)
def test_a_range_that_says_nothing_is_refused(plain, message):
    with pytest.raises(ValidationError, match=message):
        Spikes.from_plain({"where": {"x": plain}})


def test_a_condition_without_a_value_is_refused():
    with pytest.raises(ValidationError, match=r"where\.x"):
        Spikes.from_plain({"where": {"x": None}})


# ---- refusals


def test_an_unknown_column_is_refused_with_the_nearest_and_all():
    with pytest.raises(
        DataError,
        match=r"f.nwb:/units: there is no column 'qualty'.*did you mean 'quality'\?"
        r"\n  fix: choose one of: quality, snr, n, accepted, kept, mixed",
    ):
        kept(qualty="good")


def test_a_table_without_columns_is_told_as_such():
    with pytest.raises(DataError, match=r"fix: choose one of: none, the table has no columns"):
        select_rows({}, {"quality": "good"}, n_rows=3, where="units")


def test_a_range_of_texts_is_refused_with_a_value_of_the_column():
    with pytest.raises(
        DataError,
        match=r"units/quality: min and max were given for a column of <U5, not of numbers"
        r"\n  fix: name the values instead, such as 'good'",
    ):
        kept(quality=Range(min=1.0))
