"""Ordinal and declared labels from a source to the grid: levels, their order, what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from neurodsr.data.streams import Intervals
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.ingest.join import join_streams
from neurodsr.modalities.behavior import Behavior

GRID = TimeGrid(0.0, 0.1, 4)
TIMES = [0.05, 0.15, 0.25, 0.35]
PATH = "intervals/trials/effort"


def ordinal(path="path", **fields):
    return Behavior.from_plain({"path": path, "observation": "ordinal", **fields})


def trials(*effort):
    starts = 0.1 * np.arange(len(effort))
    return Intervals(starts, starts + 0.1, {"effort": np.array(effort)})


def test_numbers_are_levels_in_the_order_of_numbers(source, series):
    stream = ordinal().load(source(series(TIMES, [10.0, 2.0, 0.5, 10.0])), GRID)
    assert stream.channels.levels == ("0.5", "2", "10")
    assert stream.channels.ids == ("path",)
    assert stream.values[:, 0].tolist() == [2, 1, 0, 2]
    assert (stream.unit, stream.notes) == ("label", ("a note",))


@pytest.mark.parametrize(
    ("numbers", "levels"),
    [
        (np.float32([0.1, 0.2, 0.1, 0.2]).astype(float).tolist(), ("0.1", "0.2")),
        ([1000001.0, 1000002.0, 1000001.0, 1000002.0], ("1000001", "1000002")),
        ([0.1, 0.1 + 1e-12, 0.1, 0.1], ("0.10000000000000001", "0.10000000000100001")),
    ],
)
def test_levels_have_as_many_digits_as_it_takes_to_tell_them_apart(source, series, numbers, levels):
    stream = ordinal().load(source(series(TIMES, numbers)), GRID)
    assert stream.channels.levels == levels
    assert stream.values[:2, 0].tolist() == [0, 1]


def test_numbers_in_a_column_of_texts_are_ordered_as_numbers(source):
    stream = ordinal(PATH).load(source(trials("10", "9", "N/A", "9"), PATH), GRID)
    assert stream.channels.levels == ("9", "10")
    assert stream.values[:, 0].tolist() == [1, 0, 0, 0]
    assert stream.mask[:, 0].tolist() == [True, True, False, True]


def test_the_order_of_texts_has_to_be_declared(source):
    table = trials("low", "high", "mid", "low")
    with pytest.raises(
        DataError,
        match=r"effort: the order of the levels 'high', 'low', 'mid' is not known[\s\S]*"
        r"fix: declare them from the lowest to the highest, such as levels: \[low, mid, high\]",
    ):
        ordinal(PATH).load(source(table, PATH), GRID)
    stream = ordinal(PATH, levels=["low", "mid", "high"]).load(source(table, PATH), GRID)
    assert stream.channels.levels == ("low", "mid", "high")
    assert stream.values[:, 0].tolist() == [0, 2, 1, 0]


def test_one_text_among_numbers_is_named(source):
    with pytest.raises(DataError, match=r"'much' is no number\n  fix: declare them"):
        ordinal(PATH).load(source(trials("1", "2", "much", "1"), PATH), GRID)


def test_an_unknown_level_of_a_table_is_refused_with_its_row_and_time(source):
    table = trials("low", "high", "hihg", "low")
    with pytest.raises(
        DataError,
        match=r"the level 'hihg' \(row 2 of effort, at 0\.2 s\) is not declared: did you mean "
        r"'high'\?\n  fix: add it to `levels`, which are low, high, or correct the data",
    ):
        ordinal(PATH, levels=["low", "high"]).load(source(table, PATH), GRID)


def test_an_unknown_level_of_a_series_is_refused_with_its_channel_and_time(source, series):
    signal = series(TIMES, [1, 2, 1, 2], [1, 2, None, 7])
    with pytest.raises(DataError, match=r"the level '7' \(row 3 of y, at 0\.35 s\) is not decl"):
        ordinal(levels=["1", "2"]).load(source(signal), GRID)


def test_a_declared_level_that_never_occurs_is_kept_and_noted(source):
    table = trials("low", "high", "low", "high")
    stream = ordinal(PATH, levels=["low", "mid", "high"]).load(source(table, PATH), GRID)
    assert stream.channels.levels == ("low", "mid", "high")
    assert stream.notes == ("effort never takes the level mid",)


def test_a_level_that_occurs_at_other_times_only_is_noted(source, series):
    signal = series([*TIMES, 9.0], [1, 2, 1, 2, 3])
    stream = ordinal().load(source(signal), GRID)
    assert stream.channels.levels == ("1", "2", "3")
    assert stream.notes[-1] == "path never takes the level 3"


def test_many_absent_levels_are_counted_and_not_listed(source):
    levels = [str(k) for k in range(12)]
    stream = ordinal(PATH, levels=levels).load(source(trials("0", "1", "0", "1"), PATH), GRID)
    assert stream.notes == ("effort never takes the level 2, 3, 4, 5, 6 and 5 more",)


def test_a_number_is_the_same_level_however_it_is_written(source):
    table = trials(1.0, 2.0, 1.0, 3.0)
    stream = ordinal(PATH, levels=["1", "2", "3"]).load(source(table, PATH), GRID)
    assert stream.channels.levels == ("1", "2", "3")
    assert stream.values[:, 0].tolist() == [0, 1, 0, 2]


def test_each_channel_of_a_series_is_an_answer_of_its_own_with_its_own_mask(source, series):
    """Channels may use different levels of the stream's; which are never used is noted."""
    signal = series(TIMES, [1, 2, 1, 2], [5, 3, None, 1])
    stream = ordinal().load(source(signal), GRID)
    assert stream.channels.ids == ("x", "y")
    assert stream.channels.levels == ("1", "2", "3", "5")
    assert stream.values.T.tolist() == [[0, 1, 0, 1], [3, 2, 0, 0]]
    assert stream.mask.T.tolist() == [[True] * 4, [True, True, False, True]]
    assert stream.notes[1:] == (
        "x never takes the level 3, 5",
        "y never takes the level 2",
    )


def test_channels_of_labels_can_be_chosen(source, series):
    signal = series(TIMES, [1, 2, 1, 2], [5, 3, 5, 1])
    stream = ordinal(channels=["y"]).load(source(signal), GRID)
    assert stream.values.T.tolist() == [[2, 1, 2, 0]]
    assert stream.notes == ("a note", "1 of 2 channels were left out by name")


def test_levels_of_a_choice_can_be_declared_too(source):
    choice = Behavior.from_plain(
        {"path": PATH, "observation": "categorical", "levels": ["right", "left"]}
    )
    stream = choice.load(source(trials("left", "right", "left", "left"), PATH), GRID)
    assert stream.channels.levels == ("right", "left")
    assert stream.values[:, 0].tolist() == [1, 0, 1, 1]


def test_an_ordinal_label_of_one_level_is_refused(source, series):
    with pytest.raises(DataError, match=r"1 levels; 2 to 64[\s\S]*observation: gaussian"):
        ordinal().load(source(series(TIMES, [3, 3, 3, 3])), GRID)


def test_levels_that_sessions_lack_keep_their_order_when_sessions_are_joined(source, series):
    """Appended as they come, level 2 of the second session would lie above 3."""
    days = [ordinal().load(source(series(TIMES, x)), GRID) for x in ([1, 3, 1, 3], [3, 2, 1, 2])]
    joined = join_streams("effort", days, sessions=("a", "b"), first_bins=(0, 4, 8), shared=True)
    assert joined.channels.levels == ("1", "2", "3")
    assert joined.values[:][:, 0].tolist() == [0, 2, 0, 2, 2, 1, 0, 1]
