"""The trained artifact in use, and the same after it was saved and loaded."""

import dataclasses

import numpy as np
import pytest
import torch

from neurodsr.data.channels import Channels
from neurodsr.data.time import TimeGrid
from neurodsr.errors import ConfigError, OutputError
from neurodsr.evaluation.evaluate import evaluate
from neurodsr.kernels.pwl import step
from neurodsr.models.observation import ObservationModel
from neurodsr.run_config import RunConfig
from neurodsr.surrogate import load_surrogate


@pytest.fixture
def folder(small_surrogate, tmp_path):
    small_surrogate.save(tmp_path / "a.surrogate")
    return tmp_path / "a.surrogate"


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_a_loaded_surrogate_is_the_saved_one(small_surrogate, folder):
    loaded = load_surrogate(folder)
    for name in ("config", "grid", "channels", "units", "members", "history"):
        assert getattr(loaded, name) == getattr(small_surrogate, name), name
    assert loaded.channels["units"].regions == ("VISp", "CA1")
    for ours, theirs in zip(small_surrogate.maps, loaded.maps, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours[:5], theirs[:5], strict=True))
    for ours, theirs in zip(small_surrogate.observations, loaded.observations, strict=True):
        a, b = ours.state_dict(), theirs.state_dict()
        assert a.keys() == b.keys()
        assert all(torch.equal(a[k], b[k]) for k in a)
        assert not any(p.requires_grad for p in theirs.parameters())


def test_saving_again_gives_the_same_bytes(folder, tmp_path):
    load_surrogate(folder).save(tmp_path / "b.surrogate")
    assert contents(tmp_path / "b.surrogate") == contents(folder)


def test_a_loaded_surrogate_does_the_same(small_surrogate, folder, small_session):
    loaded = load_surrogate(folder)
    for member in range(3):
        z = small_surrogate.encode(small_session, member=member)
        assert torch.equal(loaded.encode(small_session, member=member), z)
        orbit = small_surrogate.simulate(20, z0=z[:2], member=member)
        assert torch.equal(loaded.simulate(20, z0=z[:2], member=member), orbit)
        ours = small_surrogate.sample(orbit, seed=3, member=member)
        theirs = loaded.sample(orbit, seed=3, member=member)
        assert all(torch.equal(ours[n], theirs[n]) for n in small_session.streams)


def test_loading_leaves_the_global_random_state_alone(folder):
    before = torch.get_rng_state()
    load_surrogate(folder)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_member_lives_in_its_own_encoder_and_decoders(small_surrogate, small_session):
    z = small_surrogate.encode(small_session, member=0)
    assert small_surrogate.observation(1) is small_surrogate.observations[1]
    assert not torch.equal(small_surrogate.encode(small_session, member=1), z)
    assert torch.equal(small_surrogate.encode(small_session, member=2), z)
    first, second = (small_surrogate.sample(z, seed=0, member=m)["position"] for m in (0, 1))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("member", [0, 1, 2])
def test_what_is_recorded_is_a_sample_of_the_members_own_decoders(
    small_surrogate, small_session, member
):
    z = small_surrogate.encode(small_session)[:5].repeat(400, 1)
    position = small_surrogate.sample(z, seed=1, member=member)["position"]
    p = small_surrogate.decode(z, member=member)["position"]
    # 2,000 standardized draws a channel: mean and sd are known to 1 / sqrt(2000) = 0.022.
    standardized = (position - p.mean) / p.stddev
    torch.testing.assert_close(standardized.mean(0), torch.zeros(2), atol=0.08, rtol=0)
    torch.testing.assert_close(standardized.std(0), torch.ones(2), atol=0.08, rtol=0)


def test_a_sample_is_a_pure_function_of_its_seed(small_surrogate):
    z = torch.zeros(4, 7, 3)
    before = torch.get_rng_state()
    first, again, other = (small_surrogate.sample(z, seed=s) for s in (4, 4, 5))
    assert all(torch.equal(first[n], again[n]) for n in first)
    assert not torch.equal(first["position"], other["position"])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def two_signals(small_surrogate):
    """The surrogate with a second stream of the position's kind, beside it in the alphabet."""
    config = small_surrogate.config.to_plain()
    config["streams"] = {n: config["streams"]["position"] for n in ("position", "posture")}
    config = RunConfig.from_plain(config)
    channels = dict.fromkeys(config.streams, small_surrogate.channels["position"])
    model = ObservationModel.build(config, channels, bin_width=0.02)
    return dataclasses.replace(
        small_surrogate, config=config, channels=channels, observations=(model,)
    )


