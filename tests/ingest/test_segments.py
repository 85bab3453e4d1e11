"""Trials as segments: whole bins, each row its own, and everything dropped is counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.data.streams import Intervals
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.ingest.segments import choose_segments
from neurodsr.run_config import SegmentsConfig
from neurodsr.sources.base import Source

GRID = TimeGrid(0.0, 0.1, 100)
WHOLE = Intervals(GRID.edges[:1], GRID.edges[-1:], {})
TRIALS = SegmentsConfig(path="intervals/trials")


class Trials(Source):
    """A source that holds one table."""

    path = "session"
    list_streams = events = series = close = None

    def __init__(self, starts: list[float], stops: list[float], **columns: list) -> None:
        self.table = Intervals(
            np.array(starts, dtype=float),
            np.array(stops, dtype=float),
            {name: np.array(values) for name, values in columns.items()},
        )

    def intervals(self, path: str) -> Intervals:
        assert path == "intervals/trials"
        return self.table


def bins_of(segments: Intervals) -> list[tuple[int, int]]:
    assert np.isin(segments.starts, GRID.edges).all()
    assert np.isin(segments.stops, GRID.edges).all()
    return list(
        zip(GRID.index(segments.starts).tolist(), GRID.index(segments.stops).tolist(), strict=True)
    )


def test_without_a_choice_everything_is_used():
    assert choose_segments(Trials([], []), None, GRID, WHOLE) == (WHOLE, ())


def test_trials_that_touch_stay_two_segments():
    segments, notes = choose_segments(Trials([0.0, 1.0], [1.0, 2.0]), TRIALS, GRID, WHOLE)
    assert bins_of(segments) == [(0, 10), (10, 20)]
    assert notes == ()


def test_a_trial_is_reduced_to_the_whole_bins_inside_it():
    segments, _ = choose_segments(Trials([0.05], [0.49]), TRIALS, GRID, WHOLE)
    assert bins_of(segments) == [(1, 4)]


def test_a_trial_that_ends_on_an_edge_but_for_rounding_keeps_its_last_bin():
    early = np.nextafter(0.3, 0)
    assert GRID.edges[3] > early
    segments, _ = choose_segments(Trials([0.1], [early]), TRIALS, GRID, WHOLE)
    assert bins_of(segments) == [(1, 3)]


def test_the_later_of_two_overlapping_trials_begins_where_the_earlier_ends():
    source = Trials([2.0, 0.0, 1.0], [3.0, 1.5, 2.0])
    segments, notes = choose_segments(source, TRIALS, GRID, WHOLE)
    assert bins_of(segments) == [(0, 15), (15, 20), (20, 30)]
    assert notes == ("segments: 1 rows overlap an earlier one: they begin where it ends",)


def test_a_trial_inside_another_leaves_nothing_of_its_own():
    segments, notes = choose_segments(Trials([0.0, 0.5], [2.0, 1.0]), TRIALS, GRID, WHOLE)
    assert bins_of(segments) == [(0, 20)]
    assert "segments: 1 rows hold fewer than 2 whole bins and were dropped" in notes


def test_rows_are_chosen_by_their_columns():
    source = Trials([0.0, 1.0], [1.0, 2.0], outcome=["hit", "miss"])
    config = SegmentsConfig(path="intervals/trials", where={"outcome": "miss"})
    segments, _ = choose_segments(source, config, GRID, WHOLE)
    assert bins_of(segments) == [(10, 20)]


def test_rows_outside_and_short_and_endless_rows_are_counted():
    source = Trials([0.0, 1.0, 20.0, 3.0], [1.0, 1.15, 21.0, np.nan])
    segments, notes = choose_segments(source, TRIALS, GRID, WHOLE)
    assert bins_of(segments) == [(0, 10)]
    assert notes == (
        "segments: 1 rows without a start or a stop after it were dropped",
        "segments: 1 rows lie outside the time that is used and were dropped",
        "segments: 1 rows hold fewer than 2 whole bins and were dropped",
    )


def test_a_trial_is_clipped_to_what_may_be_used():
    whole = Intervals(GRID.edges[[0, 50]], GRID.edges[[20, 60]], {})
    segments, _ = choose_segments(Trials([1.0], [5.5]), TRIALS, GRID, whole)
    assert bins_of(segments) == [(10, 20), (50, 55)]


def test_no_trial_left_tells_what_to_check():
    with pytest.raises(DataError, match=r"1 rows lie outside.*\n.*check segments\.where"):
        choose_segments(Trials([20.0], [21.0]), TRIALS, GRID, WHOLE)


def test_a_choice_that_no_row_meets_tells_what_to_check():
    config = SegmentsConfig(path="intervals/trials", where={"outcome": "hit"})
    source = Trials([0.0], [1.0], outcome=["miss"])
    with pytest.raises(DataError, match=r"no row meets segments\.where"):
        choose_segments(source, config, GRID, WHOLE)


@given(
    st.lists(
        st.tuples(st.floats(-2, 12), st.floats(0.2, 3)).map(lambda t: (t[0], t[0] + t[1])),
        min_size=1,
        max_size=20,
    )
)
def test_segments_never_share_a_bin_and_lie_in_the_union_of_the_trials(trials):
    source = Trials([a for a, _ in trials], [b for _, b in trials])
    try:
        segments, _ = choose_segments(source, TRIALS, GRID, WHOLE)
    except DataError:
        return
    assert np.all(segments.starts[1:] >= segments.stops[:-1])
    assert np.all(GRID.index(segments.stops) - GRID.index(segments.starts) >= 2)
    for a, b in zip(segments.starts, segments.stops, strict=True):
        assert any(s - 1e-12 <= a and b <= e + 1e-12 for s, e in trials)
