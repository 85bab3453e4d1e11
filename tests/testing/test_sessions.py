"""The simulated sessions: what the demo and the Lorenz example record, and that they repeat."""

import dataclasses

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Events
from neurodsr.data.time import TimeGrid
from neurodsr.run_config import RunConfig
from neurodsr.testing.sessions import LEVELS, demo_config, demo_session, lorenz_session


@pytest.fixture(scope="module")
def demo():
    return demo_session(seed=0, n_bins=20_000, n_reference=2_000)


@pytest.fixture(scope="module")
def direct():
    return lorenz_session(seed=0, n_bins=20_000)


def test_the_demo_has_40_units_in_three_regions(demo):
    assert [demo.regions.count(r) for r in ("VISp", "CA1", "MOs")] == [14, 13, 13]
    assert len(demo.spikes) == demo.counts.shape[1] == 40


def test_demo_units_fire_at_about_10_hz(demo):
    # 40 log rates of sd 0.3 and a non-Gaussian orbit: the mean over units is good to some 15 %.
    assert demo.counts.mean() / demo.bin_width == pytest.approx(10, rel=0.3)
    assert demo.counts.sum(0).min() > 0


def test_demo_spike_times_count_to_the_demo_counts(demo):
    offsets = np.cumsum([0, *(len(train) for train in demo.spikes)])
    channels = Channels(tuple(str(i) for i in range(40)))
    events = Events(np.concatenate(demo.spikes), offsets, channels, None)
    grid = TimeGrid.spanning(0.0, demo.duration, demo.bin_width)
    np.testing.assert_array_equal(grid.count(events), demo.counts)


def test_the_demo_position_is_the_latent_with_noise_of_sd_0p3(demo):
    rows = np.linalg.lstsq(demo.state, demo.position)[0]
    residual = demo.position - demo.state @ rows
    # s.e. of a sd: 0.3 / sqrt(2 * 20000) = 0.0015.
    np.testing.assert_allclose(residual.std(0), 0.3, atol=0.007)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_every_choice_occurs(seed):
    session = demo_session(seed=seed, n_bins=10_000, n_reference=10)
    assert np.bincount(session.choice, minlength=len(LEVELS)).min() > 200


def test_the_reference_is_another_orbit_than_the_state(demo):
    correlation = np.corrcoef(demo.state[:2_000, 0], demo.reference[:, 0])[0, 1]
    assert abs(correlation) < 0.5


def test_direct_observation_adds_5_percent_noise(direct):
    noise = direct.direct - direct.state
    np.testing.assert_allclose(noise.std(0), 0.05, atol=4.5 * 0.05 / np.sqrt(2 * len(noise)))


def test_the_exponent_is_per_second_because_a_time_unit_lasts_one_second(demo, direct):
    assert (demo.exponent, direct.exponent) == (0.906, 0.906)
    assert (demo.bin_width, direct.bin_width) == (0.02, 0.01)


@pytest.mark.parametrize("make", [demo_session, lorenz_session])
def test_the_same_seed_gives_the_same_session(make):
    for first, second in zip(_arrays(make, 5), _arrays(make, 5), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("make", [demo_session, lorenz_session])
def test_another_seed_gives_another_session(make):
    for first, second in zip(_arrays(make, 5), _arrays(make, 6), strict=True):
        assert not np.array_equal(first, second)


def test_a_longer_session_begins_with_the_shorter_ones_latent_and_tuning(demo):
    short = demo_session(seed=0, n_bins=500, n_reference=10)
    np.testing.assert_array_equal(short.state, demo.state[:500])
    np.testing.assert_array_equal(short.counts, demo.counts[:500])


def test_the_demo_config_is_a_valid_run_config():
    config = RunConfig.from_plain(demo_config(file="x.nwb", seed=3))
    assert list(config.streams) == ["units", "position", "choice"]
    assert (config.file, config.seed, config.grid.bin_width) == ("x.nwb", 3, 0.02)
    assert config.truth is not None
    assert config.truth.exponent == 0.906


def _arrays(make, seed):
    session = make(seed=seed, n_bins=200)
    values = [getattr(session, field.name) for field in dataclasses.fields(session)]
    return [v for v in values if isinstance(v, np.ndarray)]
