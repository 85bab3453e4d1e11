"""Trivial methods on data whose predictability is known, and on data that have gaps."""

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.evaluation.baselines import decoding_baseline, smoothing_baseline
from neurodsr.evaluation.parts import take_apart
from neurodsr.evaluation.predictions import predict_hidden
from neurodsr.evaluation.stream_fit import fit_streams
from neurodsr.models.observation import ObservationModel
from neurodsr.run_config import RunConfig
from neurodsr.surrogate import Surrogate

N_BINS = 4000
SLOW = np.sin(2 * np.pi * np.outer(np.arange(N_BINS), [1 / 400, 1 / 270]) + [0, 1])
KINDS = {
    "units": {"kind": "spikes"},
    "position": {"kind": "behavior", "path": "p"},
    "choice": {"kind": "behavior", "path": "c", "observation": "categorical"},
}


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def parts(summary):
    """A function that takes streams apart as evaluation does; None in values is unobserved."""

    def make(masks=None, exposures=None, **values):
        grid = TimeGrid(0.0, 0.02, N_BINS)
        streams, masks = {}, masks or {}
        for name, x in values.items():
            mask = masks.get(name, np.ones(x.shape, dtype=bool))
            levels = ("a", "b") if name == "choice" else ()
            channels = Channels(tuple(map(str, range(x.shape[1]))), levels=levels)
            unit = "count" if name == "units" else "m"
            streams[name] = Stream(
                (x * mask).astype(np.float32),
                mask,
                channels,
                unit,
                exposure=(exposures or {}).get(name),
            )
        segments = Intervals(np.array([0.0]), np.array([grid.stop]), {})
        recording = Recording("session", grid, streams, segments)
        config = RunConfig.from_plain(
            {
                "schema_version": 1,
                "file": "a.nwb",
                "grid": {"bin_width": 0.02},
                "streams": {name: KINDS[name] for name in values},
                "encoder": {"width": 4, "kernel": 3},
                "dynamics": {"latent_dim": 2},
            }
        )
        channels = {n: s.channels for n, s in streams.items()}
        model = ObservationModel.build(config, channels, bin_width=0.02)
        units = {n: s.unit for n, s in streams.items()}
        surrogate = Surrogate(config, grid, channels, units, (model,), (), (summary(),))
        return take_apart(surrogate, recording)

    return make


def position(noise=0.5, seed=1):
    return 10 + SLOW + noise * rng(seed).normal(size=SLOW.shape)


def bits_of(rate):
    """Expected bits per spike of the true rate in the test bins over the mean of the training."""
    test, mean = rate[3200:], rate[:2800].mean(0)
    return (test * np.log(test / mean) - (test - mean)).sum() / test.sum() / np.log(2)


def test_a_slow_signal_is_smoothed_to_near_its_noise(parts):
    found = smoothing_baseline(parts(position=position()), "position")
    # Variance 1/2 of the signal, 1/4 of the noise. Smoothing leaves some 5 % of the noise, and
    # the test stretch of 800 bins holds two to three of the slow periods.
    assert found["r2: smoothing"] == pytest.approx(0.5 / 0.75, abs=0.05)


def test_white_noise_cannot_be_smoothed(parts):
    noise = parts(position=rng().normal(size=(N_BINS, 2)))
    found = smoothing_baseline(noise, "position")["r2: smoothing"]
    # The widest smoothing is left: it averages some 100 bins, and so errs by a hundredth more.
    assert -0.03 < found < 0.01


def test_counts_are_smoothed_to_near_the_bits_of_their_rate(parts):
    rate = np.exp(SLOW)
    found = smoothing_baseline(parts(units=rng().poisson(rate)), "units")
    oracle = bits_of(rate)
    # 1,600 counts of the test leave a standard error of some 0.02 bits; smoothing costs 0.02.
    assert found["bits_per_spike: smoothing"] == pytest.approx(oracle, abs=0.06)


@pytest.mark.parametrize("baseline", [smoothing_baseline, decoding_baseline])
def test_counts_of_partly_watched_bins_are_predicted_as_well(parts, baseline):
    """Were it not for the exposure, half of the bins would be predicted too high by half."""
    rate = 2 + SLOW
    exposure = rng(3).choice(np.float32([0, 0.5, 1]), rate.shape, p=[0.2, 0.4, 0.4])
    made = parts(
        masks={"units": exposure > 0},
        exposures={"units": exposure},
        units=rng().poisson(rate * exposure),
        position=position(0.1),
    )
    (found,) = baseline(made, "units").values()
    test, mean = rate[3200:], rate[:2800].mean(0)
    e = exposure[3200:]
    oracle = (e * (test * np.log(test / mean) - (test - mean))).sum() / (e * test).sum() / np.log(2)
    # 1,900 spikes in the test: a standard error of some 0.015 bits; smoothing costs 0.02.
    assert found == pytest.approx(oracle, abs=0.05)


