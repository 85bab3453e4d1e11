"""What is hidden from the encoder in a batch: drawn stream by stream, of seed and number alone."""

import pytest
import torch

from neurodsr.modalities.observed import Observed
from neurodsr.run_config import RunConfig
from neurodsr.training.observation_stage import _hidden_streams, _scored_bins


def batch(*names, shape=(5, 7)):
    return {n: Observed(torch.zeros(*shape, 2), torch.ones(*shape, 2, dtype=bool)) for n in names}


def generator():
    return torch.Generator().manual_seed(3)


@pytest.fixture
def config(settings):
    return RunConfig.from_plain(settings(encoder={"drop_bins": 0.4, "drop_streams": 0.25}))


def test_each_stream_gets_the_draws_it_would_get_in_its_turn(config):
    streams, together, in_turn = batch("a", "b", "c"), generator(), generator()
    scored = _scored_bins(streams, config, together)
    whole = _hidden_streams(streams, config, together)
    for name in streams:
        assert torch.equal(scored[name], torch.rand(5, 7, 1, generator=in_turn) < 0.4)
    for name in streams:
        assert torch.equal(whole[name], torch.rand(5, 1, 1, generator=in_turn) < 0.25)


def test_a_single_stream_is_never_hidden_as_a_whole(config):
    streams = batch("a", shape=(200, 7))
    assert not _hidden_streams(streams, config, generator())["a"].any()
