"""Tables of intervals: plain columns, one column by its path, and wrong rows refused."""

from __future__ import annotations

import numpy as np
import pytest

from neurodsr.errors import DataError

ROWS = (
    {"start_time": 0.0, "stop_time": 1.0, "choice": "left", "level": 1, "cue": np.nan, "go": True},
    {"start_time": 2.0, "stop_time": 3.0, "choice": "right", "level": 2, "cue": 2.5, "go": False},
)


def test_columns_keep_their_kind(trials_file, opened):
    table = opened(trials_file(*ROWS)).intervals("intervals/trials")
    assert table.starts.tolist() == [0, 2]
    assert table.stops.tolist() == [1, 3]
    assert table.columns["choice"].tolist() == ["left", "right"]
    kinds = {name: values.dtype.kind for name, values in table.columns.items()}
    assert kinds == {"choice": "U", "level": "i", "cue": "f", "go": "b"}


def test_a_path_may_name_one_column(trials_file, opened):
    table = opened(trials_file(*ROWS)).intervals("intervals/trials/choice")
    assert list(table.columns) == ["choice"]


def test_ragged_columns_are_left_out(write_nwb, opened):
    def fill(nwbfile):
        nwbfile.add_trial_column(name="licks", description="Licks.", index=True)
        nwbfile.add_trial(start_time=0.0, stop_time=1.0, licks=[0.1, 0.2])

    source = opened(write_nwb(fill))
    assert source.intervals("intervals/trials").columns == {}
    with pytest.raises(DataError, match=r"no plain column 'licks'.*\n  fix: choose one of: none"):
        source.intervals("intervals/trials/licks")


def test_an_unknown_column_gets_the_nearest_one(trials_file, opened):
    with pytest.raises(DataError, match=r"did you mean 'choice'.*\n  fix: choose one of"):
        opened(trials_file(*ROWS)).intervals("intervals/trials/choise")


def test_a_row_that_stops_before_it_starts_is_refused(trials_file, opened):
    path = trials_file(ROWS[0], ROWS[1] | {"stop_time": 1.5})
    with pytest.raises(DataError, match=r"row 1: 2 to 1.5 s\n  fix: correct or remove these rows"):
        opened(path).intervals("intervals/trials")


def test_a_row_without_a_stop_is_refused(trials_file, opened):
    path = trials_file(ROWS[0], ROWS[1] | {"stop_time": np.nan})
    with pytest.raises(DataError, match="row 1: 2 to nan s"):
        opened(path).intervals("intervals/trials")


def test_trials_that_count_from_their_own_start_are_refused(trials_file, opened):
    rows = [{"start_time": 0.0, "stop_time": 2.0 + k} for k in range(6)]
    with pytest.raises(DataError, match=r"6 of 6 rows start at 0 s.*\n  fix: write start_time and"):
        opened(trials_file(*rows)).intervals("intervals/trials")


def test_the_listing_names_the_columns(trials_file, opened):
    (entry,) = opened(trials_file(*ROWS)).list_streams()
    assert (entry.path, entry.kind, entry.n_samples) == ("intervals/trials", "intervals", 2)
    assert set(entry.columns) == {"choice", "level", "cue", "go"}
    assert (entry.start, entry.stop) == (0, 3)


def test_the_listing_counts_rows_of_no_duration(trials_file, opened):
    (entry,) = opened(trials_file(ROWS[0] | {"stop_time": 0.0}, ROWS[1])).list_streams()
    assert entry.problems == ("warning: 1 rows of no duration, which hold no bin",)


def test_the_listing_goes_on_where_one_object_is_wrong(write_nwb, opened):
    def fill(nwbfile):
        nwbfile.add_trial(start_time=1.0, stop_time=0.0)
        nwbfile.add_unit(spike_times=[0.5])

    trials, units = opened(write_nwb(fill)).list_streams()
    assert trials.problems[0].startswith("error: 1 rows stop before they start")
    assert units.problems == ()


def test_trials_of_a_real_recording_keep_their_labels(shared_file, opened):
    source = opened(shared_file("opto/sub-anm00239123_ses-20170627T093549_ecephys+ogen.nwb"))
    table = source.intervals("intervals/trials/response")
    assert len(table.starts) == 412
    levels = set(table.columns["response"].tolist())
    assert levels == {"N/A", "correct", "early lick", "incorrect"}
