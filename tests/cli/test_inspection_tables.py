"""How inspect's tables read: what is alike shares a line, and no table is without an end."""

import io
import re

import pytest
from rich.console import Console

from neurodsr.cli.inspection_tables import MAX_ROWS, alike, inspection_tables
from neurodsr.ingest.inspection import Anatomy, ColumnInspection, Inspection, StreamInspection


def stream(path, **fields):
    plain = {
        "path": path, "kind": "series", "neurodata_type": "TimeSeries", "n_channels": 2,
        "n_samples": 1000, "start": 0.0, "stop": 100.0, "rate": 10.0, "unit": "m",
        "modality": "behavior", "proposed": "behavior", "observation": "gaussian",
    }  # fmt: skip
    return StreamInspection(**(plain | fields))


def text_of(*streams, **fields):
    plain = {
        "file": "a.nwb", "size": 2_500_000, "sha256": "00", "identifier": "ses-1",
        "session_start": "", "subject": "", "species": "",
    }  # fmt: skip
    inspection = Inspection(**(plain | fields), streams=streams)
    console = Console(file=io.StringIO(), width=800)
    for table in inspection_tables(inspection):
        console.print(table)
    return console.file.getvalue()


def line_of(text, start):
    return next(line.strip() for line in text.splitlines() if line.strip().startswith(start))


def test_a_stream_is_one_line_with_its_time_rate_unit_and_gaps():
    line = line_of(text_of(stream("x", gaps=((1.0, 2.0), (5.0, 46.2)))), "x ")
    for part in ("series: TimeSeries", "0.000 to 100.000 s (100\u00a0s)", "10 Hz", " m ",
                 "2, longest 41.2\u00a0s", "behavior"):  # fmt: skip
        assert part in line


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({}, ["behavior", "behavior"]),
        ({"observation": "student"}, ["behavior", "behavior, observation: student"]),
        ({"modality": "lfp", "installed": False}, ["lfp (not installed)", "behavior"]),
        ({"modality": "calcium", "proposed": "calcium", "description": "indicator GCaMP6f"},
         ["calcium", "calcium, indicator: GCaMP6f"]),
        ({"modality": "fmri", "by_name": True, "proposed": "fmri", "stop": 1000.0,
          "ids": ("V1", "WM")},
         ["fmri (by name)", "fmri, channels: 1, nuisance: 1"]),
        ({"start": None, "stop": None, "needs_clock": True},
         ["behavior", "behavior, once a rate is given"]),
        ({"problems": ("error: broken",)}, ["behavior (cannot be read)"]),
        ({"modality": ""}, ["behavior"]),
        ({"modality": "", "proposed": ""}, []),
    ],
)  # fmt: skip
def test_the_last_columns_say_what_fits_and_what_init_would_write(fields, shown):
    cells = re.split(r"\s{2,}", line_of(text_of(stream("x", **fields)), "x "))
    assert cells[cells.index("m") + 1 :] == shown


def test_a_stream_that_init_would_leave_out_is_proposed_nothing():
    traces = {"modality": "calcium", "proposed": "calcium"}
    text = text_of(stream("ophys/F", **traces), stream("ophys/Fneu", **traces))
    assert line_of(text, "ophys/F ").endswith("m             calcium    calcium")
    assert line_of(text, "ophys/Fneu ").endswith("m             calcium")


def test_only_the_channels_that_are_cells_are_told_in_a_word():
    column = ColumnInspection(path="ophys/F/Accepted", levels=("0", "1"), n_levels=2)
    cells = stream("ophys/F", modality="calcium", proposed="calcium", columns=(column,))
    assert "calcium, where: Accepted 1" in line_of(text_of(cells), "ophys/F ")


def test_an_irregular_signal_tells_its_mean_rate():
    assert "irregular, mean 9.99 Hz" in text_of(stream("x", rate=0.0))


def test_a_stream_without_times_is_said_to_have_none():
    line = line_of(text_of(stream("x", start=None, stop=None)), "x ")
    assert line.count("unknown") == 2


def test_places_are_counted_with_unit_and_space():
    anatomy = Anatomy(
        regions={"CA1": 5, "VISp": 2}, n_unlabeled=3, n_located=7, position_units=("mm",),
        spaces=("unknown",), hemispheres={"left": 4}, cell_types={"PV": 1}, sources=("electrodes",),
    )  # fmt: skip
    text = text_of(stream("units", anatomy=anatomy))
    assert "CA1 (5), VISp (2), unknown (3)" in text
    assert "left (4), PV (1)" in text
    row = next(line for line in text.splitlines() if "CA1 (5)" in line).split()
    assert {"7", "mm", "unknown", "electrodes"} <= set(row)


def test_thousands_that_are_named_alike_share_one_line():
    streams = tuple(stream(f"acquisition/series_{i:04d}", problems=("warning: odd",))
                    for i in range(3300))  # fmt: skip
    text = text_of(*streams)
    assert "acquisition/series_0000 ... acquisition/series_3299 (3300 alike)" in text
    assert "acquisition/series_0000 and 3299 more" in text
    assert len(text.splitlines()) < 20


def test_streams_that_differ_are_not_called_alike():
    streams = [stream(f"x_{i}", n_channels=1 + i % 2) for i in range(8)]
    assert len(alike(streams)) == 2
    assert len(alike(streams[:4])) == 4


def test_a_long_table_ends_with_how_many_more_there_are():
    text = text_of(*(stream("x" * (i + 1)) for i in range(MAX_ROWS + 5)))
    assert "and 5 more; --json lists all" in text


def test_columns_show_their_levels_and_what_is_missing():
    column = ColumnInspection(path="trials/choice", levels=("l", "r"), n_levels=2, n_missing=7,
                              proposed="behavior")  # fmt: skip
    line = line_of(text_of(stream("trials", kind="intervals", columns=(column,))), "trials/choice")
    assert line.split() == [
        "trials/choice", "l,", "r", "2", "7", "behavior,", "observation:", "categorical"
    ]  # fmt: skip


def test_a_column_of_many_values_shows_where_they_lie():
    levels = tuple(str(i) for i in range(12))
    numbers = ColumnInspection(path="t/cue", levels=levels, n_levels=342, extent=(-1.5, 2033.27))
    words = ColumnInspection(path="t/name", levels=levels, n_levels=342)
    text = text_of(stream("t", columns=(numbers, words)))
    assert line_of(text, "t/cue").split() == ["t/cue", "-1.5", "to", "2033.27", "342"]
    assert line_of(text, "t/name").split() == ["t/name", "0,", "1,", "2,", "...", "342"]


def test_a_long_problem_is_shown_with_its_fix():
    problem = f"error: {'long ' * 80}; fix: mend it"
    assert "; fix: mend it" in text_of(stream("x", problems=(problem,)))


def test_the_title_says_the_size_and_whether_there_is_a_checksum():
    assert "a.nwb: ses-1, 2.50 MB" in text_of(stream("x"))
    assert "a.nwb: ses-1, 120 GB, too large for a checksum" in text_of(
        stream("x"), size=120 * 10**9, sha256=""
    )


def test_hostile_names_are_shown_as_plain_text():
    text = text_of(stream("\x1b[31mred\u202e[bold]x", unit="\x07m"))
    assert "red[bold]x" in text
    assert not set("\x1b\u202e\x07") & set(text)
