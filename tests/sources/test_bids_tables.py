"""Confounds lie on the volumes' times, events in seconds from the first volume."""

from __future__ import annotations

import numpy as np
import pytest

from neurodsr.errors import DataError
from neurodsr.sources.bids_tables import (
    load_confounds,
    load_events_table,
    load_trial_types,
    read_tsv,
)

EVENTS = (
    "onset\tduration\ttrial_type\tresponse_time\n0\t2\tgo\t0.5\n10.5\t2\tstop\tn/a\n5\t1\tgo\t1\n"
)
TIMES = np.array([1.0, 3.0, 5.0])


@pytest.fixture
def table(tmp_path):
    """A function that writes a table and gives its path."""

    def write(text):
        path = tmp_path / "table.tsv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_table_is_read_as_text_whatever_its_line_ends_and_marks(table):
    found = read_tsv(table('\ufeffa\tb\r\n1\t"x\r\n\r\n2\ty z\r\n'))
    assert found == {"a": ["1", "2"], "b": ['"x', "y z"]}


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("\n", r"columns \[\]\n  fix: give every column one name"),
        ("a\ta\n1\t2\n", "fix: give every column one name"),
        ("a\tb\n1\t2\n3\n", "row 3 has 1 entries for 2 columns\n  fix: separate entries"),
        (b"a\tb\n\xff\t2\n", "fix: write it as UTF-8, with tabs"),
        ("a\n" + "x" * 200_000, "fix: write it as UTF-8, with tabs"),
    ],
)
def test_what_is_no_table_is_refused(table, text, fix):
    with pytest.raises(DataError, match=fix):
        read_tsv(table(text))


# Confounds


def test_confounds_are_a_series_with_missing_entries_masked(table):
    path = table("trans_x\tfd\tcomment\n0.5\tn/a\tok\n-1\t0.25\tok\n2e-3\t0.5\tbad\n")
    series = load_confounds(path, TIMES, rows=3)
    assert series.channels.ids == ("trans_x", "fd")
    assert series.values.T.tolist() == [[0.5, -1, 0.002], [0, 0.25, 0.5]]
    assert np.argwhere(~series.valid).tolist() == [[0, 1]]
    assert series.times is TIMES
    assert series.notes == (
        "column comment holds text and was left out",
        "1 entries are n/a or infinite and were masked",
    )


def test_confounds_of_another_number_of_volumes_are_refused(table):
    with pytest.raises(DataError, match="2 rows for 3 volumes\n  fix: use the table of the same"):
        load_confounds(table("a\n1\n2\n"), TIMES, rows=3)


def test_confounds_without_a_number_are_refused(table):
    with pytest.raises(DataError, match="fix: leave this stream out"):
        load_confounds(table("a\nx\ny\nz\n"), TIMES, rows=3)


# Events


def test_events_last_from_onset_to_onset_plus_duration(table):
    found = load_events_table(table(EVENTS))
    assert found.starts.tolist() == [0, 10.5, 5]
    assert found.stops.tolist() == [2, 12.5, 6]
    assert found.columns["trial_type"].tolist() == ["go", "stop", "go"]
    np.testing.assert_array_equal(found.columns["response_time"], [0.5, np.nan, 1])


def test_one_column_of_events_can_be_asked_for(table):
    assert list(load_events_table(table(EVENTS), column="trial_type").columns) == ["trial_type"]
    with pytest.raises(DataError, match=r"'trial_type'.*\n  fix: choose one of: trial_type, resp"):
        load_events_table(table(EVENTS), column="trial_typ")


def test_an_unknown_duration_leaves_the_end_open_and_a_column_of_na_stays_text(table):
    found = load_events_table(table("onset\tduration\tvalue\n1\tn/a\tn/a\n"))
    assert np.isnan(found.stops[0])
    assert found.columns["value"].tolist() == ["n/a"]


def test_events_become_one_sorted_channel_a_trial_type(table):
    found = load_trial_types(table(EVENTS))
    assert found.channels.ids == ("go", "stop")
    assert found.times.tolist() == [0, 5, 10.5]
    assert found.offsets.tolist() == [0, 2, 3]
    assert found.durations.tolist() == [2, 1, 2]


def test_events_without_trial_types_are_one_channel(table):
    found = load_trial_types(table("onset\tduration\n3\t0\n1\tn/a\n"))
    assert found.channels.ids == ("events",)
    assert found.times.tolist() == [1, 3]
    assert found.durations is None
    assert found.notes == ("some durations are n/a, so none was used",)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("onset\ttrial_type\n1\tgo\n", "duration is missing; there are onset, trial_type\n  fix: "),
        ("onset\tduration\nsoon\t1\n", "onset holds text\n  fix: BIDS events need onset"),
        ("onset\tduration\nn/a\t1\n", "1 events lack an onset.*row 2.*\n  fix: correct these"),
        ("onset\tduration\n1\t1\n2\t-1\n", "row 3: 2 s.*\n  fix: correct these rows"),
        ("onset\tduration\n", "there are no rows.*\n  fix: correct these rows"),
    ],
)
def test_events_that_cannot_be_placed_in_time_are_refused(table, text, fix):
    with pytest.raises(DataError, match=fix):
        load_events_table(table(text))
