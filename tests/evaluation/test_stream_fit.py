"""Held-out predictions of a model whose every latent is known by hand."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.evaluation.cross_modal import cross_modal_scores
from neurodsr.evaluation.parts import take_apart
from neurodsr.evaluation.predictions import predict_hidden
from neurodsr.evaluation.stream_fit import fit_streams
from neurodsr.models.hiding import N_FOLDS, hidden_bins
from neurodsr.models.observation import ObservationModel
from neurodsr.run_config import RunConfig
from neurodsr.surrogate import Surrogate

N_BINS = 1500
TEST = slice(1200, None)  # the last fifth
PHASE = 0.2 * np.arange(N_BINS)
ROUNDING = {"rtol": 1e-5, "atol": 1e-5}  # float32, terms of order 1


def explained(x, predicted):
    """Explained variance by definition, the mean over channels."""
    return (1 - ((x - predicted) ** 2).sum(0) / ((x - x.mean(0)) ** 2).sum(0)).mean()


def log_likelihood(x, predicted):
    return norm.logpdf(x, predicted, 1.0).mean()


# ---- one stream, whose latent is the signal one bin later


@pytest.fixture(scope="module")
def turning():
    x = np.stack([np.cos(PHASE), np.sin(PHASE)], axis=1) + 0.3
    return x + 0.1 * np.random.default_rng(0).normal(size=x.shape)


@pytest.fixture(scope="module")
def ahead(turning, signal_recording, direct_surrogate, linear_map):
    """Parts of a model whose latent of bin t is the signal of bin t + 1."""
    recording = signal_recording(turning)
    surrogate = direct_surrogate(linear_map(np.eye(2)), recording, kernel=2, latest=True)
    assert surrogate.observation().context == 1
    return take_apart(surrogate, recording)


def expected_ahead(x, streams):
    """The next bin of the signal, or 0 where the same pass hid it or the stretch ends."""
    next_bin = np.vstack([x[1:], np.zeros((1, 2))])
    folds = torch.stack([hidden_bins(streams, f, seed=0)["signal"] for f in range(N_FOLDS)])
    fold = folds.int().argmax(0)[:, 0].numpy()
    seen = np.append(fold[1:] != fold[:-1], False)
    return next_bin * seen[:, None]


def test_a_hidden_bin_is_predicted_from_what_its_pass_left_visible(ahead, turning):
    (streams,) = ahead.test
    found = predict_hidden(ahead, streams, "signal").values.numpy()
    np.testing.assert_allclose(found, expected_ahead(turning[TEST], streams), **ROUNDING)


def test_scores_of_hidden_bins_are_those_of_the_known_prediction(ahead, turning):
    (fit,) = fit_streams(ahead)
    x = turning[TEST]
    predicted = expected_ahead(x, ahead.test[0])
    assert (fit.stream, fit.kind, fit.task) == ("signal", "behavior", "hidden bins")
    assert fit.scores["r2"] == pytest.approx(explained(x, predicted), rel=1e-4)
    assert fit.scores["log_likelihood"] == pytest.approx(log_likelihood(x, predicted), rel=1e-4)


def test_the_gain_is_over_the_constant_fitted_to_training_bins(ahead, turning):
    (fit,) = fit_streams(ahead)
    train = turning[:1050]
    constant = norm.logpdf(turning[TEST], train.mean(0), train.std(0)).mean()
    gain = fit.scores["log_likelihood"] - constant
    assert fit.scores["gain"] == pytest.approx(gain, abs=1e-4)
    assert fit.baselines["log_likelihood: constant"] == pytest.approx(constant, abs=1e-4)
    # The constant misses the mean of the test by little.
    assert -0.05 < fit.baselines["r2: constant"] <= 0


# ---- two streams, of which only one carries the latent


@pytest.fixture(scope="module")
def slow():
    """A signal of one dimension, and its double with noise."""
    x = np.sin(PHASE / 4)[:, None]
    return {"a": x, "b": 2 * x + 0.5 * np.random.default_rng(1).normal(size=x.shape)}


@torch.no_grad()
def one_way(config, channels):
    """A model whose latent is stream a; stream b says nothing. p(a) = N(z, 1), p(b) = N(2 z, 1)."""
    model = ObservationModel.build(config, channels, bin_width=0.1)
    both = torch.tensor([[1.0], [-1.0]])
    model.experts[0].evidence.weight.copy_(torch.cat([both, torch.zeros(2, 1)], dim=1))
    model.experts[1].evidence.weight.zero_()
    # gelu(y) - gelu(-y) = y passes the signal through both layers.
    model.fusion.inner.weight.copy_(torch.tensor([[1.0, -1.0], [-1.0, 1.0]])[:, :, None])
    model.fusion.outer.weight.copy_(torch.tensor([[1.0, -1.0]])[:, :, None])
    model.fusion.inner.bias.zero_()
    model.fusion.outer.bias.zero_()
    for name, weight in (("a", 1.0), ("b", 2.0)):
        model.decoder(name).mean.weight.fill_(weight)
        model.decoder(name).mean.bias.zero_()
        model.decoder(name).log_noise.zero_()
    return model.requires_grad_(False)


@pytest.fixture(scope="module")
def one_way_parts(summary):
    """A function that takes both streams apart with the model in which only a is seen."""

    def make(values):
        grid, seen = TimeGrid(0.0, 0.1, N_BINS), np.ones((N_BINS, 1), dtype=bool)
        streams = {
            n: Stream(x.astype(np.float32), seen, Channels((n,)), "m") for n, x in values.items()
        }
        segments = Intervals(np.array([0.0]), np.array([grid.stop]), {})
        config = RunConfig.from_plain(
            {
                "schema_version": 1,
                "file": "a.nwb",
                "grid": {"bin_width": 0.1},
                "streams": {n: {"kind": "behavior", "path": n} for n in values},
                "encoder": {"width": 2, "kernel": 1},
                "dynamics": {"latent_dim": 1},
            }
        )
        channels = {n: s.channels for n, s in streams.items()}
        units, model = dict.fromkeys(values, "m"), one_way(config, channels)
        surrogate = Surrogate(config, grid, channels, units, (model,), (), (summary(),))
        return take_apart(surrogate, Recording("session", grid, streams, segments))

    return make


@pytest.fixture(scope="module")
def fits(one_way_parts, slow):
    return {(f.stream, f.task): f for f in fit_streams(one_way_parts(slow))}


def test_a_stream_is_predicted_from_the_one_that_carries_it(fits, slow):
    a, b = slow["a"][TEST], slow["b"][TEST]
    expected = pytest.approx(explained(b, 2 * a), rel=1e-4)
    assert fits["b", "from the other streams"].scores["r2"] == expected
    # Its own bins told the model nothing, so hiding them costs nothing.
    assert fits["b", "hidden bins"].scores["r2"] == expected


def test_the_stream_that_carries_the_latent_is_lost_without_itself(fits, slow):
    nothing = explained(slow["a"][TEST], 0.0)
    for task in ("from the other streams", "hidden bins"):
        assert fits["a", task].scores["r2"] == pytest.approx(nothing, abs=1e-4)


def test_the_matrix_says_what_each_stream_tells_of_each_other_one(one_way_parts, slow):
    parts = one_way_parts(slow)
    matrix = {(s.given, s.predicted): s for s in cross_modal_scores(parts)}
    assert set(matrix) == {((g,), p) for g in "ab" for p in "ab"}
    assert {(s.score, s.better) for s in matrix.values()} == {("r2", "higher")}
    a, b = slow["a"][TEST], slow["b"][TEST]
    # Only a carries the latent, and a bin of it says nothing of its neighbors.
    assert matrix[("a",), "b"].value == pytest.approx(explained(b, 2 * a), rel=1e-4)
    assert matrix[("b",), "a"].value == pytest.approx(explained(a, 0.0), abs=1e-4)
    assert matrix[("a",), "a"].value == pytest.approx(explained(a, 0.0), abs=1e-4)
    constant = explained(b, slow["b"][:1050].mean(0))
    assert matrix[("a",), "b"].constant == pytest.approx(constant, abs=1e-4)


def test_each_task_has_its_own_trivial_method(fits):
    for name in ("a", "b"):
        assert "r2: smoothing" in fits[name, "hidden bins"].baselines
        assert "r2: smoothing + ridge" in fits[name, "from the other streams"].baselines


def test_bins_outside_the_test_stretch_change_no_score(fits, one_way_parts, slow):
    """The prediction is judged on the test alone; training bins set only the constant."""
    other = {n: x.copy() for n, x in slow.items()}
    other["b"][:1200] = np.random.default_rng(2).normal(size=(1200, 1))
    changed = {(f.stream, f.task): f.scores for f in fit_streams(one_way_parts(other))}
    for key, fit in fits.items():
        assert changed[key]["log_likelihood"] == fit.scores["log_likelihood"]
        assert changed[key]["r2"] == fit.scores["r2"]