def test_streams_never_share_their_noise(two_signals):
    """Not even with the neighboring seed: seeds are no counters that a stream adds to."""
    z = torch.zeros(7, 3)
    a, b = (two_signals.sample(z, seed=s) for s in (0, 1))
    mean = {n: p.mean for n, p in two_signals.decode(z).items()}
    noise = {(s, n): x[n] - mean[n] for s, x in enumerate((a, b)) for n in mean}
    first = noise[1, "position"]
    for other in (noise[0, "posture"], noise[1, "posture"], noise[0, "position"]):
        assert not torch.allclose(first, other, atol=1e-3)


def test_simulated_observations_have_the_shape_of_every_stream(small_surrogate):
    z = torch.zeros(4, 7, 3)
    shapes = {n: tuple(x.shape) for n, x in small_surrogate.sample(z, seed=0).items()}
    assert shapes == {"units": (4, 7, 2), "position": (4, 7, 2), "choice": (4, 7, 1)}


def test_a_free_run_starts_one_step_after_its_start(small_surrogate):
    z0 = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    for member in range(3):
        orbits = small_surrogate.simulate(6, z0=z0, member=member)
        assert orbits.shape == (4, 6, 3)
        once = step(small_surrogate.as_map(member), z0)
        torch.testing.assert_close(orbits[:, 0], once)
        torch.testing.assert_close(orbits[:, 1], step(small_surrogate.as_map(member), once))


def test_decoded_distributions_have_the_shape_of_every_stream(small_surrogate):
    decoded = small_surrogate.decode(torch.zeros(4, 7, 3), member=1)
    shapes = {n: tuple(p.batch_shape) for n, p in decoded.items()}
    assert shapes == {"units": (4, 7, 2), "position": (4, 7, 2), "choice": (4, 7, 1)}


def test_a_recording_is_encoded_from_the_streams_that_are_named(small_surrogate, small_session):
    whole = small_surrogate.encode(small_session)
    some = small_surrogate.encode(small_session, streams=("units", "position"))
    unseen = small_session.streams["choice"]
    unseen = dataclasses.replace(unseen, mask=np.zeros_like(unseen.mask))
    without = dataclasses.replace(
        small_session, streams={**small_session.streams, "choice": unseen}
    )
    assert torch.equal(small_surrogate.encode(without), some)
    assert not torch.equal(some, whole)
    assert whole.shape == (small_session.grid.n_bins, 3)


def with_stream(small_session, name, **changes):
    stream = dataclasses.replace(small_session.streams[name], **changes)
    return dataclasses.replace(small_session, streams={**small_session.streams, name: stream})


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("position", Channels(("x", "z"))),
        ("position", Channels(("y", "x"))),
        ("choice", Channels(("choice",), levels=("no", "yes"))),
        ("choice", Channels(("choice",), levels=("left", "none", "right"))),
    ],
)
def test_other_channels_or_levels_than_trained_on_are_refused(
    small_surrogate, small_session, name, channels
):
    other = with_stream(small_session, name, channels=channels)
    with pytest.raises(ConfigError, match=rf"'{name}' has[\s\S]*use the recording that"):
        small_surrogate.encode(other)
    small_surrogate.encode(other, streams=("units",))


def test_a_stream_that_was_not_trained_on_is_refused(small_surrogate, small_session):
    with pytest.raises(ConfigError, match=r"'lfp' is not in both[\s\S]*streams that both have"):
        small_surrogate.encode(small_session, streams=("units", "lfp"))


def test_a_stream_that_the_recording_lacks_is_refused(small_surrogate, small_session):
    less = {n: s for n, s in small_session.streams.items() if n != "choice"}
    with pytest.raises(ConfigError, match=r"the recording \(units, position\)"):
        small_surrogate.encode(dataclasses.replace(small_session, streams=less))


def test_no_stream_at_all_is_refused(small_surrogate, small_session):
    with pytest.raises(ConfigError, match=r"no stream is named[\s\S]*one or more of them: units"):
        small_surrogate.encode(small_session, streams=())


def test_bins_of_another_width_are_refused(small_surrogate, small_session):
    other = dataclasses.replace(small_session, grid=TimeGrid(0.1, 0.05, small_session.grid.n_bins))
    with pytest.raises(ConfigError, match=r"bins of 0.05 s[\s\S]*grid.bin_width: 0.02"):
        small_surrogate.encode(other)


def test_a_recording_that_it_was_not_trained_on_is_not_judged(small_surrogate, small_session):
    """Refused with the reason before anything is computed, not by a shape somewhere inside."""
    other = with_stream(small_session, "units", channels=Channels(("a", "c")))
    with pytest.raises(ConfigError, match="fix: use the recording that the surrogate"):
        evaluate(small_surrogate, other)


def test_an_output_that_stands_there_is_not_overwritten(small_surrogate, folder):
    with pytest.raises(OutputError, match="--force"):
        small_surrogate.save(folder)
    small_surrogate.save(folder, force=True)
