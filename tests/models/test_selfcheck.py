"""What counts as dead, and that the check tells the data's own dynamics from others."""

import numpy as np
import pytest
import torch

from neurodsr.measures.state_space import state_space_divergence
from neurodsr.modalities.observed import Observed
from neurodsr.models.free_run import free_run
from neurodsr.models.selfcheck import N_CELLS, dead_orbits, principal_axes, self_check
from neurodsr.testing.lorenz import lorenz63, standardize

ANGLE = 2 * np.pi * 0.0318  # an irrational-looking turn: some 31 bins a period, all phases visited


@pytest.fixture(scope="module")
def lorenz():
    """Two independent Lorenz-63 orbits of 8,000 bins, standardized."""
    return [
        torch.from_numpy(
            standardize(lorenz63(8000, dt=0.02, generator=np.random.default_rng(i)))
        ).float()
        for i in range(2)
    ]


def circle(n_bins, radius=1.0):
    phase = ANGLE * torch.arange(n_bins)
    return radius * torch.stack([phase.cos(), phase.sin(), 0 * phase], dim=1)


def test_a_long_orbit_of_the_same_system_is_alive(lorenz):
    assert dead_orbits(lorenz[1][None], lorenz[0]).tolist() == [False]


def test_a_short_orbit_is_judged_by_what_data_visit_in_the_same_time(lorenz):
    short = lorenz[1][:3000]
    assert dead_orbits(short[None], lorenz[0]).tolist() == [False]


@pytest.mark.parametrize(
    "orbit",
    [
        torch.zeros(8000, 3),
        torch.tensor([1.0, 0.5, 0.0]).expand(8000, 3),
        circle(8000, radius=0.1),
        circle(8000, radius=2.0),
        torch.full((8000, 3), torch.nan),
        torch.full((8000, 3), torch.inf),
    ],
    ids=["origin", "fixed point", "small cycle", "large cycle", "nan", "infinity"],
)
def test_fixed_points_cycles_and_divergence_are_dead(lorenz, orbit):
    assert dead_orbits(orbit[None].contiguous(), lorenz[0]).tolist() == [True]


def test_an_orbit_that_becomes_nan_at_its_very_end_is_dead(lorenz):
    orbit = lorenz[1].clone()
    orbit[-1, 0] = torch.nan
    assert dead_orbits(orbit[None], lorenz[0]).tolist() == [True]


def test_the_axes_are_those_of_largest_variance_and_at_most_three():
    g = torch.Generator().manual_seed(0)
    turn, _ = torch.linalg.qr(torch.randn(5, 5, generator=g))
    z = torch.randn(4000, 5, generator=g) * torch.tensor([9.0, 0.1, 4.0, 0.1, 2.0]) @ turn + 7
    axes = principal_axes(z)
    projected = axes.project(z)
    assert projected.shape == (4000, 3)
    # The standard error of an sd from 4,000 draws is 1.1 %.
    np.testing.assert_allclose(projected.std(0), [9, 4, 2], rtol=0.04)
    np.testing.assert_allclose(projected.mean(0), 0, atol=1e-4)


def test_one_latent_has_one_axis():
    z = torch.randn(100, 1, generator=torch.Generator().manual_seed(0))
    assert principal_axes(z).project(z).shape == (100, 1)


@pytest.fixture(scope="module")
def turning(direct_config, direct_model, linear_map, rotation):
    """A rotation seen with 5 % noise: its model, its map, its encoded data and a second stretch."""
    g = torch.Generator().manual_seed(0)
    clean = circle(6000)[:, :2]
    x = clean + 0.05 * torch.randn(clean.shape, generator=g)
    mask = torch.ones(x.shape, dtype=bool)
    model = direct_model(direct_config(2), noise=0.05)
    z = model.encode({"signal": Observed(x, mask)})
    return model, linear_map(rotation(ANGLE)), (z[:3000], z[3000:]), {"signal": mask[:3000]}


def check(turning, pwl, **sizes):
    model, _, (encoded, _), masks = turning
    sizes = {"n_starts": 6, "n_bins": 3000, "seed": 0, **sizes}
    return self_check(model, pwl, [encoded], masks, **sizes)


def test_the_systems_own_map_is_alive_and_near_the_floor(turning):
    found = check(turning, turning[1])
    first, second = (z.numpy() for z in turning[2])
    floor = state_space_divergence(first, second, n_bins=N_CELLS)
    assert not found.dead.any()
    # Starts carry the observation's noise, so radii spread a little more than those of the data.
    assert found.divergence < floor + 0.3
    assert found.spectrum < 0.1
    # A rotation neither contracts nor expands; float32 rounding over 3,000 steps.
    assert found.exponents.abs().max() < 1e-3


def test_a_contracting_map_is_dead_and_far_off(turning, linear_map, rotation):
    found = check(turning, linear_map(0.9 * rotation(ANGLE)))
    assert found.dead.all()
    assert found.divergence > 3 * check(turning, turning[1]).divergence
    np.testing.assert_allclose(found.exponents, np.log(0.9), atol=1e-3)


def test_a_rotation_of_another_speed_is_told_by_its_spectrum(turning, linear_map, rotation):
    found = check(turning, linear_map(rotation(1.5 * ANGLE)))
    assert not found.dead.any()
    assert found.spectrum > 0.5


def test_a_diverging_map_is_dead_and_gives_finite_numbers(turning, linear_map, rotation):
    found = check(turning, linear_map(1.5 * rotation(ANGLE)))
    assert found.dead.all()
    assert np.isfinite([found.divergence, found.spectrum]).all()


def test_the_check_is_a_pure_function_of_its_seed(turning):
    a, b = check(turning, turning[1]), check(turning, turning[1])
    assert torch.equal(a.orbits, b.orbits)
    assert (a.divergence, a.spectrum) == (b.divergence, b.spectrum)


def test_orbits_start_from_encoded_states(turning, linear_map):
    found = check(turning, linear_map(np.eye(2)), n_bins=10, n_starts=5)
    encoded = turning[2][0]
    assert all((encoded == start).all(1).any() for start in found.orbits[:, 0])
    assert torch.equal(free_run(linear_map(np.eye(2)), found.orbits[:, 0], 10), found.orbits)
