"""Hiding parts of a recording, and configuring a run on it."""

import numpy as np
import pytest

from neurodsr.errors import ConfigError
from neurodsr.modalities.spikes import Spikes
from neurodsr.testing.multimodal import multimodal_lorenz
from neurodsr.testing.prepare import configure_run, hide_stretches


@pytest.fixture(scope="module")
def recording():
    return multimodal_lorenz(seed=0, n_bins=1050, n_reference=10).recording


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.5, 1.0])
def test_the_asked_fraction_of_each_streams_stretches_is_hidden(recording, fraction):
    hidden = hide_stretches(recording, fraction=fraction, seed=1, length=50)
    for stream in hidden.streams.values():
        stretches = stream.mask.reshape(21, 50, -1)
        whole, none = stretches.all((1, 2)), ~stretches.any((1, 2))
        assert (whole | none).all()
        assert none.sum() == round(21 * fraction)


def test_hidden_values_are_0_and_the_others_stay(recording):
    hidden = hide_stretches(recording, fraction=0.5, seed=1)
    for name, stream in hidden.streams.items():
        expected = np.where(stream.mask, recording.streams[name].values, 0)
        np.testing.assert_array_equal(stream.values, expected)


def test_a_last_stretch_may_be_shorter(recording):
    hidden = hide_stretches(recording, fraction=1.0, seed=1, length=200)
    assert not any(s.mask.any() for s in hidden.streams.values())


def test_a_larger_fraction_hides_what_a_smaller_one_hides(recording):
    some, more = (
        hide_stretches(recording, fraction=f, seed=2, length=20).streams for f in (0.2, 0.6)
    )
    for name in some:
        assert not (more[name].mask & ~some[name].mask).any()


def test_streams_lose_different_stretches_and_seeds_too(recording):
    one, two = (
        hide_stretches(recording, fraction=0.5, seed=seed, length=20).streams for seed in (1, 2)
    )
    assert not np.array_equal(one["signal"].mask[:, 0], one["counts"].mask[:, 0])
    assert not np.array_equal(one["signal"].mask, two["signal"].mask)


@pytest.mark.parametrize("fraction", [-0.1, 1.5])
def test_a_fraction_outside_0_to_1_is_refused(recording, fraction):
    with pytest.raises(ConfigError, match="choose a fraction from 0 to 1"):
        hide_stretches(recording, fraction=fraction, seed=0)


def test_streams_may_be_given_as_in_a_yaml_file_or_as_modalities(recording):
    config = configure_run(
        recording,
        streams={
            "signal": {"kind": "behavior", "weight": 2.0},
            "counts": Spikes(path="elsewhere"),
        },
        seed=7,
        sections={"dynamics": {"hidden_dim": 12}},
    )
    assert (config.seed, config.grid.bin_width) == (7, recording.grid.bin_width)
    assert {n: s.kind for n, s in config.streams.items()} == {
        "signal": "behavior",
        "counts": "spikes",
    }
    assert {n: s.path for n, s in config.streams.items()} == {
        "signal": "signal",
        "counts": "elsewhere",
    }
    assert (config.dynamics.hidden_dim, config.streams["signal"].weight) == (12, 2.0)


def test_a_stream_that_the_recording_lacks_is_refused_with_those_it_has(recording):
    with pytest.raises(ConfigError, match="choose among signal, items, counts") as error:
        configure_run(recording, streams={"signals": {"kind": "behavior"}})
    assert "did you mean 'signal'?" in error.value.what
