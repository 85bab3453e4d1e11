"""From a source to a stream on the grid: counts, averages, interpolation, labels and masks."""

import numpy as np
import pytest

from neurodsr.data.streams import Intervals
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.modalities.behavior import Behavior
from neurodsr.modalities.levels import MAX_LEVELS
from neurodsr.modalities.spikes import Spikes

GRID = TimeGrid(0.0, 0.1, 5)


def spikes(**fields):
    return Spikes.from_plain({"path": "path", **fields})


def behavior(path="path", **fields):
    return Behavior.from_plain({"path": path, **fields})


def labels(path="path"):
    return behavior(path, observation="categorical")


def trials(starts, stops, **columns):
    named = {k: np.array(v) for k, v in columns.items()}
    return Intervals(np.array(starts, float), np.array(stops, float), named)


def test_spikes_are_counted_bin_by_bin(source, events):
    stream = spikes().load(source(events([0.05, 0.07, 0.45], [0.1])), GRID)
    assert stream.values.tolist() == [[2, 0], [0, 1], [0, 0], [0, 0], [1, 0]]
    assert stream.mask.all()
    assert stream.unit == "count"
    assert stream.channels.ids == ("n0", "n1")


def test_a_bin_in_which_a_unit_was_not_watched_is_masked_and_zero(source, events):
    watched = [[[0.0, 0.3]], [[0.0, 0.5]]]
    stream = spikes().load(source(events([0.05, 0.45], [0.1], observed=watched)), GRID)
    assert stream.mask[:, 0].tolist() == [True, True, True, False, False]
    assert stream.mask[:, 1].all()
    assert stream.values[4, 0] == 0


def test_it_is_noted_when_the_file_does_not_say_when_units_were_watched(source, events):
    train = [0.02 * k for k in range(21)]
    silent = spikes().load(source(events(train)), GRID)
    told = spikes().load(source(events(train, observed=[[[0.0, 0.5]]])), GRID)
    assert any("no obs_intervals" in note for note in silent.notes)
    assert not any("obs_intervals" in note for note in told.notes)


def test_spikes_elsewhere_are_no_spikes(source, events):
    with pytest.raises(DataError, match=r"no spikes of 2 units[\s\S]*check grid.start"):
        spikes().load(source(events([7.0], [-1.0])), GRID)


def test_spikes_while_nobody_watched_are_no_spikes(source, events):
    with pytest.raises(DataError, match=r"session.nwb:/path: no spikes[\s\S]*neurodsr inspect"):
        spikes().load(source(events([0.05], observed=[[[0.2, 0.5]]])), GRID)


def test_a_fast_signal_is_averaged_within_bins(source, series):
    signal = series(0.025 + 0.05 * np.arange(10), [0, 2, 4, 6, None, 8, None, None, 1, 1])
    stream = behavior(max_missing=0.3).load(source(signal), GRID)
    assert stream.values[:, 0].tolist() == [1, 5, 8, 0, 1]
    assert stream.mask[:, 0].tolist() == [True, True, True, False, True]
    assert (stream.unit, stream.notes) == ("m", ("a note",))


def test_a_slow_signal_is_interpolated_at_bin_centers(source, series):
    signal = series([0.0, 0.2, 0.4, 0.6], [0.0, 2.0, 4.0, 6.0], [1.0, 1.0, 1.0, 1.0])
    stream = behavior().load(source(signal), GRID)
    np.testing.assert_allclose(stream.values[:, 0], [0.5, 1.5, 2.5, 3.5, 4.5], rtol=1e-6)
    assert stream.mask.all()


@pytest.mark.parametrize(
    ("max_gap", "observed"),
    [
        (None, [True, True, True, True, True]),  # three times the usual 0.2 s bridge 0.4 s
        (0.5, [True, True, True, True, True]),
        (0.3, [True, True, False, False, False]),
    ],
)
def test_a_long_gap_is_masked_and_not_bridged(source, series, max_gap, observed):
    signal = series([-0.2, 0.0, 0.2, 0.4, 0.6, 0.8], [0, 0, 0, None, 6, 8])
    stream = behavior(max_gap=max_gap).load(source(signal), GRID)
    assert stream.mask[:, 0].tolist() == observed
    assert (stream.values[~stream.mask] == 0).all()


def test_a_signal_recorded_at_another_time_is_refused(source, series):
    with pytest.raises(DataError, match=r"nothing is observed[\s\S]*check grid.start"):
        behavior().load(source(series([7.0, 7.2, 7.4], [0, 1, 2])), GRID)


def test_labels_take_the_last_sample_of_each_bin(source, series):
    signal = series([0.01, 0.05, 0.15, 0.45], [3.0, 7.0, 3.0, 3.0])
    stream = labels().load(source(signal), GRID)
    assert stream.channels.levels == ("3", "7")
    assert stream.values[:, 0].tolist() == [1, 0, 0, 0, 0]
    assert stream.mask[:, 0].tolist() == [True, True, False, False, True]


def test_a_lost_sample_is_no_level(source, series):
    """It lies at 0 in the values, where it would pass for a label."""
    stream = labels().load(source(series([0.05, 0.15, 0.25], [3.0, None, 7.0])), GRID)
    assert stream.channels.levels == ("3", "7")
    assert stream.values[:3, 0].tolist() == [0, 0, 1]
    assert stream.mask[:3, 0].tolist() == [True, False, True]


def test_a_column_of_trials_holds_through_each_trial(source):
    path = "intervals/trials/choice"
    table = trials([0.0, 0.3], [0.2, 0.5], choice=["right", "left"])
    stream = labels(path).load(source(table, path), GRID)
    assert stream.channels.levels == ("left", "right")
    assert stream.channels.ids == ("choice",)
    assert stream.values[:, 0].tolist() == [1, 1, 0, 0, 0]
    assert stream.mask[:, 0].tolist() == [True, True, False, True, True]


def test_a_label_of_one_level_is_refused(source, series):
    with pytest.raises(DataError, match=r"1 levels; 2 to 64[\s\S]*observation: gaussian"):
        labels().load(source(series([0.05, 0.15], [3.0, 3.0])), GRID)


def test_a_continuous_signal_is_no_label(source, series):
    n = MAX_LEVELS + 1
    signal = series(np.linspace(0, 0.5, n), np.arange(n).tolist())
    with pytest.raises(DataError, match=r"65 levels[\s\S]*observation: gaussian"):
        labels().load(source(signal), GRID)


def test_trials_at_another_time_are_refused(source):
    path = "intervals/trials/choice"
    table = trials([7.0, 8.0], [7.5, 8.5], choice=["left", "right"])
    with pytest.raises(DataError, match=r"check grid\.start"):
        labels(path).load(source(table, path), GRID)


def test_a_column_of_trials_is_no_signal(source):
    trials = Intervals(np.array([0.0]), np.array([1.0]), {"choice": np.array(["left"])})
    held = source(trials, "intervals/trials/choice")
    with pytest.raises(DataError, match="one value a row, and is no signal") as caught:
        Behavior(path="intervals/trials/choice").load(held, TimeGrid(0.0, 0.1, 10))
    assert "observation: categorical or ordinal" in caught.value.fix
