"""The adjoint in chunks of time: any cut gives the same, and no cut stores the hidden layer."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from neurodsr.kernels import adjoint
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.kernels.scan import scan

LATENT, HIDDEN, BATCH, TIME = 3, 5, 2, 7


class Sizes(TorchDispatchMode):
    """Remembers how many numbers the largest new tensor has."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self.largest = max(self.largest, out.numel())
        return out


def draw(seed, *, members=(), latent=LATENT, hidden=HIDDEN, batch=BATCH, time=TIME):
    """A map, z0, target and drive, each of which wants a gradient, and an alpha everywhere else."""
    g = torch.Generator().manual_seed(seed)

    def normal(*shape, sd=1.0):
        x = sd * torch.randn(*members, *shape, generator=g, dtype=torch.float64)
        return x.requires_grad_()

    pwl = PiecewiseLinearMap(
        A=normal(latent, sd=0.5),
        W1=normal(latent, hidden, sd=0.5 * hidden**-0.5),
        W2=normal(hidden, latent, sd=0.7 * latent**-0.5),
        h1=normal(latent, sd=0.1),
        h2=normal(hidden, sd=0.3),
    )
    target, drive = normal(batch, time, latent), normal(batch, time, latent, sd=0.1)
    alpha = torch.rand(*members, batch, time, latent, generator=g, dtype=torch.float64)
    return pwl, normal(batch, latent), target, alpha, drive


def gradients(problem, backend, *, weights):
    pwl, z0, target, alpha, drive = problem
    states = scan(pwl, z0, target=target, alpha=alpha, drive=drive, backend=backend)
    return torch.autograd.grad((states * weights).sum(), [*pwl[:5], z0, target, drive])


def bytes_of_a_step(members):
    """What a step adds to a chunk in float64: the hidden layer, its gradient, that of the state."""
    return 8 * members * BATCH * (LATENT + 2 * HIDDEN)


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 6, 7, 100])
@pytest.mark.parametrize("members", [(), (1,), (3,)])
def test_gradients_do_not_depend_on_the_length_of_a_chunk(monkeypatch, members, steps):
    fitting = steps * bytes_of_a_step(members[0] if members else 1)
    monkeypatch.setattr(adjoint, "CHUNK_BYTES", fitting)
    problem = draw(0, members=members)
    weights = torch.linspace(-1, 2, TIME, dtype=torch.float64).unsqueeze(-1)
    expected = gradients(problem, "reference", weights=weights)
    found = gradients(problem, "adjoint", weights=weights)
    # Sums of a few products in float64, in another order.
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("steps", [2, 100])
def test_a_free_run_is_cut_like_a_forced_one(monkeypatch, steps):
    monkeypatch.setattr(adjoint, "CHUNK_BYTES", steps * bytes_of_a_step(1))
    pwl, z0, *_ = draw(1)
    leaves = [*pwl[:5], z0]
    by_path = (
        # The gradient of a sum has no memory of its own for every number.
        torch.autograd.grad(scan(pwl, z0, n_steps=TIME, backend=backend).sum(), leaves)
        for backend in ("adjoint", "reference")
    )
    torch.testing.assert_close(*by_path, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("members", [(1,), (3,)])
def test_the_hidden_layer_of_all_steps_is_never_stored(members):
    hidden, batch, time = 64, 16, 400
    problem = draw(2, members=members, hidden=hidden, batch=batch, time=time)
    with Sizes() as sizes:
        gradients(problem, "adjoint", weights=1.0)
    of_states = members[0] * batch * (time + 1) * (1 + LATENT)
    of_chunk = adjoint.CHUNK_BYTES // 8
    assert sizes.largest <= max(of_states, of_chunk) < members[0] * batch * time * hidden / 3


@pytest.mark.parametrize("members", [(), (3,)])
def test_no_sample_has_no_influence(members):
    problem = draw(3, members=members, batch=0)
    for gradient in gradients(problem, "adjoint", weights=1.0):
        assert (gradient == 0).all()
