"""Clocks of tables: declared ones first, one evident column else, and no guess about units."""

from __future__ import annotations

import numpy as np
import pytest

from neurodsr.data.lazy import RegularTimes
from neurodsr.errors import DataError
from neurodsr.sources.base import DeclaredClock
from neurodsr.sources.table import Rows, Variable
from neurodsr.sources.table_clock import find_clock, is_time


def clock_of(n=4, *, declared=None, variable=None, **stamps):
    variable = variable or Variable("x", Rows.of(np.zeros(n)))
    rows = {name.replace("__", " "): Rows.of(np.asarray(v)) for name, v in stamps.items()}
    return find_clock(variable, rows, declared, where="a.csv:x")


@pytest.mark.parametrize(
    "name",
    ["time", "Time", "t", "timestamps", "time_s", "time (s)", "t[ms]", "seconds", "data.t",
     "time_us", "frames_t.time"],
)  # fmt: skip
def test_these_names_are_like_time(name):
    assert is_time(name)


@pytest.mark.parametrize("name", ["trial", "timer", "time_stop", "temperature", "x", "s", "tempo"])
def test_these_names_are_not_like_time(name):
    assert not is_time(name)


def test_a_declared_interval_gives_times_that_are_not_held_in_memory():
    clock = clock_of(1000, declared=DeclaredClock(interval=0.25))
    assert isinstance(clock.times, RegularTimes)
    assert clock.times[3] == 0.75
    assert clock.rate == 4


def test_a_declared_clock_wins_over_a_column_that_agrees_and_says_so():
    clock = clock_of(2, declared=DeclaredClock(interval=0.1), time=[0.0, 0.1001])
    assert clock.times[1] == 0.1
    assert clock.column == "time"
    assert clock.notes == ("the declared clock was used, not 'time'",)


def test_a_declared_clock_wins_over_frame_numbers():
    clock = clock_of(4, declared=DeclaredClock(interval=0.1), time=[0.0, 1.0, 2.0, 3.0])
    assert clock.times[3] == pytest.approx(0.3)


def test_a_declared_clock_that_the_table_denies_is_refused():
    with pytest.raises(
        DataError, match=r"0\.1 s apart\n  fix: remove clock\.rate or clock\.interval"
    ):
        clock_of(3, declared=DeclaredClock(interval=1.0), time=[0.0, 0.1, 0.2])


def test_one_column_named_like_time_is_taken_and_noted():
    clock = clock_of(3, time=[0.0, 0.1, 0.3], speed=[1.0, 2.0, 3.0])
    np.testing.assert_array_equal(clock.times, [0.0, 0.1, 0.3])
    assert clock.rate == 0
    assert clock.notes == ("'time' was taken as the time, s",)


def test_a_declared_column_may_have_any_name():
    clock = clock_of(3, declared=DeclaredClock(times="clock"), clock=[0.0, 0.1, 0.2])
    assert clock.rate == pytest.approx(10)


def test_milliseconds_are_converted_and_noted():
    clock = clock_of(3, time_ms=[0.0, 20.0, 40.0])
    np.testing.assert_allclose(clock.times, [0, 0.02, 0.04], rtol=1e-15)
    assert "'time_ms' was converted from ms to s" in clock.notes


@pytest.mark.parametrize("name", ["time_us", "time_min", "timestamps_samples"])
def test_another_unit_is_not_guessed(name):
    with pytest.raises(DataError, match="fix: convert the column to s and name it 'time'"):
        clock_of(3, **{name: [0.0, 20.5, 40.0]})


@pytest.mark.parametrize("name", ["time", "time_ms"])
def test_frame_numbers_are_no_times(name):
    with pytest.raises(DataError, match=r"numbers of frames.*\n  fix: declare clock: \{rate: HZ\}"):
        clock_of(4, **{name: [0, 1, 2, 3]})


def test_times_that_do_not_increase_are_refused_with_the_place():
    match = r"1 of 4 steps, the first from 0\.2 to 0\.1 s after row 1\n  fix: sort the rows"
    with pytest.raises(DataError, match=match):
        clock_of(4, time=[0.0, 0.2, 0.1, 0.3])


def test_missing_times_are_refused_with_the_row():
    with pytest.raises(DataError, match=r"the first in row 1\n  fix: remove these rows"):
        clock_of(3, time=[0.0, np.nan, 0.1])


def test_two_columns_of_time_are_a_question():
    with pytest.raises(DataError, match=r"fix: choose one: clock: \{times: t\}"):
        clock_of(3, t=[0.0, 0.1, 0.2], time=[0.0, 0.1, 0.2])


def test_the_time_beside_an_array_in_its_struct_comes_before_others():
    variable = Variable("b.x", Rows.of(np.zeros(2)))
    clock = clock_of(variable=variable, **{"a.t": [0.0, 1.5], "b.t": [0.0, 2.5]})
    assert clock.column == "b.t"


def test_a_declared_column_that_is_not_there_gets_the_nearest():
    with pytest.raises(DataError, match=r"did you mean 'stamps'.*\n  fix: correct clock\.times"):
        clock_of(2, declared=DeclaredClock(times="stamp"), stamps=[0.0, 0.1])


def test_a_declared_column_of_another_length_is_refused_with_both():
    with pytest.raises(DataError, match=r"shape \(3,\), for 2 samples\n  fix: .*NAME\.T exchanges"):
        clock_of(2, declared=DeclaredClock(times="clock"), clock=[0.0, 0.1, 0.3])


def test_no_clock_says_what_can_be_declared():
    with pytest.raises(DataError, match=r"fix: declare it: clock: \{rate: HZ\} or \{interval: SEC"):
        clock_of(2)


def test_times_along_the_second_axis_name_the_paths_that_read_it():
    variable = Variable("y", Rows.of(np.zeros((3, 5))))
    with pytest.raises(DataError, match=r"fix: path: y\.T if the 3 rows are channels, y\.tr"):
        clock_of(variable=variable, t=np.arange(5) / 10)


def test_trials_are_laid_a_trials_length_apart():
    variable = Variable("y", Rows.of(np.zeros(6)), n_trials=2)
    clock = clock_of(variable=variable, t=[0.5, 0.6, 0.7])
    np.testing.assert_allclose(clock.times, [0.5, 0.6, 0.7, 1.1, 1.2, 1.3], rtol=1e-14)
    assert "2 trials were laid one after another, 0.3 s apart" in clock.notes[-1]


def test_trials_of_one_sample_are_refused():
    variable = Variable("y", Rows.of(np.zeros(2)), n_trials=2)
    with pytest.raises(DataError, match="fix: the axes must be trial, time and channel"):
        clock_of(variable=variable, declared=DeclaredClock(interval=0.1))
