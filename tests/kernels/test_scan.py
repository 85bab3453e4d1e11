"""The fast scans against the plain loop in float64: values, every gradient, every form."""

from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from neurodsr.errors import ConfigError
from neurodsr.kernels.pwl import PiecewiseLinearMap, step
from neurodsr.kernels.scan import scan

FAST = ["adjoint", "native"]
ALL = ["reference", *FAST]

ALPHAS = {
    "one number": lambda t, n, b, m: 0.3,
    "each bin": lambda t, n, b, m: torch.rand(t, 1, generator=_g(1), dtype=torch.float64),
    "each latent": lambda t, n, b, m: torch.rand(n, generator=_g(2), dtype=torch.float64),
    "bins and latents": lambda t, n, b, m: torch.rand(t, n, generator=_g(3), dtype=torch.float64),
    "sparse": lambda t, n, b, m: (torch.rand(t, 1, generator=_g(4)) < 0.4).double(),
    "each member": lambda t, n, b, m: torch.rand(*m, 1, 1, 1, generator=_g(5)).double(),
    "everything": lambda t, n, b, m: torch.rand(*m, b, t, n, generator=_g(6)).double(),
}


class Setting(NamedTuple):
    pwl: PiecewiseLinearMap
    z0: Tensor
    n_steps: int | None
    target: Tensor | None
    alpha: float | Tensor | None
    drive: Tensor | None

    def leaves(self):
        named = {"z0": self.z0, "target": self.target, "drive": self.drive}
        return {k: v for k, v in (self.pwl._asdict() | named).items() if v is not None}


def _g(seed):
    return torch.Generator().manual_seed(seed)


def setting(seed=0, *, members=(), batch=2, time=5, latent=3, hidden=4, alpha=None, drive=False):
    g = _g(seed)

    def draw(*shape, scale=1.0):
        x = scale * torch.randn(*members, *shape, generator=g, dtype=torch.float64)
        return x.requires_grad_()

    pwl = PiecewiseLinearMap(
        A=draw(latent, scale=0.5),
        W1=draw(latent, hidden, scale=0.5),
        W2=draw(hidden, latent, scale=0.5),
        h1=draw(latent, scale=0.5),
        h2=draw(hidden),
    )
    forced = alpha is not None
    return Setting(
        pwl,
        draw(batch, latent),
        None if forced or drive else time,
        draw(batch, time, latent) if forced else None,
        ALPHAS[alpha](time, latent, batch, members) if forced else None,
        draw(batch, time, latent) if drive else None,
    )


def run(s, backend="auto"):
    return scan(
        s.pwl,
        s.z0,
        n_steps=s.n_steps,
        target=s.target,
        alpha=s.alpha,
        drive=s.drive,
        backend=backend,
    )


def gradients(s, backend, seed=9):
    """Gradients of a random weighting of all states, so that no error cancels."""
    states, leaves = run(s, backend), s.leaves()
    weights = torch.randn(states.shape, generator=_g(seed), dtype=torch.float64)
    found = torch.autograd.grad((states * weights.to(states.dtype)).sum(), list(leaves.values()))
    return dict(zip(leaves, found, strict=True))


def assert_parity(s, backend):
    # Both add the same few products in float64, in another order.
    close = {"rtol": 1e-10, "atol": 1e-10}
    torch.testing.assert_close(run(s, backend), run(s, "reference"), **close)
    expected = gradients(s, "reference")
    for name, gradient in gradients(s, backend).items():
        torch.testing.assert_close(gradient, expected[name], **close, msg=lambda m, n=name: n + m)


@pytest.mark.parametrize("backend", FAST)
@given(
    seed=st.integers(0, 2**31),
    members=st.sampled_from([(), (1,), (3,)]),
    batch=st.integers(1, 3),
    time=st.integers(1, 7),
    latent=st.integers(1, 4),
    hidden=st.integers(1, 6),
    alpha=st.sampled_from([None, *ALPHAS]),
    drive=st.booleans(),
)
def test_all_paths_agree_in_values_and_gradients(backend, seed, members, **sizes):
    assert_parity(setting(seed, members=members, **sizes), backend)


@pytest.mark.parametrize("alpha", [None, *ALPHAS])
@pytest.mark.parametrize("members", [(), (2,)])
@pytest.mark.parametrize("backend", FAST)
def test_all_paths_agree_for_every_form_of_alpha(backend, alpha, members):
    assert_parity(setting(members=members, alpha=alpha, drive=True), backend)


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("wanted", ["A", "W1", "W2", "h1", "h2", "z0", "target", "drive"])
def test_a_path_is_right_when_only_one_gradient_is_wanted(wanted, backend):
    s = setting(alpha="everything", drive=True)
    expected = gradients(s, "reference")[wanted]
    for name, leaf in s.leaves().items():
        leaf.requires_grad_(name == wanted)
    states = run(s, backend)
    weights = torch.randn(states.shape, generator=_g(9), dtype=torch.float64)
    (found,) = torch.autograd.grad((states * weights).sum(), [s.leaves()[wanted]])
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("alpha", [None, "one number", "each bin"])
def test_finite_differences_confirm_the_adjoint(alpha):
    s = setting(3, time=3, latent=2, hidden=3, alpha=alpha, drive=True)

    def adjoint(A, W1, W2, h1, h2, z0, drive, target=None):
        pwl = PiecewiseLinearMap(A, W1, W2, h1, h2)
        return scan(pwl, z0, target=target, alpha=s.alpha, drive=drive, backend="adjoint")

    leaves = [*s.pwl[:5], s.z0, s.drive] + ([] if s.target is None else [s.target])
    assert torch.autograd.gradcheck(adjoint, leaves)


