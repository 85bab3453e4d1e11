import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from neurodsr.kernels.pwl import PiecewiseLinearMap, jacobian, region_code, step


def random_map(seed, *, latent=3, hidden=5, members=(), inputs=None):
    g = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*members, *shape, generator=g, dtype=torch.float64)  # noqa: E731
    return PiecewiseLinearMap(
        A=draw(latent).tanh(),
        W1=draw(latent, hidden),
        W2=draw(hidden, latent),
        h1=draw(latent),
        h2=draw(hidden),
        C=None if inputs is None else draw(latent, inputs),
    )


def states(seed, *shape):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64)


def test_one_step_by_hand():
    pwl = PiecewiseLinearMap(
        A=torch.tensor([0.5, 0.0]),
        W1=torch.tensor([[2.0, 0.0], [0.0, 1.0]]),
        W2=torch.tensor([[1.0, 0.0], [0.0, -1.0]]),
        h1=torch.tensor([0.0, 10.0]),
        h2=torch.tensor([-1.0, 0.0]),
    )
    # The first ReLU sees 3 - 1 and is on, the second sees -4 and is off.
    assert step(pwl, torch.tensor([[3.0, 4.0]])).tolist() == [[0.5 * 3 + 2 * 2, 10.0]]
    assert region_code(pwl, torch.tensor([[3.0, 4.0]])).tolist() == [[True, False]]


def test_the_tent_map_is_such_a_map():
    tent = PiecewiseLinearMap(
        A=torch.zeros(1),
        W1=torch.tensor([[-2.0, -2.0]]),
        W2=torch.tensor([[1.0], [-1.0]]),
        h1=torch.ones(1),
        h2=torch.zeros(2),
    )
    z = torch.linspace(-1, 1, 9).unsqueeze(1)
    assert torch.equal(step(tent, z), 1 - 2 * z.abs())
    assert jacobian(tent, torch.tensor([[0.3], [-0.3]])).flatten().tolist() == [-2.0, 2.0]


def test_inputs_enter_through_C_and_only_if_the_map_has_one():
    pwl, z, s = random_map(0, inputs=2), states(1, 4, 3), states(2, 4, 2)
    assert torch.allclose(step(pwl, z, s) - step(pwl, z), s @ pwl.C.T)
    assert torch.equal(step(pwl._replace(C=None), z, s), step(pwl, z))


@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 6))
def test_the_jacobian_equals_that_of_autograd_away_from_kinks(seed, latent, hidden):
    pwl, z = random_map(seed, latent=latent, hidden=hidden), states(seed + 1, latent)
    assume((pwl.W2 @ z + pwl.h2).abs().min() > 1e-9)
    expected = torch.autograd.functional.jacobian(lambda x: step(pwl, x[None])[0], z)
    # Two ways of adding up some six products in float64.
    torch.testing.assert_close(jacobian(pwl, z[None])[0], expected, rtol=1e-12, atol=1e-12)


@given(st.integers(0, 2**31))
def test_within_a_region_the_map_is_affine(seed):
    pwl, z = random_map(seed), states(seed + 1, 1, 3)
    other = z + 0.05 * states(seed + 2, 1, 3)
    assume(torch.equal(region_code(pwl, z), region_code(pwl, other)))
    moved = ((other - z).unsqueeze(-2) @ jacobian(pwl, z).mT).squeeze(-2)
    torch.testing.assert_close(step(pwl, other) - step(pwl, z), moved, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("function", [step, region_code, jacobian])
def test_a_stack_of_maps_acts_like_its_members(function):
    stack, z = random_map(5, members=(3,)), states(6, 3, 4, 3)
    together = function(stack, z)
    for i in range(3):
        alone = function(stack.member(i), z[i])
        torch.testing.assert_close(together[i].double(), alone.double(), rtol=1e-13, atol=1e-13)


def test_a_map_changes_its_dtype_and_keeps_what_it_does_not_have():
    pwl = random_map(0).to(torch.float32)
    assert {p.dtype for p in pwl if p is not None} == {torch.float32}
    assert pwl.C is None
    assert pwl.latent_dim == 3
