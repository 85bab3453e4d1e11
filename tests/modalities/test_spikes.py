"""Spikes on the grid: partly watched bins, what each observation model refuses, and notes."""

from typing import get_args

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from neurodsr.data.channels import Channels
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.modalities import count_laws
from neurodsr.modalities.count_checks import BUSY, FEW, shortest_interval
from neurodsr.modalities.scores import BITS_PER_EVENT, BITS_PER_SPIKE
from neurodsr.modalities.spikes import OBSERVATIONS, Spikes
from neurodsr.modalities.watched import while_watched
from neurodsr.models.observation import as_observed
from neurodsr.sources.open import open_source

GRID = TimeGrid(0.0, 0.1, 5)
LONG = TimeGrid(0.0, 0.1, 100)


def spikes(**fields):
    return Spikes.from_plain({"path": "path", **fields})


# ---- one table of observation models


def test_every_observation_that_can_be_configured_has_its_law_and_score():
    annotation = Spikes.model_fields["observation"].annotation
    assert tuple(OBSERVATIONS) == get_args(annotation)
    for name, needed in OBSERVATIONS.items():
        decoder = spikes(observation=name).build_decoder(Channels(("a",)), 2, bin_width=0.01)
        assert isinstance(decoder.law, getattr(count_laws, needed.law))


@pytest.mark.parametrize(
    ("observation", "score"),
    [("poisson", BITS_PER_SPIKE), ("negative-binomial", BITS_PER_SPIKE),
     ("zero-inflated-poisson", BITS_PER_SPIKE), ("bernoulli", BITS_PER_EVENT)],
)  # fmt: skip
def test_counts_are_judged_by_bits_per_spike_and_single_spikes_by_bits_per_event(
    observation, score
):
    assert spikes(observation=observation).natural_score is score


def test_the_link_that_is_asked_for_is_built():
    softplus = spikes(link="softplus").build_decoder(Channels(("a",)), 1, bin_width=0.01)
    exponential = spikes().build_decoder(Channels(("a",)), 1, bin_width=0.01)
    for decoder, rate in ((softplus, np.log1p(np.e)), (exponential, np.e)):
        with torch.no_grad():
            decoder.drive.weight.fill_(1.0)
            decoder.drive.bias.zero_()
        assert decoder(torch.ones(1, 1)).mean.item() == pytest.approx(rate, rel=1e-6)


@pytest.mark.parametrize(
    "fields",
    [{"observation": "normal"}, {"link": "log"}, {"history": -0.1}, {"history": float("inf")},
     {"min_exposure": 0.0}, {"min_exposure": 1.5}],
)  # fmt: skip
def test_what_is_no_model_of_counts_is_refused(fields):
    with pytest.raises(ValidationError, match=next(iter(fields))):
        spikes(**fields)


# ---- exposure


def test_a_partly_watched_bin_is_used_with_its_exposure_from_half_a_bin_on(source, events):
    watched = [[[0.03, 0.26]], [[0.0, 0.5]]]
    stream = spikes().load(source(events([0.05, 0.12, 0.22], [0.1], observed=watched)), GRID)
    assert stream.mask[:, 0].tolist() == [True, True, True, False, False]
    assert stream.values[:, 0].tolist() == [1, 1, 1, 0, 0]
    # float32, from times of a rounding error of 1e-17 s.
    np.testing.assert_allclose(stream.exposure[:, 0], [0.7, 1, 0.6, 0, 0], rtol=1e-6)
    assert stream.exposure[:, 1].tolist() == [1] * 5


@pytest.mark.parametrize(("least", "used"), [(0.65, [0, 1]), (1.0, [1]), (0.6, [0, 1, 2])])
def test_the_least_exposure_is_chosen(source, events, least, used):
    told = events([0.05, 0.12, 0.22], observed=[[[0.03, 0.2601]]])
    stream = spikes(min_exposure=least).load(source(told), GRID)
    assert np.flatnonzero(stream.mask).tolist() == used
    assert stream.values[:, 0].tolist() == [int(k in used) for k in range(5)]
    # Where only whole bins are left there is nothing to tell.
    assert (stream.exposure is None) == (used == [1])


def test_without_partly_watched_bins_there_is_no_exposure(source, events):
    edges = events([0.05, 0.15], observed=[[[0.0, 0.2], [0.3, 0.5]]])
    assert spikes().load(source(edges), GRID).exposure is None
    assert spikes().load(source(events([0.05])), GRID).exposure is None


def test_a_guessed_span_is_no_measured_exposure(source, events):
    train = np.arange(3.03, 7.0, 0.1).tolist()
    stream = spikes(unobserved="span").load(source(events(train, [0.01, 9.99])), LONG)
    assert stream.exposure is None
    assert np.flatnonzero(stream.mask[:, 0]).tolist() == list(range(30, 70))


def test_a_spike_outside_of_what_was_watched_of_a_bin_does_not_count(source, events):
    watched = [[[0.03, 0.26]]]
    stream = spikes().load(source(events([0.01, 0.03, 0.26, 0.27], observed=watched)), GRID)
    assert stream.values[:, 0].tolist() == [1, 0, 1, 0, 0]  # the ends of a stretch belong to it
    assert "2 spikes lie outside of their units' obs_intervals: left out" in stream.notes


