"""A surrogate beside the system that was simulated: alignment, and measures near their floors."""

import numpy as np
import pytest
import torch

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Stream
from neurodsr.data.truth import Truth
from neurodsr.evaluation.parts import take_apart
from neurodsr.evaluation.truth import TRUE_VALUE, align, truth_measures
from neurodsr.measures.state_space import state_space_divergence
from neurodsr.testing.lorenz import EXPONENT, lorenz63, standardize

MIX = np.array([[1.0, 0.3, 0.0], [-0.2, 2.0, 0.5], [0.4, 0.0, -1.0]])
OFFSET = np.array([3.0, -1.0, 0.5])


def orbit(n_bins, seed):
    return standardize(lorenz63(n_bins, dt=0.02, generator=np.random.default_rng(seed)))


@pytest.fixture(scope="module")
def states():
    """The state of the recording, the reference, and a third orbit to play the free run."""
    return orbit(4000, 0), orbit(20_000, 1), orbit(20_000, 2)


@pytest.fixture(scope="module")
def judged(states, signal_recording, direct_surrogate, linear_map):
    """Parts and truth of a recording whose latent is an affine image of the true state."""
    state, reference, _ = states
    seen = Stream(
        state.astype(np.float32), np.ones(state.shape, bool), Channels(("x", "y", "z")), ""
    )
    truth = Truth(seen, reference, EXPONENT)
    recording = signal_recording(latent(state), truth=truth)
    surrogate = direct_surrogate(linear_map(np.eye(3)), recording)
    return take_apart(surrogate, recording), truth


def latent(state):
    return state @ MIX + OFFSET


def orbits(free_run):
    """Two starts of 10,000 bins, in latents."""
    return torch.from_numpy(latent(free_run).reshape(2, 10_000, 3)).float()


def test_alignment_recovers_the_affine_map(judged):
    weights = align(*judged).weights
    np.testing.assert_allclose(weights[:3], np.linalg.inv(MIX), atol=1e-4)  # float32 data
    np.testing.assert_allclose(weights[3], -OFFSET @ np.linalg.inv(MIX), atol=1e-4)


def test_alignment_is_fitted_on_training_bins_alone(judged):
    parts, truth = judged
    values = truth.state.values.copy()
    first = parts.split.train[-1][1]
    values[first:] = 1e6
    tampered = Truth(
        Stream(values, truth.state.mask, truth.state.channels, ""), truth.reference, 1.0
    )
    np.testing.assert_array_equal(align(parts, tampered).weights, align(parts, truth).weights)


def test_the_truth_itself_is_judged_near_the_floor(judged, states):
    found = {m.name: m for m in truth_measures(*judged, orbits(states[2]), 0.9)}
    floor = state_space_divergence(states[1], states[2], n_bins=30)
    divergence = found["aligned state-space divergence"].value
    assert divergence == pytest.approx(floor, abs=0.02)  # the alignment's float32
    spectrum = found["aligned spectral distance"]
    # Each is a distance of two estimates from 20,000 bins in stretches of 10,000.
    assert spectrum.value < 2 * spectrum.floor
    assert found["held-out state R2"].value == pytest.approx(1, abs=1e-5)
    exponent = found["largest exponent"]
    assert (exponent.value, exponent.better) == (0.9, "equal")
    assert exponent.baselines == {TRUE_VALUE: EXPONENT}


def test_another_attractor_is_judged_far_from_the_floor(judged, states):
    good = {m.name: m.value for m in truth_measures(*judged, orbits(states[2]), 0.9)}
    shuffled = states[2][np.random.default_rng(0).permutation(20_000)]
    flat = states[2] * [1, 1, 0]
    by_order = {m.name: m.value for m in truth_measures(*judged, orbits(shuffled), 0.9)}
    by_shape = {m.name: m.value for m in truth_measures(*judged, orbits(flat), 0.9)}
    spectrum, divergence = "aligned spectral distance", "aligned state-space divergence"
    assert by_order[spectrum] > 5 * good[spectrum]
    assert by_order[divergence] == pytest.approx(good[divergence], abs=1e-6)
    assert by_shape[divergence] > good[divergence] + 3


def test_a_short_reference_has_no_spectral_floor(judged, states):
    parts, truth = judged
    short = Truth(truth.state, truth.reference[:15_000], truth.exponent)
    found = {m.name: m for m in truth_measures(parts, short, orbits(states[2]), 0.9)}
    assert found["aligned spectral distance"].floor is None