def test_non_contiguous_tensors_give_the_same():
    s = setting(alpha="bins and latents", drive=True)
    twisted = {n: p.mT.contiguous().mT if p.ndim > 1 else p for n, p in s.leaves().items()}
    pwl = PiecewiseLinearMap(*(twisted[n] for n in ("A", "W1", "W2", "h1", "h2")))
    other = Setting(pwl, twisted["z0"], None, twisted["target"], s.alpha, twisted["drive"])
    torch.testing.assert_close(run(other, "adjoint"), run(s, "reference"), rtol=1e-12, atol=1e-12)


def test_in_float32_values_and_gradients_keep_four_digits():
    exact = setting(1, members=(2,), batch=4, time=50, latent=3, hidden=8, alpha="one number")
    single = Setting(
        PiecewiseLinearMap(*(p.detach().float().requires_grad_() for p in exact.pwl[:5])),
        exact.z0.detach().float().requires_grad_(),
        None,
        exact.target.detach().float().requires_grad_(),
        exact.alpha,
        None,
    )
    expected = gradients(exact, "reference")
    # 6e-8 a product, some 400 of them in a chain of 50 contracting steps, and 200 terms a sum:
    # about 1e-5 of the largest entry; four digits leave room for cancellation.
    for name, gradient in gradients(single, "adjoint").items():
        error = (gradient.double() - expected[name]).abs().max() / expected[name].abs().max()
        assert error < 1e-4, name


@pytest.mark.parametrize("backend", ALL)
def test_a_free_run_is_the_map_applied_again_and_again(backend):
    s = setting(2, time=4)
    states = run(s, backend)
    z = s.z0
    for t in range(4):
        z = step(s.pwl, z)
        torch.testing.assert_close(states[:, t], z, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("backend", ALL)
def test_full_forcing_predicts_each_state_from_the_teacher_before_it(backend):
    s = setting(4, alpha="one number")
    states = scan(s.pwl, s.z0, target=s.target, alpha=1.0, backend=backend)
    for t in range(5):
        expected = step(s.pwl, s.target[:, t])
        torch.testing.assert_close(states[:, t], expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("backend", ALL)
def test_no_forcing_is_the_free_run_whatever_the_target(backend):
    s = setting(5, alpha="one number")
    forced = scan(s.pwl, s.z0, target=s.target, alpha=0.0, backend=backend)
    free = scan(s.pwl, s.z0, n_steps=5, backend=backend)
    torch.testing.assert_close(forced, free, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("backend", ALL)
def test_a_clamped_latent_is_replaced_by_its_target_before_every_step(backend):
    s = setting(6, alpha="one number")
    clamp = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    states = scan(s.pwl, s.z0, target=s.target, alpha=clamp, backend=backend)
    z = s.z0
    for t in range(5):
        z = step(s.pwl, torch.cat([s.target[:, t, :1], z[:, 1:]], dim=1))
        torch.testing.assert_close(states[:, t], z, rtol=1e-13, atol=1e-13)


def test_a_drive_adds_to_the_state_after_each_step():
    s = setting(7, time=1, drive=True)
    torch.testing.assert_close(run(s)[:, 0], step(s.pwl, s.z0) + s.drive[:, 0])


def test_one_step_is_a_run_of_length_one():
    s = setting(8, time=1)
    assert run(s).shape == (2, 1, 3)
    for backend in FAST:
        assert_parity(s, backend)


def test_alpha_gets_a_gradient_when_it_asks_for_one():
    s = setting(alpha="each bin")
    alpha = s.alpha.clone().requires_grad_()
    states = scan(s.pwl, s.z0, target=s.target, alpha=alpha)
    (found,) = torch.autograd.grad(states.sum(), [alpha])
    assert (found != 0).all()


def test_nothing_is_kept_for_a_gradient_that_nobody_wants():
    s = setting(0)
    with torch.no_grad():
        assert not any(run(s, backend).requires_grad for backend in FAST)
    assert all(run(s, backend).requires_grad for backend in FAST)


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        ({}, "at least one step"),
        ({"n_steps": 0}, "at least one step"),
        ({"n_steps": 5, "target": torch.zeros(2, 5, 3)}, "give both for a forced run"),
        ({"n_steps": 5, "alpha": 0.5}, "give both for a forced run"),
        ({"target": torch.zeros(2, 5, 4), "alpha": 0.5}, r"batch, time and latent like z0"),
        ({"n_steps": 4, "target": torch.zeros(2, 5, 3), "alpha": 0.5}, "like z0"),
        ({"drive": torch.zeros(2, 5, 3), "target": torch.zeros(2, 4, 3), "alpha": 0.5}, "like z0"),
        ({"target": torch.zeros(2, 5, 3), "alpha": torch.ones(4, 1)}, r"broadcasts against target"),
    ],
)
def test_what_does_not_fit_together_is_refused(arguments, fix):
    pwl = setting(0).pwl.to(torch.float32)
    with pytest.raises(ConfigError, match=fix):
        scan(pwl, torch.zeros(2, 3), **arguments)


def test_states_of_another_dimension_are_refused():
    with pytest.raises(ConfigError, match=r"4 latents, the map has 3[\s\S]*start from states of"):
        scan(setting(0).pwl, torch.zeros(2, 4, dtype=torch.float64), n_steps=1)


@pytest.mark.usefixtures("unchecked_shapes")
def test_both_shapes_are_printed_when_they_differ():
    with pytest.raises(ConfigError, match=r"target has shape \(2, 5, 4\), expected \(2, 5, 3\)"):
        scan(
            setting(0).pwl,
            torch.zeros(2, 3, dtype=torch.float64),
            target=torch.zeros(2, 5, 4, dtype=torch.float64),
            alpha=0.5,
        )
