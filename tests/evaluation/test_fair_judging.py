"""Slow sensors, own pasts and constants: predictions see nothing of what they are judged on."""

import numpy as np
import pytest
import torch

from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.evaluation.baselines import decoding_baseline
from neurodsr.evaluation.constant import fit_constant
from neurodsr.evaluation.parts import take_apart
from neurodsr.evaluation.predictions import predict_hidden
from neurodsr.evaluation.stream_fit import fit_streams
from neurodsr.modalities.calcium_decoder import CalciumDecoder
from neurodsr.modalities.count_laws import ZeroInflatedLaw
from neurodsr.modalities.counts import CountDecoder
from neurodsr.modalities.observed import Observed
from neurodsr.models.observation import ObservationModel
from neurodsr.run_config import RunConfig
from neurodsr.surrogate import Surrogate

N_BINS, BIN = 2000, 0.05
LIGHT = {"kind": "calcium", "path": "light", "decay": 0.5, "rise": 0.0, "kinetics": "fixed"}


@pytest.fixture
def parts(summary):
    """A function that takes streams apart, cut into equal segments, with an untrained model."""

    def make(streams, values, *, n_segments=1):
        grid = TimeGrid(0.0, BIN, N_BINS)
        held = {
            n: Stream(
                x.astype(np.float32),
                np.ones(x.shape, dtype=bool),
                Channels(tuple(map(str, range(x.shape[1])))),
                "a.u.",
            )
            for n, x in values.items()
        }
        edges = np.linspace(0, grid.stop, n_segments + 1)
        recording = Recording("session", grid, held, Intervals(edges[:-1], edges[1:], {}))
        config = RunConfig.from_plain(
            {
                "schema_version": 1,
                "file": "a.nwb",
                "grid": {"bin_width": BIN},
                "streams": streams,
                "encoder": {"width": 4, "kernel": 3},
                "dynamics": {"latent_dim": 2},
            }
        )
        channels = {n: s.channels for n, s in held.items()}
        model = ObservationModel.build(config, channels, bin_width=BIN)
        units = dict.fromkeys(held, "a.u.")
        surrogate = Surrogate(config, grid, channels, units, (model,), (), (summary(),))
        return take_apart(surrogate, recording)

    return make


def noise(n_channels=2, seed=0):
    return np.random.default_rng(seed).normal(size=(N_BINS, n_channels))


def test_a_hidden_bin_of_a_slow_sensor_does_not_move_its_own_prediction(parts):
    slow = parts({"light": LIGHT}, {"light": noise()})
    streams = slow.test[0]
    before = predict_hidden(slow, streams, "light").values[200]
    streams["light"].values[200] += 5
    assert torch.equal(predict_hidden(slow, streams, "light").values[200], before)


def test_a_slow_sensor_is_not_judged_by_bins_whose_past_lies_before_the_stretch(parts):
    slow = parts({"light": LIGHT}, {"light": noise()}, n_segments=4)
    lag = slow.model.decoder("light").lag
    seen = slow.judged("light", slow.test)
    assert lag == 39
    assert not seen.mask[:lag].any()
    assert seen.mask[lag:].all()


def test_stretches_are_decoded_one_by_one(parts):
    """What a sensor showed at the end of one segment says nothing of the next one's start."""
    slow = parts({"light": LIGHT}, {"light": noise()}, n_segments=20)
    assert len(slow.test) > 1
    alone = [predict_hidden(slow, s, "light").values for s in slow.test]
    (fit,) = fit_streams(slow)
    judged = slow.judged("light", slow.test)
    predicted = torch.cat(alone)
    assert fit.scores["r2"] == pytest.approx(
        slow.model.modalities["light"].natural_score.value(predicted, predicted, judged), rel=1e-6
    )


def test_a_channel_that_stood_still_in_training_is_not_judged(parts):
    x = noise()
    x[:1700, 1] = 3.0
    still = parts({"signal": {"kind": "behavior", "path": "s"}}, {"signal": x})
    seen = still.judged("signal", still.test)
    assert seen.mask[:, 0].all()
    assert not seen.mask[:, 1].any()


def test_a_stream_that_explains_a_slow_sensor_may_do_so_after_its_delay(parts):
    """A signal 4 bins late, the lag of the sensor being 39: a tenth of it."""
    x = np.random.default_rng(3).normal(size=(N_BINS, 1))
    late = np.roll(x, 4, axis=0)
    found = decoding_baseline(
        parts(
            {"light": LIGHT, "signal": {"kind": "behavior", "path": "s"}},
            {"light": late, "signal": x},
        ),
        "light",
    )
    # Smoothing over a bin leaves 0.28^2 + ... of white noise: the peak of the kernel is 0.4.
    assert found["r2: smoothing + ridge"] > 0.2


@pytest.mark.parametrize("seed", [0, 10])
def test_the_constant_is_the_likeliest_one_where_moments_are_not(seed):
    rng = np.random.default_rng(seed)
    bursts = rng.random((20_000, 1)) < 0.02
    x = torch.from_numpy(
        np.where(bursts, rng.poisson(30, bursts.shape), rng.poisson(1, bursts.shape))
    )
    seen = Observed(x.float(), torch.ones(x.shape, dtype=bool))
    by_moments, fitted = (CountDecoder(1, 2, law=ZeroInflatedLaw) for _ in range(2))
    by_moments.initialize(seen)
    fit_constant(fitted, seen, latent_dim=2)
    z = torch.zeros(len(x), 2)
    moments, best = (d(z).log_prob(seen.values).mean().item() for d in (by_moments, fitted))
    # Of a Poisson with the mean rate: what a gate of 0 gives.
    rate = seen.values.mean()
    poisson = torch.distributions.Poisson(rate).log_prob(seen.values).mean().item()
    assert best >= max(moments, poisson) - 1e-3


def test_heavy_tailed_light_has_a_heavy_tailed_constant():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_t(3, (5000, 1))).float()
    seen = Observed(x, torch.ones(x.shape, dtype=bool))
    decoder = CalciumDecoder(1, 2, bin_width=BIN, decay=0.5, rise=0.0, heavy_tails=True)
    fit_constant(decoder, seen, latent_dim=2)
    likelihood = decoder(torch.zeros(len(x), 2)).log_prob(x).mean().item()
    true = torch.distributions.StudentT(3.0).log_prob(x).mean().item()
    # Three parameters fitted to 5,000 values gain 3 / 10,000 on the truth, give or take.
    assert likelihood == pytest.approx(true, abs=2e-3)
