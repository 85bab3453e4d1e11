"""Which units are used and when each was watched, on made-up trains and on a real session."""

import numpy as np
import pytest

from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.modalities.spikes import Spikes
from neurodsr.modalities.watched import select_channels, watched_spans
from neurodsr.sources.open import open_source

GRID = TimeGrid(0.0, 0.1, 1000)  # 100 s
OPTO = "opto/sub-anm00239123_ses-20170627T093549_ecephys+ogen.nwb"


def train(start, stop, rate=10.0):
    return (start + np.arange(round((stop - start) * rate) + 1) / rate).tolist()


# ---- when units were watched


def test_what_the_file_says_is_taken_as_it_is(events):
    told = events(train(0, 10), observed=[[[0.0, 20.0], [30.0, 40.0]]])
    for rule in ("auto", "span", "throughout"):
        spans, notes = watched_spans(told, GRID, rule=rule)
        assert spans is told.observed
        assert notes == ()


def test_a_unit_that_falls_silent_for_good_is_watched_until_its_last_spike(events):
    spans, (note,) = watched_spans(events(train(0, 60), train(0, 100)), GRID, rule="auto")
    assert spans[0].tolist() == [[-np.inf, pytest.approx(60.1)]]
    assert spans[1].tolist() == [[-np.inf, np.inf]]
    assert note == (
        "no obs_intervals in the file: 1 units count as observed only from their first to their "
        "last spike: n0 (0 to 60.1 s)"
    )


def test_a_unit_that_is_found_late_is_watched_from_its_first_spike(events):
    spans, _ = watched_spans(events(train(40, 100)), GRID, rule="auto")
    assert spans[0].tolist() == [[pytest.approx(39.9), np.inf]]


@pytest.mark.parametrize(
    ("stop", "rate"),
    [
        (91.0, 10.0),  # silent for 9 % of the grid: short
        (60.0, 0.4),  # 40 s in which 16 spikes were to be expected: chance
    ],
)
def test_silence_that_is_short_or_may_be_chance_is_a_rate_of_zero(events, stop, rate):
    spans, (note,) = watched_spans(events(train(0, stop, rate)), GRID, rule="auto")
    assert spans is None
    assert note == "no obs_intervals in the file: every unit counts as observed throughout"


def test_the_rule_span_masks_even_short_silence_at_the_ends(events):
    spans, (note,) = watched_spans(events(train(2, 98)), GRID, rule="span")
    np.testing.assert_allclose(spans[0], [[1.9, 98.1]])
    assert "n0 (1.9 to 98.1 s)" in note


def test_the_rule_throughout_believes_any_silence(events):
    spans, (note,) = watched_spans(events(train(40, 60)), GRID, rule="throughout")
    assert spans is None
    assert note.endswith("every unit counts as observed throughout")


@pytest.mark.parametrize("rule", ["auto", "span"])
def test_a_unit_without_spikes_is_left_to_be_dropped_as_silent(events, rule):
    spans, notes = watched_spans(events([], train(0, 50)), GRID, rule=rule)
    assert spans[0].tolist() == [[-np.inf, np.inf]]
    assert "n0" not in notes[0]


def test_only_five_of_many_lost_units_are_named(events):
    _, (note,) = watched_spans(events(*[train(0, 50)] * 7), GRID, rule="auto")
    assert note.count("(0 to 50.1 s)") == 5
    assert note.endswith("and 2 more")


@pytest.mark.parametrize("rule", ["auto", "span"])
def test_the_bins_of_the_first_and_the_last_spike_are_observed(source, events, rule):
    stream = Spikes.from_plain({"path": "path", "unobserved": rule}).load(
        source(events(train(30.05, 69.95), train(0.0, 99.95))), GRID
    )
    bins = np.flatnonzero(stream.mask[:, 0])
    assert (bins[0], bins[-1]) == (300, 699)
    assert len(bins) == 400
    assert stream.mask[:, 1].all()
    assert stream.values[:, 0].sum() == 400


