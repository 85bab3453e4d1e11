"""Lorenz-63 through every instrument: recordings that say what they claim, and that repeat."""

import numpy as np
import pytest

from neurodsr.evaluation.evaluate import evaluate
from neurodsr.testing.multimodal import bold_lorenz, calcium_lorenz, multimodal_lorenz
from neurodsr.testing.prepare import configure_run
from neurodsr.training.train import train

MAKERS = {"multimodal": multimodal_lorenz, "calcium": calcium_lorenz, "bold": bold_lorenz}
SEEDS = [0, 1, 2, 3]


@pytest.fixture(scope="module", params=MAKERS)
def make(request):
    return MAKERS[request.param]


@pytest.fixture(scope="module")
def seen():
    return multimodal_lorenz(seed=0, n_bins=20_000, n_reference=10)


@pytest.fixture(scope="module")
def bright():
    return calcium_lorenz(seed=0, n_bins=9000, n_reference=10)


@pytest.fixture(scope="module")
def scanned():
    return bold_lorenz(seed=0, n_bins=4000, n_reference=10)


def streams_of(make, seed, n_bins):
    recording = make(seed=seed, n_bins=n_bins, n_reference=10).recording
    return {**recording.streams, "state": recording.truth.state}


# What is recorded


def test_the_multimodal_recording_has_a_signal_8_items_and_3_counts(seen):
    shapes = {n: (s.n_channels, s.unit) for n, s in seen.recording.streams.items()}
    assert shapes == {"signal": (3, "sd"), "items": (8, "label"), "counts": (3, "count")}
    assert seen.recording.streams["items"].channels.levels == ("0", "1", "2", "3", "4")
    assert set(np.unique(seen.recording.streams["items"].values)) == {0, 1, 2, 3, 4}


def test_the_signal_is_the_state_with_noise_of_half_its_size(seen):
    noise = seen.recording.streams["signal"].values - seen.recording.truth.state.values
    np.testing.assert_allclose(noise.std(0), 0.5, atol=4.5 * 0.5 / np.sqrt(2 * 20_000))


@pytest.mark.parametrize("seed", SEEDS)
def test_counts_are_about_one_a_bin(seed):
    counts = streams_of(multimodal_lorenz, seed, 20_000)["counts"].values
    # The orbit is not Gaussian, for which the offsets were made.
    np.testing.assert_allclose(counts.mean(0), 1.0, rtol=0.5)


def test_counts_follow_their_tuning(seen):
    counts, tuning = seen.recording.streams["counts"].values, seen.views["counts"]
    mean = tuning.mean(seen.recording.truth.state.values)
    deviation = (counts - mean) / np.sqrt(mean)
    assert np.abs(deviation.mean(0)).max() < 4.5 / np.sqrt(20_000)
    # The variance of a squared standardized Poisson variable is 2 + 1/mean.
    error = np.sqrt((2 + (1 / mean).mean(0)) / 20_000)
    assert (np.abs((deviation**2).mean(0) - 1) < 4.5 * error).all()


def test_cells_are_seen_at_30_hz_and_fire_5_events_a_second(bright):
    assert bright.recording.grid.bin_width == 1 / 30
    assert bright.recording.streams["calcium"].n_channels == 30
    # The orbit is not Gaussian, for which the offsets were made.
    assert bright.views["calcium"].activity.mean() * 30 == pytest.approx(5, rel=0.3)


def test_volumes_lie_in_every_other_bin_of_half_a_second(scanned):
    bold = scanned.recording.streams["bold"]
    assert bold.n_channels == 20
    assert not bold.mask[::2].any()
    assert bold.mask[1::2].all()
    assert not bold.values[::2].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_hemodynamics_take_two_fifths_of_the_third_coordinate(seed):
    simulation = bold_lorenz(seed=seed, n_bins=8000, n_reference=10)
    view, state = simulation.views["bold"], simulation.recording.truth.state.values
    blurred = np.linalg.lstsq(view.weights, view.noiseless.T)[0]
    left = blurred.std(1) / state.std(0)
    # 4000 s are 360 turns: relative s.e. of a sd some 0.04.
    np.testing.assert_allclose(left, [0.95, 0.88, 0.61], atol=0.12)


@pytest.mark.parametrize(("maker", "unit"), [("multimodal", 1), ("calcium", 2), ("bold", 15)])
def test_the_exponent_is_0p906_per_time_unit_in_1_over_s(maker, unit):
    truth = MAKERS[maker](seed=0, n_bins=10, n_reference=20).recording.truth
    assert truth.exponent == pytest.approx(0.906 / unit)
    assert truth.reference.shape == (20, 3)


def test_the_state_moves_at_the_stated_pace(make):
    """Away from the origin's saddle, Lorenz-63 turns about 1.3 times a time unit."""
    simulation = make(seed=0, n_bins=4000, n_reference=10)
    truth, width = simulation.recording.truth, simulation.recording.grid.bin_width
    unit = 0.906 / truth.exponent
    z = truth.state.values[:, 2]
    peaks = ((z[1:-1] > z[:-2]) & (z[1:-1] > z[2:])).sum()
    assert peaks / (4000 * width / unit) == pytest.approx(1.33, rel=0.06)


# Missing stretches


def test_missing_stretches_are_hidden_stream_by_stream():
    simulation = multimodal_lorenz(seed=0, n_bins=4000, missing=0.5, n_reference=10)
    masks = [s.mask.all(1) for s in simulation.recording.streams.values()]
    assert [mask.sum() for mask in masks] == [2000] * 3
    assert not np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[1], masks[2])


# Repetition


def test_the_same_seed_gives_the_same_recording(make):
    first, second = (streams_of(make, 3, 300) for _ in range(2))
    for name in first:
        np.testing.assert_array_equal(first[name].values, second[name].values)
        np.testing.assert_array_equal(first[name].mask, second[name].mask)


def test_another_seed_gives_other_streams(make):
    first, second = (streams_of(make, seed, 300) for seed in (3, 4))
    for name in first:
        assert not np.array_equal(first[name].values, second[name].values)


def test_a_longer_recording_begins_with_the_shorter_one(make):
    long, short = (streams_of(make, 5, n) for n in (500, 200))
    for name in short:
        # float32 values; matrix products of other lengths may be rounded otherwise.
        np.testing.assert_allclose(short[name].values, long[name].values[:200], atol=1e-6)


def test_the_reference_is_another_orbit_than_the_state(make):
    truth = make(seed=0, n_bins=1000, n_reference=1000).recording.truth
    assert abs(np.corrcoef(truth.state.values[:, 0], truth.reference[:, 0])[0, 1]) < 0.5


# Use

SMALL = {
    "encoder": {"width": 2, "kernel": 3, "n_steps": 5, "window": 30, "batch_size": 2},
    "dynamics": {"hidden_dim": 4, "n_steps": 5, "window": 20, "batch_size": 2},
    "ensemble": {"n_encoders": 1, "n_members": 1, "n_starts": 2, "n_bins": 1000},
}


def test_a_recording_with_gaps_trains_and_is_judged_against_its_truth():
    recording = multimodal_lorenz(seed=0, n_bins=3000, missing=0.3, n_reference=2000).recording
    streams = {"signal": {"kind": "behavior"}, "counts": {"kind": "spikes"}}
    config = configure_run(recording, streams=streams, sections=SMALL)
    evaluation, _ = evaluate(train(recording, config, n_workers=1), recording)
    measures = {m.name for m in evaluation.measures}
    assert {"aligned state-space divergence", "held-out state R2"} <= measures
    assert {fit.stream for fit in evaluation.streams} == {"signal", "counts"}
