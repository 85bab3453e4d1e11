"""Labels of trials: what has no label, or two at once, is masked and counted."""

from __future__ import annotations

import numpy as np

from neurodsr.data.streams import Intervals
from neurodsr.data.time import TimeGrid
from neurodsr.modalities.behavior import Behavior

GRID = TimeGrid(0.0, 0.1, 6)
PATH = "intervals/trials/choice"
CHOICE = Behavior.from_plain({"path": PATH, "observation": "categorical"})


def trials(starts, stops, choice):
    return Intervals(np.array(starts, float), np.array(stops, float), {"choice": np.array(choice)})


def test_a_trial_without_a_label_is_masked_and_counted(source):
    table = trials([0.0, 0.2, 0.4], [0.2, 0.4, 0.6], ["left", "N/A", "right"])
    stream = CHOICE.load(source(table, PATH), GRID)
    assert stream.channels.levels == ("left", "right")
    assert stream.mask[:, 0].tolist() == [True, True, False, False, True, True]
    assert stream.notes == ("1 rows without a label were masked",)


def test_the_region_na_is_a_label(source):
    table = trials([0.0, 0.2], [0.2, 0.4], ["NA", "CA1"])
    stream = CHOICE.load(source(table, PATH), GRID)
    assert stream.channels.levels == ("CA1", "NA")
    assert stream.notes == ()


def test_bins_with_two_different_labels_are_masked_and_counted(source):
    table = trials([0.0, 0.1, 0.4], [0.4, 0.3, 0.6], ["left", "right", "right"])
    stream = CHOICE.load(source(table, PATH), GRID)
    assert stream.mask[:, 0].tolist() == [True, False, False, True, True, True]
    assert stream.values[:, 0].tolist() == [0, 0, 0, 0, 1, 1]
    assert stream.notes == ("2 bins in rows with different labels were masked",)


def test_bins_in_two_rows_of_the_same_label_keep_it(source):
    table = trials([0.0, 0.1, 0.4], [0.4, 0.3, 0.6], ["left", "left", "right"])
    stream = CHOICE.load(source(table, PATH), GRID)
    assert stream.mask.all()
    assert stream.notes == ()