def test_units_of_a_real_session_are_masked_where_they_were_lost(shared_file):
    # Guo et al. 2017: four thalamic units, some of them alive only for part of the session, and
    # no obs_intervals; times of first and last spike were read from the file with h5py.
    grid = TimeGrid.spanning(1498.0, 5204.0, 0.1)
    with open_source(shared_file(OPTO)) as opened:
        stream = Spikes.from_plain({}).load(opened, grid)
    seen = [np.flatnonzero(stream.mask[:, c]) for c in range(4)]
    firsts = [grid.centers[s[0]] for s in seen]
    lasts = [grid.centers[s[-1]] for s in seen]
    # Within a bin of the spike, whose bin is observed as a whole.
    np.testing.assert_allclose(firsts, [1498.05, 1880.0127, 1498.05, 1498.05], atol=0.1)
    np.testing.assert_allclose(lasts, [2422.7157, 2405.3459, 3982.5674, 5203.9489], atol=0.1)
    assert all(np.all(np.diff(s) == 1) for s in seen)
    assert stream.values.sum() == 34_057
    assert not stream.values[~stream.mask].any()
    (note,) = (n for n in stream.notes if "no obs_intervals" in n)
    assert "3 units count as observed only from their first to their last spike" in note
    assert "2 (1879.91 to 2405.45 s)" in note


# ---- which units are used


@pytest.fixture
def sorted_units(events):
    three = events([0.1, 0.2], [0.3], [0.4, 0.5, 0.6], observed=[[[0, 1]], [[1, 2]], [[2, 3]]])
    return three._replace(
        durations=np.arange(6.0),
        columns={"quality": np.array(["good", "mua", "good"]), "snr": np.array([3.0, 9.0, np.nan])},
    )


def test_chosen_units_keep_all_that_is_theirs(sorted_units):
    chosen = select_channels(sorted_units, np.array([True, False, True]))
    assert chosen.channels.ids == ("n0", "n2")
    assert chosen.times.tolist() == [0.1, 0.2, 0.4, 0.5, 0.6]
    assert chosen.offsets.tolist() == [0, 2, 5]
    assert chosen.durations.tolist() == [0, 1, 3, 4, 5]
    assert [o.tolist() for o in chosen.observed] == [[[0, 1]], [[2, 3]]]
    assert chosen.columns["quality"].tolist() == ["good", "good"]


def test_events_without_durations_and_observation_stay_without(events):
    chosen = select_channels(events([0.1], [0.2]), np.array([False, True]))
    assert (chosen.observed, chosen.durations) == (None, None)
    assert chosen.times.tolist() == [0.2]


@pytest.mark.parametrize(
    ("chosen", "ids", "note"),
    [
        ({"where": {"quality": "good"}}, ("n0", "n2"), "1 of 3 units were left out by quality"),
        ({"channels": ["n2", "n0"]}, ("n0", "n2"), "1 of 3 units were left out by name"),
        ({"where": {"quality": "good"}, "channels": ["n0", "n1"]}, ("n0",),
         "2 of 3 units were left out by quality"),
    ],
)  # fmt: skip
def test_units_are_chosen_by_conditions_and_by_name(source, sorted_units, chosen, ids, note):
    spikes = Spikes.from_plain({"path": "path", **chosen})
    stream = spikes.load(source(sorted_units), TimeGrid(0.0, 0.1, 30))
    assert stream.channels.ids == ids
    assert note in stream.notes


@pytest.mark.parametrize(
    "chosen", [{}, {"where": {"quality": ("good", "mua")}}, {"channels": ["n0", "n1", "n2"]}]
)
def test_nothing_is_noted_where_all_units_are_used(source, sorted_units, chosen):
    spikes = Spikes.from_plain({"path": "path", **chosen})
    stream = spikes.load(source(sorted_units), TimeGrid(0.0, 0.1, 30))
    assert stream.n_channels == 3
    assert not [note for note in stream.notes if "left out by" in note]


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"where": {"quality": "noise", "snr": 3.0}},
         r"none of 3 units is left\n  fix: loosen `where` and `channels`"),
        ({"where": {"qualty": "good"}},
         r"no column 'qualty'.*'quality'\?\n  fix: choose one of: quality, snr"),
        ({"channels": ["m0"]}, r"no channel 'm0'.*\n  fix: correct `channels`"),
    ],
)  # fmt: skip
def test_a_choice_of_no_unit_is_refused(source, sorted_units, chosen, told):
    spikes = Spikes.from_plain({"path": "path", **chosen})
    with pytest.raises(DataError, match=told):
        spikes.load(source(sorted_units), TimeGrid(0.0, 0.1, 30))
