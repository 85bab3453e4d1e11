"""Which entries of a column stand for "not known"."""

from __future__ import annotations

import numpy as np
import pytest

from neurodsr.sources.missing import missing_entries


@pytest.mark.parametrize("word", ["N/A", "n/a", "", " ", "nan", "NaN", "None", "none", "NULL"])
def test_the_words_for_a_missing_value_count_in_any_case(word):
    assert missing_entries(np.array(["hit", word])).tolist() == [False, True]


@pytest.mark.parametrize("word", ["NA", "na", "no", "0", "miss", "nankeen"])
def test_other_words_are_values(word):
    assert missing_entries(np.array(["hit", word])).tolist() == [False, False]


def test_of_numbers_only_nan_is_missing():
    values = np.array([0.0, np.nan, np.inf, -1.0])
    assert missing_entries(values).tolist() == [False, True, False, False]


@pytest.mark.parametrize("values", [np.arange(3), np.array([True, False, True])])
def test_whole_numbers_and_booleans_are_never_missing(values):
    assert not missing_entries(values).any()


def test_texts_kept_as_bytes_are_read_as_texts():
    assert missing_entries(np.array([b"N/A", b"left"])).tolist() == [True, False]
    assert missing_entries(np.array([b"N/A", None, "left"], dtype=object)).tolist() == [
        True,
        True,
        False,
    ]


def test_a_column_without_rows_has_no_missing_ones():
    assert missing_entries(np.array([], dtype=str)).shape == (0,)
