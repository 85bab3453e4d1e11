"""CSV and TSV: numbers as they stand, empty cells masked, and a line number for what is wrong."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.errors import DataError
from neurodsr.sources.base import DeclaredClock
from neurodsr.sources.csv_source import open_csv
from neurodsr.sources.csv_text import check_rows, read_layout

CLOCK = DeclaredClock(interval=0.5)


@pytest.fixture
def table(tmp_path):
    """A function that opens a text as a table."""

    def open_text(text, encoding="utf-8"):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode(encoding))
        return open_csv(path)

    return open_text


def paths(source):
    return [e.path for e in source.list_streams()]


def test_named_columns_become_one_table_and_one_stream_each(table):
    source = table("time,x,y\n0.5,1,10\n0.7,2,20\n0.9,3,30\n")
    assert paths(source) == ["table", "x", "y"]
    series = source.series("table")
    assert series.channels.ids == ("x", "y")
    np.testing.assert_array_equal(series.values, [[1, 10], [2, 20], [3, 30]])
    np.testing.assert_array_equal(series.times, [0.5, 0.7, 0.9])
    assert source.series("y").channels.ids == ("y",)
    assert source.session().identifier == "table"


def test_empty_cells_and_na_are_masked_and_counted(table):
    series = table("x,y\n1,\nNA,2\nn/a,inf\n4,5\n").series("table", clock=CLOCK)
    np.testing.assert_array_equal(
        series.valid, [[True, False], [False, True], [False, False], [True, True]]
    )
    np.testing.assert_array_equal(series.values, [[1, 0], [0, 2], [0, 0], [4, 5]])
    assert series.notes == ("4 of 8 values are empty, NaN or infinite: masked",)


def test_a_column_without_any_number_is_refused(table):
    with pytest.raises(DataError, match="fix: leave this stream out"):
        table("x,y\n1,\n2,NA\n").series("y", clock=CLOCK)


def test_without_a_clock_the_listing_warns_and_reading_says_what_to_declare(table):
    source = table("x,y\n1,2\n3,4\n")
    (entry, *_) = source.list_streams()
    assert np.isnan(entry.start)
    assert entry.rate == 0
    assert [p[:36] for p in entry.problems] == ["warning: the table has no clock; fix"]
    with pytest.raises(DataError, match=r"fix: declare it: clock: \{rate: HZ\}, .*\{times: NAME"):
        source.series("table")


def test_a_ragged_row_is_refused_with_its_line(table):
    with pytest.raises(DataError, match=r"line 4 has 3 cells, for 2 columns\n  fix: complete"):
        table("# a comment\nx,y\n1,2\n3,4,5\n6,7\n8,9\n1,1\n")
    with pytest.raises(DataError, match="line 3 has 1 cells"):
        table("x,y\n1,2\n3\n6,7\n8,9\n1,1\n")


def test_bytes_that_are_no_utf8_late_in_the_file_are_refused(table, tmp_path):
    text = "x,y\n" + "1,2\n" * 20_000
    (tmp_path / "a.csv").write_bytes(text.encode() + b"\xff,3\n")
    with pytest.raises(DataError, match=r"are no utf-8 text\n  fix: save the file in UTF-8"):
        open_csv(tmp_path / "a.csv")


def test_latin1_is_read_and_said(table):
    source = table("t (s),µV\n0,1\n0.5,2\n", encoding="latin-1")
    assert source.series("µV").values[:, 0].tolist() == [1, 2]
    assert source.session().warnings == ("the file is no UTF-8; it was read as Latin-1",)


def test_a_quote_that_is_not_closed_is_refused(table):
    with pytest.raises(DataError, match="fix: look for a quote that is not closed"):
        table("x,y\n1,2\n3,4\n" + '5,"' + "9" * 200_000 + "\n6,7\n")


def test_doubled_names_are_refused(table):
    with pytest.raises(DataError, match="'x'\n  fix: give every column a name of its own"):
        table("x,y,x\n1,2,3\n4,5,6\n")


def test_decimal_commas_are_refused(table):
    with pytest.raises(DataError, match=r"such as '0,5'\n  fix: write numbers with a"):
        table("t;x\n0,5;1\n1,0;2\n")


def test_a_few_texts_among_numbers_make_a_column_unreadable_and_no_other(table):
    source = table("x,y\n1,1\nlost,2\n3,3\n4,4\n")
    assert paths(source) == ["table", "y", "x"]
    assert source.series("table", clock=CLOCK).channels.ids == ("y",)
    with pytest.raises(DataError, match=r"'lost' in row 1\n  fix: leave cells without a number"):
        source.series("x", clock=CLOCK)


def test_a_table_of_texts_is_refused(table):
    with pytest.raises(DataError, match="fix: one column of numbers is needed"):
        table("name,place\na,b\nc,d\n")


def test_too_much_text_is_refused_before_it_is_read(table, monkeypatch):
    monkeypatch.setattr("neurodsr.sources.csv_source.MAX_BYTES", 10)
    with pytest.raises(DataError, match="fix: save it in binary"):
        table("x,y\n1,2\n3,4\n")


def test_dates_in_a_time_column_are_said_to_be_no_clock(table):
    source = table("timestamp,x\n2020-01-01 10:00:00,1\n2020-01-01 10:00:01,2\n")
    assert "'timestamp' holds texts such as '2020-01-01 10:00:00'" in source.session().warnings[0]


def test_a_table_without_a_header_has_numbered_columns(table):
    assert paths(table("1.5,2\n3,4\n")) == ["table", "c0", "c1"]


def test_the_header_may_stand_in_a_comment_as_numpy_writes_it(table, tmp_path):
    np.savetxt(tmp_path / "a.txt", [[0.0, 1.0], [0.25, 2.0]], header="time x")
    series = open_csv(tmp_path / "a.txt").series("x")
    np.testing.assert_array_equal(series.times, [0.0, 0.25])


def test_row_numbers_that_pandas_wrote_are_no_signal(table):
    source = table(",a,b\n0,5,6\n1,7,8\n2,9,1\n")
    assert paths(source) == ["table", "a", "b"]
    assert "counts rows and was left out" in source.session().warnings[0]


def test_numbers_may_be_names_of_columns(table):
    series = table("0,1,2\n0.5,0.25,4\n1,2,3\n").series("table", clock=CLOCK)
    assert series.channels.ids == ("0", "1", "2")
    assert series.values.shape == (2, 3)


def test_a_quoted_cell_may_hold_the_delimiter_and_a_line_break(table):
    source = table('onset,duration,label\n1,0.5,"a,\nb"\n2,0.5,c\n')
    assert source.intervals("intervals").columns["label"].tolist() == ["a,\nb", "c"]


def test_a_table_of_intervals_is_no_signal(table):
    source = table("start_time,stop_time,choice\n1,2,left\n3,4,right\n")
    assert paths(source) == ["intervals"]
    np.testing.assert_array_equal(source.intervals("intervals").stops, [2, 4])
    column = source.intervals("intervals/choice")
    assert list(column.columns) == ["choice"]
    with pytest.raises(DataError, match=r"did you mean 'intervals'"):
        source.intervals("intervalz")


def test_intervals_that_end_before_they_start_are_listed_with_the_row(table):
    source = table("start,stop\n1,2\n4,3\n")
    entry = {e.path: e for e in source.list_streams()}["intervals"]
    assert entry.kind == "intervals"
    with pytest.raises(DataError, match=r"the first is row 1 \(4 to 3 s\)\n  fix: correct"):
        source.intervals("intervals")


def test_spikes_of_units_are_events(table):
    source = table("unit,time\n2,0.5\n1,0.75\n2,0.25\n")
    (entry,) = source.list_streams()
    assert (entry.path, entry.kind, entry.modality, entry.n_channels) == (
        "spikes", "events", "spikes", 2,
    )  # fmt: skip
    events = source.events("spikes")
    assert events.channels.ids == ("1", "2")
    np.testing.assert_array_equal(events.times, [0.75, 0.25, 0.5])
    np.testing.assert_array_equal(events.offsets, [0, 1, 3])
    with pytest.raises(DataError, match=r"cannot be read as series\n  fix: choose one of: the"):
        source.series("spikes")


def test_real_bold_of_named_regions(shared_file):
    path = shared_file("fmri/nitime_fmri_timeseries.csv")
    with open_csv(path) as source:
        series = source.series("table", clock=DeclaredClock(interval=1.35))
    expected = np.loadtxt(path, delimiter=",", skiprows=1)
    np.testing.assert_array_equal(series.values, expected)
    assert series.channels.ids[:4] == ("WM", "Vent", "Brain", "LCau")
    assert series.times[-1] == pytest.approx(249 * 1.35)
    assert series.valid.all()


def test_real_events_column_is_a_signal_and_no_events_entry(shared_file):
    with open_csv(shared_file("fmri/nitime_event_related_fmri.csv")) as source:
        assert [(e.path, e.kind) for e in source.list_streams()] == [
            ("table", "series"), ("bold", "series"), ("events", "series"),
        ]  # fmt: skip


cells = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(
    rows=st.lists(st.tuples(cells, cells), min_size=2, max_size=20),
    delimiter=st.sampled_from([",", "\t", ";", " "]),
)
def test_numbers_survive_to_the_last_bit(rows, delimiter, tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with open(path, "w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([["x", "y"], *rows])
    with open_csv(path) as source:
        series = source.series("table", clock=CLOCK)
    np.testing.assert_array_equal(series.values, np.array(rows))


def test_rows_are_counted_without_comments_and_blank_lines(tmp_path):
    (tmp_path / "a.csv").write_text("# one\n\n# two\nx;y\n1;2\n\n3;4\n")
    layout = read_layout(str(tmp_path / "a.csv"))
    assert (layout.delimiter, layout.names) == (";", ("x", "y"))
    assert check_rows(str(tmp_path / "a.csv"), layout) == 2


def test_what_is_no_table_is_told_how_to_become_one(tmp_path):
    (tmp_path / "a.csv").write_text("word\nother\n")
    with pytest.raises(DataError, match="fix: save it as CSV or TSV in UTF-8"):
        open_csv(tmp_path / "a.csv")


def test_a_header_alone_is_no_table(table):
    with pytest.raises(DataError, match="fix: save it as CSV or TSV in UTF-8"):
        table("x,y\n")
