"""Text from files on its way to a terminal."""

import io
import sys

import pytest

from neurodsr.cli.output import clean_text, print_json, save_text
from neurodsr.cli.tables import make_table, print_table
from neurodsr.errors import OutputError


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("CA1", "CA1"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("a\u202eb\u2066c\u200bd", "abcd"),
        ("a\nb\rc", "a bc"),
        ("\x00\x07\x7f", ""),
        ("Δ±µ 脳", "Δ±µ 脳"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_codes_and_hidden_marks_are_removed_and_long_names_cut(text, clean):
    assert clean_text(text) == clean


def test_json_refuses_not_a_number():
    with pytest.raises(ValueError, match="JSON"):
        print_json("x", {"value": float("nan")})


def test_a_table_in_a_pipe_keeps_long_cells_whole_and_markup_literal(capsys):
    path = "processing/" + "a" * 150
    print_table(make_table("[b]title[/b]", ("path", "what"), [(path, "[red]x[/red]")]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "[b]title[/b]"
    assert lines[-2].split() == [path, "[red]x[/red]"]


@pytest.fixture
def at_terminal(monkeypatch):
    """A function that gives the lines that a terminal of 40 columns shows of a table."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    def show(table):
        monkeypatch.setenv("COLUMNS", "40")
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys, "stdout", Terminal())
        print_table(table)
        return [clean_text(line) for line in sys.stdout.getvalue().splitlines()]

    return show


def test_a_table_at_a_narrow_terminal_folds(at_terminal):
    lines = at_terminal(make_table("t", ("path",), [("a" * 100,)]))
    assert max(map(len, lines)) <= 40
    assert sum(line.count("a") for line in lines) == 101


def test_a_table_of_many_columns_at_a_narrow_terminal_goes_row_by_row(at_terminal):
    heads = ("path", "type", "channels", "samples", "unit", "modality")
    rows = [
        ("processing/position", "SpatialSeries", 2, 118964, "", "behavior"),
        ("units",) + ("b",) * 5,
    ]
    lines = [line.strip() for line in at_terminal(make_table("t", heads, rows))]
    assert "processing/position" in lines
    assert "type SpatialSeries; channels 2;" in lines
    assert not any("unit ;" in line for line in lines)
    assert "units" in lines
    assert max(map(len, lines)) <= 40


def test_a_table_of_many_columns_that_fits_stays_a_table(at_terminal):
    lines = at_terminal(make_table("t", tuple("abcdef"), [tuple("uvwxyz")]))
    assert any(line.split() == list("uvwxyz") for line in lines)


def test_save_text_replaces_only_equal_content_or_by_force(tmp_path):
    path = tmp_path / "a.txt"
    save_text(path, "one", force=False)
    save_text(path, "one", force=False)
    with pytest.raises(OutputError, match=r"\n  fix: choose another -o, or give --force"):
        save_text(path, "two", force=False)
    save_text(path, "two", force=True)
    assert path.read_text() == "two"