def test_a_label_that_lasts_is_smoothed_to_all_but_its_changes(parts):
    choice = (SLOW[:, :1] > 0).astype(float)
    found = smoothing_baseline(parts(choice=choice), "choice")["accuracy: smoothing"]
    # The test of 800 bins holds four changes; a hidden bin beside one may go either way.
    assert 1 - 4 * 4 / 800 <= found <= 1


def test_a_linear_readout_is_decoded_at_its_analytic_accuracy(parts):
    """Position is a sum of what the units' rates carry, plus noise of known variance."""
    counts = rng().poisson(20 + 10 * SLOW[:, [0, 1] * 5])
    mixed = SLOW @ np.array([[1.0, 0.5], [0.0, 1.0]])
    noisy = mixed + 0.5 * rng(2).normal(size=mixed.shape)
    found = decoding_baseline(parts(units=counts, position=noisy), "position")
    explained = mixed[3200:].var(0) / (mixed[3200:].var(0) + 0.25)
    # Residual R2 has a standard error of sqrt(2 / 800) of the noise share, here 0.02.
    assert found["r2: smoothing + ridge"] == pytest.approx(explained.mean(), abs=0.04)


def test_a_label_is_decoded_with_high_accuracy(parts):
    counts = rng().poisson(20 + 10 * SLOW[:, [0, 1] * 5])
    choice = (SLOW[:, :1] > 0).astype(float)
    found = decoding_baseline(parts(units=counts, choice=choice), "choice")
    assert found["accuracy: smoothing + ridge"] > 0.97


def test_counts_are_decoded_from_a_position(parts):
    """The rate is linear in the position, so that ridge regression is the right model."""
    counts = rng().poisson(2 + SLOW)
    found = decoding_baseline(parts(units=counts, position=position(0.1)), "units")
    # 3,200 spikes in the test: a standard error of some 0.01 bits.
    assert found["bits_per_spike: smoothing + ridge"] == pytest.approx(bits_of(2 + SLOW), abs=0.03)


def test_what_is_unrelated_is_not_decoded(parts):
    unrelated = rng(5).normal(size=(N_BINS, 2))
    counts = rng().poisson(2.0, (N_BINS, 5))
    found = decoding_baseline(parts(units=counts, position=unrelated), "position")
    assert abs(found["r2: smoothing + ridge"]) < 0.03


def test_a_signal_at_rest_throughout_the_test_has_no_explained_variance(parts):
    """An animal that sleeps at the end must not cost the evaluation."""
    still = position()
    still[2800:] = 3.0
    counts = rng().poisson(2.0, (N_BINS, 2))
    resting = parts(units=counts, position=still)
    assert smoothing_baseline(resting, "position") == {}
    assert decoding_baseline(resting, "position") == {}
    fits = [f for f in fit_streams(resting) if f.stream == "position"]
    assert all("r2" not in f.scores for f in fits)


def test_units_that_were_never_watched_together_are_decoded_one_by_one(parts):
    """No bin has every unit observed; each is fitted on the bins that it has."""
    counts = rng().poisson(2 + SLOW)
    watched = np.ones(counts.shape, dtype=bool)
    watched[::2, 0] = watched[1::2, 1] = False
    apart = parts(units=counts, position=position(0.1), masks={"units": watched})
    found = decoding_baseline(apart, "units")
    together = decoding_baseline(parts(units=counts, position=position(0.1)), "units")
    # Half of the bins are left: a standard error of some 0.02 bits.
    (bits,), (all_bits,) = found.values(), together.values()
    assert bits == pytest.approx(all_bits, abs=0.06)


def test_a_unit_that_was_never_watched_in_training_costs_nobody_else_the_baseline(parts):
    counts = rng().poisson(2 + SLOW)
    watched = np.ones(counts.shape, dtype=bool)
    watched[:3000, 1] = False
    lost = parts(units=counts, position=position(0.1), masks={"units": watched})
    for baseline in (smoothing_baseline, decoding_baseline):
        (value,) = baseline(lost, "units").values()
        assert np.isfinite(value)


def test_each_stream_is_judged_on_hidden_bins_and_from_the_other_streams(parts):
    both = parts(units=rng().poisson(2 + SLOW), position=position())
    fits = fit_streams(both)
    tasks = {(f.stream, f.task) for f in fits}
    assert tasks == {
        (s, t) for s in ("units", "position") for t in ("hidden bins", "from the other streams")
    }
    alone = fit_streams(parts(position=position()))
    assert [f.task for f in alone] == ["hidden bins"]


def test_a_bin_is_predicted_without_its_own_value(parts):
    """Change one bin of the stream: the latent predicted for that bin does not move."""
    both = parts(units=rng().poisson(2 + SLOW), position=position())
    streams = both.test[0]
    before = predict_hidden(both, streams, "units").values
    streams["units"].values[100] += 50
    after = predict_hidden(both, streams, "units").values
    assert (after[100] == before[100]).all()
    assert (after != before).any()
