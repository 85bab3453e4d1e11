"""Streams whose bins depend on earlier latents, or were watched in part, through training."""

import numpy as np
import pytest
import torch

from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.evaluation.evaluate import evaluate
from neurodsr.models.observation import ObservationModel
from neurodsr.run_config import RunConfig
from neurodsr.surrogate import load_surrogate
from neurodsr.training.observation_stage import held_out_loss, observation_task
from neurodsr.training.train import train
from neurodsr.training.windows import to_tensors

N_BINS, BIN = 1500, 0.02
# A lag of 15 bins: four decays.
DECAY = {"kind": "calcium", "path": "light", "decay": 0.08, "rise": 0.0, "kinetics": "fixed"}


def recording(n_bins=N_BINS, pieces=1, seed=0):
    """Light of two cells, and counts of which every fifth bin was watched for half its length."""
    rng = np.random.default_rng(seed)
    phase = 0.2 * np.arange(n_bins)
    activity = 1 + np.stack([np.cos(phase), np.sin(phase)], axis=1)
    kernel = np.exp(-np.arange(30) * BIN / 0.08)
    light = np.stack([np.convolve(a, kernel / kernel.sum())[:n_bins] for a in activity.T], axis=1)
    exposure = np.ones((n_bins, 2), dtype=np.float32)
    exposure[::5] = 0.5
    counts = rng.poisson(activity * exposure)
    seen = np.ones((n_bins, 2), dtype=bool)
    grid, cells = TimeGrid(0.0, BIN, n_bins), Channels(("a", "b"))
    streams = {
        "light": Stream((light + 0.1 * rng.normal(size=light.shape)), seen, cells, "a.u."),
        "counts": Stream(counts.astype(np.float32), seen, cells, "count", (), exposure),
    }
    edges = np.linspace(0, grid.stop, pieces + 1)
    return Recording("slow", grid, streams, Intervals(edges[:-1], edges[1:], {}))


def config(settings, **streams):
    return RunConfig.from_plain(settings(streams=streams or {"light": DECAY}))


@pytest.fixture(scope="module")
def both(settings):
    return config(settings, light=DECAY, counts={"kind": "spikes"})


def parts_of(found, config):
    whole = to_tensors(found, ((0, found.grid.n_bins),))
    channels = {n: found.streams[n].channels for n in config.streams}
    model = ObservationModel.build(config, channels, bin_width=BIN)
    only = tuple({n: s[n] for n in config.streams} for s in whole.stretches)
    return model, type(whole)(only)


def test_windows_are_longer_by_what_the_slowest_sensor_looks_back(settings):
    made = config(settings)
    model, data = parts_of(recording(), made)
    assert model.lag == 15
    task = observation_task(model, data, data, made, name="e", seed=0)
    assert task.loss(0).isfinite()
    # Latents 14 bins before a window's first scored one move its loss; those before do not exist.
    z = torch.randn(1, 45, 2, requires_grad=True)
    seen = data.stretches[0]["light"].bins(slice(45)).each(lambda part: part[None])
    likelihood, counts = model.log_likelihood("light", z, seen)
    assert not counts[:, :15].any()
    assert counts[:, 15:].all()
    (likelihood * counts).sum().backward()
    assert (z.grad.abs().sum(-1) > 0).all()


def test_a_sensor_slower_than_every_stretch_is_refused(settings):
    slow = config(settings, light=DECAY | {"decay": 5.0})
    model, data = parts_of(recording(), slow)
    with pytest.raises(DataError, match="'light' shows of a moment lasts 999 bins") as caught:
        observation_task(model, type(data)((
            {"light": data.stretches[0]["light"].bins(slice(500))},
        )), data, slow, name="e", seed=0)  # fmt: skip
    assert "a shorter kernel of that stream" in caught.value.fix


def test_a_held_out_loss_leaves_out_what_lies_before_a_stretch(settings):
    """The first bins of the light depend on latents that nobody has."""
    made = config(settings)
    model, data = parts_of(recording(), made)
    model.initialize(data.pooled())
    with torch.no_grad():  # an encoder that sees nothing: values matter where they are scored
        model.experts[0].evidence.weight.zero_()
    light, before = data.stretches[0]["light"].values, held_out_loss(model, data)
    light[:15] += 1e4
    assert held_out_loss(model, data) == before
    light[15] += 1
    assert held_out_loss(model, data) != before


def test_exposure_and_kernels_pass_through_training_saving_and_evaluation(both, tmp_path):
    found = recording()
    surrogate = train(found, both, n_workers=1)
    surrogate.save(tmp_path / "surrogate")
    again = load_surrogate(tmp_path / "surrogate")
    z = surrogate.encode(found)
    assert torch.equal(again.encode(found), z)
    for name, drawn in surrogate.sample(z[:40], seed=3).items():
        assert torch.equal(again.sample(z[:40], seed=3)[name], drawn)
    evaluation, arrays = evaluate(surrogate, found)
    assert {(s.given, s.predicted) for s in evaluation.cross_modal} == {
        ((g,), p) for g in ("light", "counts") for p in ("light", "counts")
    }
    assert all(np.isfinite(a).all() for a in arrays.values())
    # A bin that was watched for half its length is expected to hold half as many spikes.
    expected = arrays["raster/counts/predicted"]
    half, whole = expected[::5].mean(), expected[1::5].mean()
    assert half / whole == pytest.approx(0.5, abs=0.15)


def test_two_processes_train_the_same_surrogate_as_one(both, tmp_path):
    found = recording()
    for n in (1, 2):
        train(found, both, n_workers=n).save(tmp_path / str(n))
    one, two = (load_surrogate(tmp_path / str(n)) for n in (1, 2))
    assert torch.equal(one.encode(found), two.encode(found))
