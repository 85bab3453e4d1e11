"""Trial times that count from each trial's start are doubted, and those of recordings are not."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.sources.trial_times import relative_times


def doubt(starts: list[float], stops: list[float]) -> str:
    return relative_times(np.array(starts, dtype=float), np.array(stops, dtype=float))


def test_trials_that_all_start_at_zero_are_doubted():
    said = doubt([0.0] * 5, [3.1, 2.0, 2.5, 4.0, 3.0])
    assert "5 of 5 rows start at 0 s" in said
    assert "count from the start of each trial" in said


def test_trials_that_start_shortly_after_a_sync_signal_of_their_own_are_doubted():
    starts = [0.31, 0.22, 0.4, 0.15, 0.38, 0.2]
    assert "3 of 6 rows start before their predecessor" in doubt(starts, [5.0] * 6)


def test_trials_that_follow_one_another_are_fine():
    assert doubt([0.0, 4.0, 8.5, 12.0], [4.0, 8.0, 12.0, 15.0]) == ""


def test_a_shuffled_table_of_trials_is_fine():
    assert doubt([8.5, 0.0, 12.0, 4.0, 20.0, 16.0], [12.0, 4.0, 15.0, 8.0, 24.0, 20.0]) == ""


def test_a_whole_session_beside_its_parts_is_fine():
    assert doubt([0.0, 0.0, 10.0, 20.0], [30.0, 10.0, 20.0, 30.0]) == ""
    assert doubt([0.0, 0.0, 10.0], [30.0, 10.0, 30.0]) == ""
    assert doubt([0.0] * 4 + [10.0], [30.0, 30.0, 10.0, 10.0, 30.0]) == ""


def test_too_few_rows_say_nothing():
    assert doubt([0.0, 0.0], [1.0, 2.0]) == ""


def test_rows_without_times_are_passed_over():
    assert "5 of 5 rows" in doubt([0.0, np.nan, *[0.0] * 4], [1.0, 2.0, 3.0, 2.0, 3.0, 2.0])


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0, 5)), min_size=1, max_size=30))
def test_rows_one_after_the_other_are_never_doubted(lengths):
    edges = np.cumsum([x for pair in lengths for x in pair])
    starts = np.concatenate([[0.0], edges[1:-1:2]])
    assert relative_times(starts, edges[::2]) == ""
