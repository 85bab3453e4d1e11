import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.kernels.pwl import step
from neurodsr.kernels.scan import scan
from neurodsr.models.clipped_shallow import ClippedShallow
from neurodsr.seeds import generator


def random_members(seed, *, n=2, latent=3, hidden=5, scale=1.0):
    g = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(n, *shape, generator=g, dtype=torch.float64)  # noqa: E731
    return ClippedShallow(
        a=draw(latent),
        W1=scale * draw(latent, hidden),
        W2=scale * draw(hidden, latent),
        h1=scale * draw(latent),
        h2=scale * draw(hidden),
    )


@torch.no_grad()
@given(st.integers(0, 2**31))
def test_the_canonical_form_equals_the_familys_own_formula(seed):
    m = random_members(seed)
    z = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(seed + 1)).double()
    u = z @ m.W2.mT
    clipped = torch.relu(u + m.h2[:, None]) - torch.relu(u)
    expected = m.a.tanh()[:, None] * z + clipped @ m.W1.mT + m.h1[:, None]
    # The same few products in float64, added in another order.
    torch.testing.assert_close(step(m.as_map(), z), expected, rtol=1e-11, atol=1e-11)


@torch.no_grad()
@given(seed=st.integers(0, 2**31), scale=st.sampled_from([0.1, 1.0, 30.0, 1000.0]))
def test_free_orbits_stay_bounded_whatever_the_weights(seed, scale):
    """|z| never exceeds the larger of its start and (|W1| |h2| + |h1|) / (1 - |A|)."""
    m = random_members(seed, scale=scale)
    z0 = 3 * torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(seed + 1)).double()
    push = (m.W1.abs() @ m.h2.abs()[..., None])[..., 0] + m.h1.abs()
    limit = torch.maximum(z0.abs(), (push / (1 - m.a.tanh().abs()))[:, None])
    orbits = scan(m.as_map(), z0, n_steps=200)
    # The clipped sum is a difference of numbers up to scale^3: float64 keeps 1e-7 of it.
    assert (orbits.abs() <= limit[:, :, None] * (1 + 1e-7)).all()


@given(st.integers(0, 2**31))
def test_gradients_reach_every_parameter_through_the_canonical_form(seed):
    m = random_members(seed)
    g = torch.Generator().manual_seed(seed + 1)
    weights = [torch.randn(p.shape, generator=g).double() for p in m.as_map()[:5]]
    loss = sum((p * w).sum() for p, w in zip(m.as_map()[:5], weights, strict=True))
    gradients = torch.autograd.grad(loss, list(m.parameters()))
    assert all((g != 0).all() for g in gradients)


def test_members_are_drawn_each_from_its_own_generator():
    draw = lambda *seeds: ClippedShallow.draw(  # noqa: E731
        3, 50, generators=[generator(s, "initial map") for s in seeds]
    ).as_map()
    both, second = draw(1, 2), draw(2)
    for stacked, alone in zip(both[:5], second[:5], strict=True):
        assert torch.equal(stacked[1], alone[0])
    assert not torch.equal(both.W1[0], both.W1[1])


def test_initial_members_forget_slowly_and_are_drawn_within_their_bounds():
    pwl = ClippedShallow.draw(4, 25, generators=[generator(0, "initial map")]).as_map()
    np.testing.assert_allclose(pwl.A.detach(), 0.9, rtol=1e-6)  # float32
    assert pwl.W1.abs().max() <= 1 / 5
    assert pwl.W2.abs().max() <= 1 / 2
    assert pwl.h2.abs().max() <= 1
    assert (pwl.h1 == 0).all()
