"""Progress: bars at a terminal, sparse lines elsewhere."""

import io

import pytest

from neurodsr.cli.progress import ProgressBars, ProgressLines, show_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    return Clock()


@pytest.fixture
def lines(clock):
    stream = io.StringIO()
    with show_progress(stream=stream, clock=clock) as progress:
        yield progress, stream


def test_a_pipe_gets_lines_and_a_terminal_gets_bars(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    with show_progress(stream=io.StringIO()) as progress:
        assert isinstance(progress, ProgressLines)
    with show_progress(stream=Terminal()) as progress:
        assert isinstance(progress, ProgressBars)


def test_a_dumb_terminal_gets_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    with show_progress(stream=Terminal()) as progress:
        assert isinstance(progress, ProgressLines)


def test_first_and_last_call_of_a_stage_are_always_shown(lines):
    progress, stream = lines
    for done in range(101):
        progress("train", done, 100)
    assert stream.getvalue() == "train: 0/100 (0%)\ntrain: 100/100 (100%)\n"


def test_a_finished_stage_is_not_told_twice(lines):
    progress, stream = lines
    for _ in range(3):
        progress("report", 1, 1)
    assert stream.getvalue() == "report: 1/1 (100%)\n"


def test_between_a_line_needs_both_30_s_and_5_percent(lines, clock):
    progress, stream = lines
    progress("train", 0, 1000)
    clock.now = 29.0
    progress("train", 500, 1000)
    clock.now = 31.0
    progress("train", 49, 1000)
    assert stream.getvalue() == "train: 0/1000 (0%)\n"
    progress("train", 50, 1000)
    assert stream.getvalue().endswith("train: 50/1000 (5%)\n")


def test_a_line_never_holds_a_carriage_return_or_a_color(lines):
    progress, stream = lines
    progress("\x1b[31mtrain\r", 1, 2)
    assert stream.getvalue() == "train: 1/2 (50%)\n"


def test_bars_show_stage_and_percent_without_color_where_none_is_wanted(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    with show_progress(stream=stream) as progress:
        progress("[red]train[/red]", 50, 100)
    assert "[red]train[/red]" in stream.getvalue()
    assert "50%" in stream.getvalue()
    assert "\x1b[3" not in stream.getvalue()


def test_a_stage_without_a_length_counts_as_done(lines):
    progress, stream = lines
    progress("empty", 0, 0)
    assert stream.getvalue() == "empty: 0/0 (100%)\n"