def test_spikes_are_looked_for_in_all_stretches_of_their_unit(events):
    stretches = [[[5.0, 6.0], [0.0, 1.0], [0.5, 2.0], [3.0, 3.0]], [[0.0, 9.0]], []]
    stretches[2] = np.zeros((0, 2))
    told = events([0.2, 1.5, 2.5, 3.0, 5.5, 7.0], [0.1, 8.0, 9.5], [1.0], observed=stretches)
    told = told._replace(durations=np.arange(10.0))
    kept, (note,) = while_watched(told)
    assert kept.times.tolist() == [0.2, 1.5, 5.5, 0.1, 8.0]
    assert kept.offsets.tolist() == [0, 3, 5, 5]
    assert kept.durations.tolist() == [0, 1, 4, 6, 7]
    assert note.startswith("5 spikes lie outside")
    inside = events([0.2], observed=[[[0.0, 1.0]]])
    assert while_watched(inside) == (inside, ())


def test_a_rate_is_recovered_from_bins_that_were_seldom_watched_whole(source, events):
    """From the file to the decoder: a unit of 20 Hz, watched for 70 ms of each 100 ms."""
    rng = np.random.default_rng(0)
    starts = np.arange(0, 200, 0.1)
    stretches = np.stack([starts + 0.01, starts + 0.08], axis=1)
    times = np.sort(rng.uniform(0, 200, rng.poisson(20 * 200)))
    phase = times % 0.1
    seen = times[(phase > 0.01) & (phase < 0.08)]
    stream = spikes().load(source(events(seen, observed=[stretches])), TimeGrid(0.0, 0.1, 2000))
    decoder = spikes().build_decoder(stream.channels, 2, bin_width=0.1)
    decoder.initialize(as_observed(stream))
    found = decoder(torch.zeros(1, 2)).mean.item() / 0.1
    # 2800 spikes: three s.e. of the rate.
    assert found == pytest.approx(20, rel=3 / np.sqrt(2800))
    assert (stream.values.mean() / 0.1) < 15


def test_the_units_of_a_real_session_are_loaded_with_their_exposure(shared_file):
    """Each unit was watched from 4397.0317 to 6379.4556 s, as h5py reads its obs_intervals."""
    grid = TimeGrid.spanning(4397.0023, 6365.1473, 0.02)
    with open_source(shared_file("spikes/nelpy_linear-track.nwb")) as opened:
        stream = Spikes().load(opened, grid)
    partly = np.float32((4397.0423 - 4397.0317) / 0.02)  # 53 % of bin 1
    assert stream.n_channels == 31
    assert not stream.mask[0].any()
    assert stream.mask[1:].all()
    np.testing.assert_allclose(stream.exposure[1], partly, rtol=1e-6)
    assert (stream.exposure[2:] == 1).all()
    assert not stream.exposure[0].any()
    # Of 28,829 spikes four lie before the obs_intervals, and two after the last whole bin.
    assert stream.values.sum() == 28_823
    assert "4 spikes lie outside of their units' obs_intervals: left out" in stream.notes


# ---- what is refused


def test_two_spikes_in_a_bin_are_refused_where_one_at_most_is_modeled(source, events):
    twice = events([0.05, 0.4213, 0.4337], [0.11, 0.15, 0.19], observed=[[[0, 0.5]]] * 2)
    with pytest.raises(
        DataError,
        match=r"session.nwb:/path: 2 of 5 bins hold more than 1 spike of a unit, up to 3, most of "
        r"them of unit 'n0'\n  fix: choose a bin_width of at most 0.012 s, or observation: poisson",
    ):
        spikes(observation="bernoulli").load(source(twice), GRID)
    fine = TimeGrid(0.0, 0.012, 41)
    assert spikes(observation="bernoulli").load(source(twice), fine).values.max() == 1


def test_spikes_at_the_same_time_fit_no_bin_width(source, events):
    twice = events([0.05, 0.05])
    with pytest.raises(DataError, match=r"fix: choose observation: poisson"):
        spikes(observation="bernoulli").load(source(twice), GRID)


def test_the_shortest_interval_is_one_of_a_single_unit_on_the_grid(events):
    both = events([-0.30, -0.29, 0.1, 0.25], [0.11, 0.4, 0.6, 0.61])
    assert shortest_interval(both, GRID) == pytest.approx(0.15)
    assert shortest_interval(events([0.1], [0.11], []), GRID) == 0


def test_a_path_that_is_nothing_is_refused_as_events_are(shared_file):
    with (
        open_source(shared_file("spikes/nelpy_linear-track.nwb")) as opened,
        pytest.raises(DataError, match=r"unit\b[\s\S]*units"),
    ):
        spikes(path="unit").load(opened, GRID)


# ---- what is noted


def test_units_that_fire_in_nearly_every_bin_are_noted(source, events):
    busy = (0.05 + 0.1 * np.arange(round(BUSY * 100))).tolist()
    less = busy[:-1]
    stream = spikes(unobserved="throughout").load(source(events(busy, less)), LONG)
    said = "1 unit fires in at least 95% of the bins: narrower bins would show more: n0"
    assert said in stream.notes


def test_five_of_many_busy_units_are_named(source, events):
    trains = [(0.05 + 0.1 * np.arange(100)).tolist()] * 7
    stream = spikes(unobserved="throughout").load(source(events(*trains)), LONG)
    (said,) = [note for note in stream.notes if "narrower bins" in note]
    assert said.startswith("7 units fire in at least 95% of the bins: ")
    assert said.endswith(": n0, n1, n2, n3, n4 and 2 more")


@pytest.mark.parametrize("n", [FEW - 1, FEW])
def test_a_handful_of_spikes_is_noted(source, events, n):
    stream = spikes().load(source(events((0.2 * np.arange(n)).tolist())), LONG)
    noted = [note for note in stream.notes if note.startswith("few spikes")]
    told = [f"few spikes: {n} in all, which hardly tell anything"]
    assert noted == (told if n < FEW else [])
