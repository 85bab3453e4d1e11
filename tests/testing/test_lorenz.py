"""The Lorenz-63 simulator against what theory and the literature know of the system."""

import time

import numpy as np
import pytest

from neurodsr.testing.lorenz import (
    BETA,
    EXPONENT,
    MEAN,
    RHO,
    SD,
    SIGMA,
    advance,
    flow,
    lorenz63,
    standardize,
)

WING = np.sqrt(BETA * (RHO - 1))


@pytest.fixture(scope="module")
def orbit():
    return lorenz63(100_000, dt=0.02, generator=np.random.default_rng(0))


@pytest.mark.parametrize("point", [(0.0, 0.0, 0.0), (WING, WING, RHO - 1), (-WING, -WING, RHO - 1)])
def test_the_flow_vanishes_at_the_three_fixed_points(point):
    # Terms of size 100 cancel: 1e-13 is a few hundred float64 roundings.
    assert flow(*point) == pytest.approx((0.0, 0.0, 0.0), abs=1e-13)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_volume_contracts_at_the_same_rate_in_every_direction_and_everywhere(axis):
    # The flow is at most linear in its own coordinate, so a central difference is exact.
    x = np.random.default_rng(1).normal(0, 10, (3, 50))
    ahead, behind = x.copy(), x.copy()
    ahead[axis] += 0.5
    behind[axis] -= 0.5
    slope = flow(*ahead)[axis] - flow(*behind)[axis]
    assert slope == pytest.approx((-SIGMA, -1.0, -BETA)[axis])


def test_the_flow_is_symmetric_under_rotation_about_z():
    x, y, z = np.random.default_rng(2).normal(0, 10, (3, 20))
    u, v, w = flow(-x, -y, z)
    a, b, c = flow(x, y, z)
    np.testing.assert_allclose([u, v, w], [-a, -b, c])


def test_the_integrator_is_of_fourth_order():
    def after_one_unit(n):
        state = (1.0, 2.0, 20.0)
        for _ in range(n):
            state = advance(state, 0.5 / n)
        return np.array(state)

    exact = after_one_unit(4000)
    ratio = np.linalg.norm(after_one_unit(100) - exact) / np.linalg.norm(
        after_one_unit(200) - exact
    )
    # 2^4 = 16 up to terms of the next order in h = 0.005.
    assert ratio == pytest.approx(16, rel=0.15)


def test_mean_of_a_long_orbit_is_the_documented_one(orbit):
    assert np.abs(_z_score(orbit, MEAN)).max() < 4.5


def test_sd_of_a_long_orbit_is_the_documented_one(orbit):
    variance = np.array(SD) ** 2
    assert np.abs(_z_score((orbit - np.array(MEAN)) ** 2, variance)).max() < 4.5


def test_a_standardized_orbit_has_mean_0_and_sd_1(orbit):
    z = standardize(orbit)
    # About 2000 lobe visits: s.e. of the mean near 0.02.
    np.testing.assert_allclose(z.mean(0), 0, atol=0.1)
    np.testing.assert_allclose(z.std(0), 1, atol=0.03)


def test_nearby_orbits_part_at_0p906_per_time_unit():
    # 100 independent pairs; 20 time units bring them to the attractor, 40 are averaged.
    generator = np.random.default_rng(3)
    near = generator.normal(MEAN, SD, (100, 3)).T
    gap = generator.normal(size=near.shape)
    growth = []
    for _ in range(60):
        gap *= 1e-7 / np.linalg.norm(gap, axis=0)
        here, there = tuple(near), tuple(near + gap)
        for _ in range(100):
            here, there = advance(here, 0.01), advance(there, 0.01)
        near, gap = np.array(here), np.array(there) - np.array(here)
        growth.append(np.log(np.linalg.norm(gap, axis=0) / 1e-7))
    exponents = np.mean(growth[20:], axis=0)
    error = exponents.std() / np.sqrt(len(exponents))
    assert error < 0.02
    assert np.mean(exponents) == pytest.approx(EXPONENT, abs=4.5 * error)


def test_the_same_generator_gives_the_same_orbit():
    first, second = (lorenz63(50, dt=0.02, generator=np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_finer_steps_give_the_same_orbit_for_a_while():
    coarse, fine = (
        lorenz63(50, dt=0.01, n_transient=0, substeps=n, generator=np.random.default_rng(8))
        for n in (2, 8)
    )
    # Local error h^5 of 100 steps, grown by exp(0.906 * 0.5).
    np.testing.assert_allclose(coarse, fine, atol=1e-4)


def test_100_000_bins_take_less_than_4_seconds_of_computing():
    began = time.process_time()
    lorenz63(100_000, dt=0.02, generator=np.random.default_rng(0))
    assert time.process_time() - began < 4


def _z_score(samples, expected):
    """Deviation of the mean in standard errors, from the spread of 50 blocks of 40 time units."""
    blocks = samples.reshape(50, -1, samples.shape[1]).mean(axis=1)
    return (blocks.mean(0) - np.array(expected)) / (blocks.std(0, ddof=1) / np.sqrt(len(blocks)))
