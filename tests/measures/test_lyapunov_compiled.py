"""Exponents in compiled code against the loop in torch, and where the two could part ways."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.errors import ConfigError
from neurodsr.kernels.library import load_library
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.measures.lyapunov import largest_exponent, lyapunov_history, lyapunov_spectrum

pytestmark = pytest.mark.skipif(load_library() is None, reason="nothing compiled here")


def random_map(seed, latent, hidden, *, clipped=False, members=(), rate=0.3):
    """Slow and contracting, so that rounding stays small: states approach a moving target."""
    g = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*members, *shape, generator=g, dtype=torch.float64)

    W1, W2, h2 = draw(latent, hidden) / max(hidden, 1) ** 0.5, draw(hidden, latent), draw(hidden)
    if clipped:
        W1, W2 = torch.cat([W1, -W1], dim=-1), torch.cat([W2, W2], dim=-2)
        h2 = torch.cat([h2, torch.zeros_like(h2)], dim=-1)
    A = 1 - rate * (0.5 + torch.rand(*members, latent, generator=g, dtype=torch.float64))
    return PiecewiseLinearMap(A, 0.5 * rate * W1, W2, rate * draw(latent), h2)


def draw_starts(pwl, n, seed=1):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*pwl.A.shape[:-1], n, pwl.latent_dim, generator=g, dtype=torch.float64)


def both(measure, pwl, z0, **lengths):
    return (measure(pwl, z0, backend=way, **lengths) for way in ("auto", "reference"))


@given(
    seed=st.integers(0, 2**31),
    latent=st.integers(1, 9),
    hidden=st.integers(0, 30),
    clipped=st.booleans(),
    members=st.sampled_from([(), (2,)]),
    n_starts=st.sampled_from([1, 3, 8, 13]),
    n_transient=st.sampled_from([0, 7]),
    every=st.integers(1, 5),
)
def test_both_ways_give_the_same_running_estimates(
    seed, latent, hidden, clipped, members, n_starts, n_transient, every
):
    pwl = random_map(seed, latent, hidden, clipped=clipped, members=members)
    z0 = draw_starts(pwl, n_starts)
    lengths = {"n_steps": 12 * every, "n_transient": n_transient, "every": every}
    found, expected = both(lyapunov_history, pwl, z0, **lengths)
    # Rounding, times the spread of growth within an interval: e^(5 * 1.5) * 1e-16, with a margin
    # for tangents that are nearly parallel.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    for measure in (lyapunov_spectrum, largest_exponent):
        found, expected = both(measure, pwl, z0, **lengths)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("latent", [2, 3, 5, 8])
def test_starts_side_by_side_have_the_exponents_that_they_have_alone(latent):
    pwl = random_map(3, latent, 40)
    z0 = draw_starts(pwl, 19)
    together = lyapunov_spectrum(pwl, z0, n_steps=60, n_transient=10)
    alone = torch.stack([lyapunov_spectrum(pwl, z, n_steps=60, n_transient=10) for z in z0])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-9)


def turned_off():
    """x falls by 1 a step; while it is above 0 units carry y on, below they flatten it exactly."""
    # Irregular weights, whose sum and difference in floating point leave a remainder.
    angles = torch.arange(1.0, 9.0, dtype=torch.float64)
    zero, one = torch.zeros(8, dtype=torch.float64), torch.ones(8, dtype=torch.float64)
    return PiecewiseLinearMap(
        A=torch.tensor([1.0, 0.0]).double(),
        W1=torch.stack([zero, 0.3 * angles.cos()]),
        W2=torch.stack([100 * one, angles.sin()], dim=1),
        h1=torch.tensor([-1.0, 0.0]).double(),
        h2=zero,
    )


@pytest.mark.parametrize("backend", ["auto", "reference"])
@pytest.mark.parametrize("n_starts", [1, 16])
@pytest.mark.parametrize(("x", "first"), [(-1.0, 0), (100.5, 20)])
def test_a_direction_that_units_leave_flat_has_exponent_minus_infinity(backend, n_starts, x, first):
    # A sum that is only ever updated would keep 1e-17 of the units that turned off in step 101.
    z0 = torch.tensor([[x, 0.3]]).double().expand(n_starts, 2)
    history = lyapunov_history(turned_off(), z0, n_steps=200, n_transient=0, backend=backend)
    assert history[:first].isfinite().all()
    assert (history[first:, :, 1] == -math.inf).all()
    assert (history[-1, :, 0].abs() < 0.1).all()


@pytest.mark.parametrize("backend", ["auto", "reference"])
@pytest.mark.parametrize("n_starts", [1, 16])
def test_what_is_flattened_in_the_transient_grows_again_from_another_direction(backend, n_starts):
    one = torch.ones(1, dtype=torch.float64)
    # x' = x - 1; y' = 0 while x > 0, then [relu(-100 x + y) - relu(-100 x - y)] / 4 = y / 2.
    W2 = torch.tensor([[-100.0, 1.0], [-100.0, -1.0]]).double()
    pwl = PiecewiseLinearMap(
        A=torch.tensor([1.0, 0.0]).double(),
        W1=torch.tensor([[0.0, 0.0], [0.25, -0.25]]).double(),
        W2=W2,
        h1=torch.cat([-one, 0 * one]),
        h2=torch.zeros(2, dtype=torch.float64),
    )
    z0 = torch.tensor([[20.5, 0.3]]).double().expand(n_starts, 2)
    exponents = lyapunov_spectrum(pwl, z0, n_steps=100, n_transient=50, backend=backend)
    for found in exponents.tolist():
        assert found == pytest.approx([0.0, math.log(0.5)], abs=1e-12)


@pytest.mark.parametrize("n_starts", [1, 16])
@pytest.mark.parametrize("factor", [1e-200, 1e-14, 1e14, 1e200])
def test_growth_of_any_size_in_one_step_is_measured(factor, n_starts):
    A = torch.tensor([1.0, factor, 1.0], dtype=torch.float64)
    zero = torch.zeros(3, 1, dtype=torch.float64)
    pwl = PiecewiseLinearMap(A, zero, zero.mT, 0 * A, torch.ones(1, dtype=torch.float64))
    z0 = torch.zeros(n_starts, 3, dtype=torch.float64)
    exponents = lyapunov_spectrum(pwl, z0, n_steps=20, n_transient=3, every=1)
    expected = sorted([0.0, 0.0, math.log(factor)], reverse=True)
    for found in exponents.tolist():
        assert found == pytest.approx(expected, rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("measure", [lyapunov_spectrum, lyapunov_history, largest_exponent])
def test_one_start_that_diverges_among_many_is_alone_in_being_not_a_number(measure):
    # x' = 3 x up to float64's end, y' = y / 2.
    A = torch.tensor([3.0, 0.5]).double()
    zero = torch.zeros(2, 1, dtype=torch.float64)
    pwl = PiecewiseLinearMap(A, zero, zero.mT, 0 * A, torch.ones(1, dtype=torch.float64))
    z0 = torch.zeros(11, 2, dtype=torch.float64)
    z0[4, 0] = 1.0
    found, expected = both(measure, pwl, z0, n_steps=800, n_transient=0)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12, equal_nan=True)
    assert found.isnan().any()


@pytest.mark.parametrize("n_starts", [1, 16])
def test_a_map_with_nan_has_no_exponents(n_starts):
    pwl = random_map(0, 3, 10)
    broken = pwl._replace(W1=torch.full_like(pwl.W1, torch.nan))
    z0 = draw_starts(pwl, n_starts)
    assert lyapunov_spectrum(broken, z0, n_steps=10).isnan().all()


@pytest.mark.usefixtures("unchecked_shapes")
def test_a_map_whose_tensors_do_not_belong_together_is_refused():
    pwl = random_map(0, 3, 10)
    with pytest.raises(ConfigError, match=r"h2 has shape[\s\S]*h2 \[\*member, hidden\]"):
        lyapunov_spectrum(pwl._replace(h2=pwl.h2[:4]), draw_starts(pwl, 2), n_steps=10)


def test_no_starts_have_no_exponents():
    pwl = random_map(0, 3, 10)
    assert lyapunov_spectrum(pwl, torch.zeros(0, 3).double(), n_steps=10).shape == (0, 3)
