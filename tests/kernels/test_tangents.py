"""Products of Jacobians along orbits, compiled and in plain torch, against autograd."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.errors import ConfigError
from neurodsr.kernels import tangents as module
from neurodsr.kernels.pwl import PiecewiseLinearMap, jacobian, step
from neurodsr.kernels.tangents import cotangents, tangents

# Products of some tens of Jacobians in another order of summation, all in float64.
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def random_map(seed=0, *, members=(), latent=3, hidden=10, clipped=False):
    g = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*members, *shape, generator=g, dtype=torch.float64)

    W1, W2, h2 = draw(latent, hidden) / max(hidden, 1) ** 0.5, draw(hidden, latent), draw(hidden)
    if clipped:
        W1, W2 = torch.cat([W1, -W1], dim=-1), torch.cat([W2, W2], dim=-2)
        h2 = torch.cat([h2, torch.zeros_like(h2)], dim=-1)
    return PiecewiseLinearMap(0.5 * draw(latent), W1, W2, draw(latent), h2)


def draw_states(pwl, *shape, seed=1):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*pwl.A.shape[:-1], *shape, pwl.latent_dim, generator=g, dtype=torch.float64)


@pytest.fixture(params=["compiled", "torch"])
def way(request, monkeypatch):
    """Both ways to compute the same."""
    if request.param == "torch":
        monkeypatch.setattr(module, "load_library", lambda: None)
    elif module.load_library() is None:
        pytest.skip("no compiled kernels in this installation")


def explicit_product(pwl, z, n_steps):
    """J_T ... J_1 as matrices [*member, start, latent, latent]."""
    product = torch.eye(pwl.latent_dim, dtype=torch.float64)
    for _ in range(n_steps):
        product, z = jacobian(pwl, z) @ product, step(pwl, z)
    return product


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("latent", [1, 3, 8, 9])
@pytest.mark.parametrize("members", [(), (2,)])
@pytest.mark.parametrize("n_steps", [1, 2, 12])
def test_products_are_those_of_the_exact_jacobians(clipped, latent, members, n_steps):
    pwl = random_map(3, members=members, latent=latent, hidden=20, clipped=clipped)
    z0, v = draw_states(pwl, 4), draw_states(pwl, 4, 5)
    product = explicit_product(pwl, z0, n_steps)
    torch.testing.assert_close(tangents(pwl, z0, v, n_steps), v @ product.mT, **CLOSE)
    torch.testing.assert_close(cotangents(pwl, z0, v, n_steps), v @ product, **CLOSE)


@pytest.mark.usefixtures("way")
def test_a_cotangent_is_the_gradient_of_a_readout_of_the_final_state():
    pwl = random_map(5, latent=4, hidden=30)
    z0, v = draw_states(pwl, 3).requires_grad_(), draw_states(pwl, 3, 1)
    z = z0
    for _ in range(9):
        z = step(pwl, z)
    (expected,) = torch.autograd.grad((v.squeeze(1) * z).sum(), [z0])
    found = cotangents(pwl, z0.detach(), v, 9).squeeze(1)
    torch.testing.assert_close(found, expected, **CLOSE)


@pytest.mark.usefixtures("way")
def test_a_small_perturbation_becomes_its_tangent():
    pwl = random_map(6, latent=4, hidden=30)
    z0, v = draw_states(pwl, 3), draw_states(pwl, 3, 1)
    # So small that no ReLU switches: then the difference is exact up to 1e-16 / 1e-8.
    z, other = z0, z0 + 1e-8 * v.squeeze(1)
    for _ in range(6):
        z, other = step(pwl, z), step(pwl, other)
    difference = ((other - z) / 1e-8).unsqueeze(1)
    torch.testing.assert_close(tangents(pwl, z0, v, 6), difference, rtol=1e-5, atol=1e-5)


@given(
    seed=st.integers(0, 2**31),
    latent=st.integers(1, 6),
    hidden=st.integers(0, 20),
    clipped=st.booleans(),
    n_steps=st.integers(1, 20),
)
def test_carrying_on_and_carrying_back_are_adjoint(seed, latent, hidden, clipped, n_steps):
    pwl = random_map(seed, latent=latent, hidden=hidden, clipped=clipped)
    z0, v, w = draw_states(pwl, 2), draw_states(pwl, 2, 1), draw_states(pwl, 2, 1, seed=2)
    on, back = tangents(pwl, z0, v, n_steps), cotangents(pwl, z0, w, n_steps)
    size = (w.abs() * on.abs()).sum(-1) + (back.abs() * v.abs()).sum(-1)
    assert (((w * on).sum(-1) - (back * v).sum(-1)).abs() <= 1e-12 * size + 1e-300).all()


@pytest.mark.usefixtures("way")
def test_units_that_turn_off_leave_nothing_behind():
    """While x > 0 units carry y on; from then on nothing does, exactly."""
    # Irregular weights, whose sum and difference in floating point leave a remainder.
    angles = torch.arange(1.0, 9.0, dtype=torch.float64)
    zero, one = torch.zeros(8, dtype=torch.float64), torch.ones(8, dtype=torch.float64)
    pwl = PiecewiseLinearMap(
        A=torch.tensor([1.0, 0.0]).double(),
        W1=torch.stack([zero, 0.3 * angles.cos()]),
        W2=torch.stack([100 * one, angles.sin()], dim=1),
        h1=torch.tensor([-1.0, 0.0]).double(),
        h2=zero,
    )
    z0, v = torch.tensor([[2.5, 0.0]]).double(), torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]).double()
    assert tangents(pwl, z0, v, 6).tolist() == [[[0.0, 0.0], [1.0, 0.0]]]
    assert cotangents(pwl, z0, v[:, :1], 6).tolist() == [[[0.0, 0.0]]]


@pytest.mark.usefixtures("way")
def test_tangents_are_float64_and_may_grow_beyond_float32():
    pwl = PiecewiseLinearMap(*(p.float() for p in random_map(latent=1, hidden=0)[:5]))
    pwl = pwl._replace(A=torch.tensor([10.0]))
    found = tangents(pwl, torch.zeros(1, 1), torch.ones(1, 1, 1), 100)
    assert found.dtype == torch.float64
    assert found.item() == pytest.approx(1e100, rel=1e-12)
    assert math.isinf(tangents(pwl, torch.zeros(1, 1), torch.ones(1, 1, 1), 400).item())


@pytest.mark.usefixtures("way")
def test_what_is_given_stays_as_it_is_and_may_have_any_strides():
    pwl = random_map(7, members=(2,))
    z0, v = draw_states(pwl, 4), draw_states(pwl, 4, 3)
    before = v.clone()
    expected = tangents(pwl, z0, v, 5)
    twisted = v.mT.contiguous().mT
    assert torch.equal(tangents(pwl, z0.mT.contiguous().mT, twisted, 5), expected)
    assert torch.equal(v, before)


@pytest.mark.usefixtures("way")
def test_no_vectors_give_no_products():
    pwl = random_map()
    assert tangents(pwl, draw_states(pwl, 2), torch.zeros(2, 0, 3).double(), 4).shape == (2, 0, 3)


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("product", [tangents, cotangents])
@pytest.mark.parametrize(("shape", "n_steps"), [((2, 1, 3), 0), ((2, 3), 4), ((3, 1, 3), 4)])
def test_vectors_that_do_not_belong_to_the_starts_are_refused(product, shape, n_steps):
    pwl = random_map()
    with pytest.raises(ConfigError, match=r"n_steps is[\s\S]*an axis \[vector\] before latent"):
        product(pwl, draw_states(pwl, 2), torch.zeros(shape).double(), n_steps)


@pytest.mark.usefixtures("unchecked_shapes")
def test_a_map_that_does_not_hold_together_is_refused():
    pwl = random_map()
    broken = pwl._replace(h2=pwl.h2[:-1])
    with pytest.raises(ConfigError, match=r"h2 has shape \(9,\), expected \(10,\)"):
        tangents(broken, draw_states(pwl, 2), draw_states(pwl, 2, 1), 4)
