"""Simulated ratings, angles and licks against the distributions they claim to sample."""

import numpy as np
import pytest
from scipy import stats

from neurodsr.errors import ConfigError
from neurodsr.testing.observe_labels import angle_view, binary_events_view, ordinal_view
from neurodsr.testing.tuning import logistic

N = 40_000


@pytest.fixture(params=[0, 1, 2, 3])
def generator(request):
    return np.random.default_rng(request.param)


# Ratings


@pytest.mark.parametrize("n_levels", [2, 5])
def test_cumulative_frequencies_of_ratings_are_logistic(generator, n_levels):
    state = np.tile([0.4, -0.6], (N, 1))
    view = ordinal_view(state, n_items=4, n_levels=n_levels, generator=generator)
    eta = view.weights @ state[0]
    expected = logistic(view.thresholds - eta[:, None])
    found = np.stack([(view.values <= j).mean(0) for j in range(n_levels - 1)], axis=1)
    error = np.sqrt(expected * (1 - expected) / N)
    # A level that almost always or never occurs has no normal error: 10 of N are allowed.
    assert (np.abs(found - expected) < 4.5 * error + 10 / N).all()


def test_thresholds_are_ordered_and_levels_about_equally_frequent(generator):
    view = ordinal_view(generator.normal(size=(N, 3)), n_items=8, n_levels=5, generator=generator)
    assert (np.diff(view.thresholds, axis=1) > 0).all()
    shares = np.stack([(view.values == level).mean(0) for level in range(5)])
    # A normal drive plus logistic noise is nearly logistic: shares differ from 1/5 by a tenth.
    np.testing.assert_allclose(shares, 0.2, atol=0.03)
    assert set(np.unique(view.values)) == set(range(5))


def test_an_item_with_one_level_is_refused(generator):
    with pytest.raises(ConfigError, match="use n_levels of at least 2"):
        ordinal_view(np.zeros((5, 2)), n_items=1, n_levels=1, generator=generator)


# Angles


def test_angles_are_von_mises_around_the_direction_of_two_projections(generator):
    state = np.tile([0.3, -1.0, 0.5], (N, 1))
    view = angle_view(state, n_angles=3, concentration=4.0, generator=generator)
    y, x = view.weights[:, 1] @ state[0], view.weights[:, 0] @ state[0]
    np.testing.assert_allclose(view.center(state)[0], np.arctan2(y, x))
    turned = np.angle(np.exp(1j * (view.values - view.center(state))))
    for column in turned.T:
        assert stats.kstest(column, "vonmises", args=(4.0,)).pvalue > 1e-4


def test_angles_lie_between_minus_pi_and_pi(generator):
    view = angle_view(
        generator.normal(size=(N, 2)), n_angles=2, concentration=0.5, generator=generator
    )
    assert np.abs(view.values).max() <= np.pi
    assert np.abs(view.values).max() > 3.1


def test_the_directions_behind_angles_have_length_1(generator):
    view = angle_view(np.zeros((3, 4)), n_angles=2, concentration=1.0, generator=generator)
    np.testing.assert_allclose(np.linalg.norm(view.weights, axis=2), 1)


# Licks


def test_licks_have_the_asked_rate(generator):
    view = binary_events_view(
        generator.normal(size=(N, 2)), n_channels=5, rate=2.0, bin_width=0.02, generator=generator
    )
    assert set(np.unique(view.values)) == {0, 1}
    # Bernoulli trials of mixed probability vary no more than those of their mean, 0.04.
    assert np.abs(view.values.mean(0) - 0.04).max() < 4.5 * np.sqrt(0.04 * 0.96 / N)


def test_log_odds_of_licks_are_linear_in_the_state(generator):
    state = np.tile([1.0, -1.0], (N, 1))
    view = binary_events_view(
        state, n_channels=5, rate=10.0, bin_width=0.02, weight_sd=0.5, generator=generator
    )
    chance = logistic(view.tuning.weights @ state[0] + view.tuning.offsets)
    error = np.sqrt(chance * (1 - chance) / N)
    assert np.abs((view.values.mean(0) - chance) / error).max() < 4.5


def test_more_than_one_lick_a_bin_is_refused(generator):
    with pytest.raises(ConfigError, match=r"choose a mean between .* and 1"):
        binary_events_view(
            np.zeros((5, 2)), n_channels=1, rate=100.0, bin_width=0.02, generator=generator
        )


# All of them

VIEWS = {
    "ordinal": lambda z, g: ordinal_view(z, n_items=3, n_levels=4, generator=g),
    "angle": lambda z, g: angle_view(z, n_angles=2, concentration=3.0, generator=g),
    "licks": lambda z, g: binary_events_view(
        z, n_channels=2, rate=5.0, bin_width=0.02, generator=g
    ),
}


@pytest.mark.parametrize("name", VIEWS)
def test_the_same_generator_gives_the_same_labels_and_another_gives_others(name):
    state = np.random.default_rng(0).normal(size=(300, 2))
    first, again, other = (VIEWS[name](state, np.random.default_rng(k)).values for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", VIEWS)
def test_a_longer_simulation_begins_with_the_shorter_one(name):
    state = np.random.default_rng(0).normal(size=(400, 2))
    long, short = (VIEWS[name](state[:n], np.random.default_rng(1)) for n in (400, 150))
    # Matrix products of other lengths may be rounded otherwise.
    np.testing.assert_allclose(short.values, long.values[:150], rtol=1e-9, atol=1e-9)
