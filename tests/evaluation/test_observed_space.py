"""Free runs judged in the instruments' own coordinates, and which streams cannot be."""

import numpy as np
import pytest
import torch

from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.evaluation.observed_space import observed_measures
from neurodsr.evaluation.parts import take_apart
from neurodsr.measures.spectrum import power_spectrum_distance
from neurodsr.measures.state_space import state_space_divergence
from neurodsr.models.observation import ObservationModel
from neurodsr.run_config import RunConfig
from neurodsr.surrogate import Surrogate

N_BINS = 10_000
N_TRAIN, N_TEST = 7000, 2000
NOISE = 0.1
# The divergence of 7,000 bins of the true system has mean 0.26 and sd 0.02 over its noise, so two
# of them differ by less than this: three times the sd of a difference.
CHANCE = 0.09


def rng(seed=0):
    return np.random.default_rng(seed)


def circle(n_bins, *, angle=0.2, start=0.0):
    phase = start + angle * np.arange(n_bins)
    return np.stack([np.cos(phase), np.sin(phase)], axis=1)


def noisy(x, seed=0):
    return x + NOISE * rng(seed).normal(size=x.shape)


def as_orbits(*paths):
    return torch.from_numpy(np.stack(paths)).float()


# ---- a stream whose observation model is known: x = z + noise


@pytest.fixture(scope="module")
def judged(signal_recording, direct_surrogate, linear_map):
    """A function that judges orbits of latents against a noisy circle."""
    recording = signal_recording(noisy(circle(N_BINS)))
    parts = take_apart(direct_surrogate(linear_map(np.eye(2)), recording, noise=NOISE), recording)

    def judge(*paths, seed=0):
        measures, notes = observed_measures(parts, as_orbits(*paths), seed=seed)
        assert notes == []
        return {m.name.split(" of ")[0]: m for m in measures}

    return judge


def test_the_true_system_is_judged_near_what_the_data_reach_themselves(judged):
    found = judged(circle(N_TRAIN, start=1.0))
    divergence, spectrum = found["state-space divergence"], found["spectral distance"]
    # As many bins as the training stretch, of the same system with the same noise.
    assert divergence.value == pytest.approx(divergence.floor, abs=CHANCE)
    assert divergence.value < divergence.baselines["white noise"] / 2
    assert spectrum.value < 2 * spectrum.floor
    assert spectrum.value < spectrum.baselines["white noise"] / 2


def test_a_fixed_point_is_no_better_than_white_noise(judged):
    found = judged(np.zeros((N_TRAIN, 2)))
    for measure in found.values():
        assert measure.value > 0.95 * measure.baselines["white noise"]


def test_another_frequency_shows_in_the_spectrum_and_not_in_state_space(judged):
    right, wrong = judged(circle(N_TRAIN)), judged(circle(N_TRAIN, angle=0.5))
    assert wrong["spectral distance"].value > 0.8
    assert wrong["spectral distance"].value > 5 * right["spectral distance"].value
    assert wrong["state-space divergence"].value == pytest.approx(
        right["state-space divergence"].value, abs=CHANCE
    )


def test_the_interval_is_the_range_over_starts_and_the_value_their_median(judged):
    alive, dead = circle(N_TRAIN), np.zeros((N_TRAIN, 2))
    most = judged(alive, alive, dead)
    for name, measure in most.items():
        one_dead = judged(dead)[name].value
        # Two of three live, so the median does; starts differ by the noise that is drawn.
        assert measure.low <= measure.value < measure.low + CHANCE < one_dead / 2
        assert measure.high == pytest.approx(one_dead, rel=0.1)
        assert "range over 3 starts" in measure.convention


def test_floor_and_white_noise_are_those_of_the_definition(judged):
    x = noisy(circle(N_BINS)).astype(np.float32)
    train, test = x[:N_TRAIN], x[-N_TEST:]
    found = judged(circle(3000))
    divergence, spectrum = found["state-space divergence"], found["spectral distance"]
    assert divergence.floor == state_space_divergence(test, train, n_bins=30)
    assert spectrum.floor == power_spectrum_distance(test, train)
    white = rng(7).normal(test.mean(0), test.std(0), (3000, 2))
    # Another draw of the same noise: mean 2.1, sd 0.13 over draws.
    expected = state_space_divergence(test, white, n_bins=30)
    assert divergence.baselines["white noise"] == pytest.approx(expected, abs=3 * 0.13 * 2**0.5)
    assert "3000 generated bins against 2000 held-out ones" in divergence.convention


def test_simulated_noise_is_a_pure_function_of_the_seed(judged):
    values = [judged(circle(1000), seed=s)["state-space divergence"].value for s in (1, 1, 2)]
    assert values[0] == values[1] != values[2]


# ---- streams that cannot be compared are left out, and the reader is told why


@pytest.fixture(scope="module")
def parts(summary):
    """A function that takes streams apart, given as (kind, values, mask or None)."""

    def make(n_bins=400, **given):
        grid, streams, kinds = TimeGrid(0.0, 0.1, n_bins), {}, {}
        for name, (kind, x, mask) in given.items():
            kinds[name] = {"kind": "spikes"} if kind == "spikes" else {"kind": "behavior"}
            kinds[name] |= {"path": name}
            if kind == "label":
                kinds[name] |= {"observation": "categorical"}
            seen = np.ones(x.shape, dtype=bool) if mask is None else mask
            levels = ("no", "yes") if kind == "label" else ()
            channels = Channels(tuple(map(str, range(x.shape[1]))), levels=levels)
            unit = "count" if kind == "spikes" else "m"
            streams[name] = Stream((x * seen).astype(np.float32), seen, channels, unit)
        segments = Intervals(np.array([0.0]), np.array([grid.stop]), {})
        config = RunConfig.from_plain(
            {
                "schema_version": 1,
                "file": "a.nwb",
                "grid": {"bin_width": 0.1},
                "streams": kinds,
                "encoder": {"width": 2, "kernel": 1},
                "dynamics": {"latent_dim": 2},
            }
        )
        channels = {n: s.channels for n, s in streams.items()}
        model = ObservationModel.build(config, channels, bin_width=0.1).requires_grad_(False)
        units = {n: s.unit for n, s in streams.items()}
        surrogate = Surrogate(config, grid, channels, units, (model,), (), (summary(),))
        return take_apart(surrogate, Recording("session", grid, streams, segments))

    return make


def signal(n_channels=2, n_bins=400):
    return rng(3).normal(size=(n_bins, n_channels))


def judge(parts):
    return observed_measures(parts, as_orbits(circle(500)), seed=0)


@pytest.mark.parametrize("n_channels", [1, 5])
def test_up_to_five_channels_are_compared(parts, n_channels):
    measures, notes = judge(parts(pose=("signal", signal(n_channels), None)))
    assert [m.name for m in measures] == [
        "state-space divergence of pose",
        "spectral distance of pose",
    ]
    assert notes == []


def test_counts_and_labels_are_passed_over_without_a_word(parts):
    counts, labels = rng().poisson(1.0, (400, 2)), rng().integers(0, 2, (400, 1))
    mixed = parts(
        units=("spikes", counts, None),
        choice=("label", labels, None),
        position=("signal", signal(), None),
    )
    measures, notes = judge(mixed)
    assert {m.name.split(" of ")[1] for m in measures} == {"position"}
    assert notes == []


def gap(at):
    mask = np.ones((400, 2), dtype=bool)
    mask[at, 1] = False
    return mask


def still(at):
    x = signal()
    x[at, 0] = 3.0
    return x


@pytest.mark.parametrize(
    ("values", "mask", "reason"),
    [
        (signal(6), None, "6 channels, more than 5"),
        (signal(), gap(slice(10, 13)), "3 bins of the training stretch are masked"),
        (signal(), gap(slice(390, 400)), "10 bins of the test stretch are masked"),
        (still(slice(0, 280)), None, "a channel does not change in the training stretch"),
        (still(slice(320, 400)), None, "a channel does not change in the test stretch"),
    ],
)
def test_a_stream_that_cannot_be_compared_is_named_with_the_reason(parts, values, mask, reason):
    measures, notes = judge(parts(pose=("signal", values, mask)))
    assert measures == []
    assert notes == [f"no free-running measures of pose: {reason}"]


def test_a_gap_in_the_validation_stretch_costs_nothing(parts):
    measures, notes = judge(parts(pose=("signal", signal(), gap(slice(285, 315)))))
    assert len(measures) == 2
    assert notes == []
