"""The almost-linear scan: known answers, its canonical form, and every path against the loop."""

from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from neurodsr.errors import ConfigError, ResourceError
from neurodsr.kernels import almost_linear, library
from neurodsr.kernels.almost_linear import scan_almost_linear, scan_reference
from neurodsr.kernels.almost_linear_map import AlmostLinearMap, step_almost_linear
from neurodsr.kernels.almost_linear_native import path_of
from neurodsr.kernels.library import FOLDER, find_library
from neurodsr.kernels.path import scan_along
from neurodsr.kernels.pwl import jacobian
from neurodsr.kernels.scan import scan

FAST = ["adjoint", "native"]
ALL = ["reference", *FAST]
BUILDS = library.BUILDS.get(torch.backends.cpu.get_cpu_capability(), ("portable",))
CLOSE = {"rtol": 1e-10, "atol": 1e-10}  # the same few products in float64, in another order

ALPHAS = {
    "one number": lambda t, n, b, m: 0.3,
    "each bin": lambda t, n, b, m: _uniform(1, t, 1),
    "each latent": lambda t, n, b, m: _uniform(2, n),
    "bins and latents": lambda t, n, b, m: _uniform(3, t, n),
    "sparse": lambda t, n, b, m: (_uniform(4, t, 1) < 0.4).double(),
    "each member": lambda t, n, b, m: _uniform(5, *m, 1, 1, 1),
    "everything": lambda t, n, b, m: _uniform(6, *m, b, t, n),
}


class Setting(NamedTuple):
    pwl: AlmostLinearMap
    z0: Tensor
    n_steps: int | None
    target: Tensor | None
    alpha: float | Tensor | None
    drive: Tensor | None

    def leaves(self):
        named = {"A": self.pwl.A, "W": self.pwl.W, "h": self.pwl.h, "z0": self.z0}
        named |= {"target": self.target, "drive": self.drive}
        return {name: x for name, x in named.items() if x is not None}

    def to(self, dtype):
        """The same in another precision; exact where it was drawn with few digits."""
        given = {name: x.detach().to(dtype).requires_grad_() for name, x in self.leaves().items()}
        pwl = self.pwl._replace(A=given["A"], W=given["W"], h=given["h"])
        others = (given.get(name) for name in ("target", "drive"))
        target, drive = others
        return Setting(pwl, given["z0"], self.n_steps, target, self.alpha, drive)


def _g(seed):
    return torch.Generator().manual_seed(seed)


def _uniform(seed, *shape):
    return torch.rand(*shape, generator=_g(seed), dtype=torch.float64)


def setting(
    seed=0, *, members=(), batch=2, time=5, latent=4, rectified=2, alpha=None, drive=False
) -> Setting:
    """A map and what it is run on; W shrinks with its size, so that orbits stay bounded."""
    g = _g(seed)

    def draw(*shape, scale=1.0):
        x = scale * torch.randn(*members, *shape, generator=g, dtype=torch.float64)
        return x.requires_grad_()

    pwl = AlmostLinearMap(
        A=draw(latent, scale=0.4),
        W=draw(latent, latent, scale=0.4 / latent**0.5),
        h=draw(latent, scale=0.5),
        n_linear=latent - rectified,
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
    return scan_almost_linear(
        s.pwl,
        s.z0,
        n_steps=s.n_steps,
        target=s.target,
        alpha=s.alpha,
        drive=s.drive,
        backend=backend,
    )


def gradients(states, leaves):
    """Gradients of a random weighting of all states, so that no error cancels."""
    weights = torch.randn(states.shape, generator=_g(9), dtype=torch.float64).to(states.dtype)
    found = torch.autograd.grad((states * weights).sum(), list(leaves.values()))
    return dict(zip(leaves, found, strict=True))


def assert_parity(s, backend):
    states, expected = run(s, backend), run(s, "reference")
    torch.testing.assert_close(states, expected, **CLOSE)
    right = gradients(expected, s.leaves())
    for name, gradient in gradients(states, s.leaves()).items():
        torch.testing.assert_close(gradient, right[name], **CLOSE, msg=lambda m, n=name: n + m)


# ---- known answers


@pytest.mark.parametrize("backend", ALL)
def test_without_rectified_latents_states_are_matrix_powers(backend):
    s = setting(1, rectified=0, time=6)
    one_step = torch.diag(s.pwl.A) + s.pwl.W
    shift = torch.linalg.solve(torch.eye(4, dtype=torch.float64) - one_step, s.pwl.h)
    states = run(s, backend)
    for t in range(6):
        power = torch.linalg.matrix_power(one_step, t + 1)
        torch.testing.assert_close(states[:, t], shift + (s.z0 - shift) @ power.mT, **CLOSE)


@pytest.mark.parametrize("backend", ALL)
def test_with_all_latents_rectified_it_is_a_plain_relu_network(backend):
    s = setting(2, rectified=4, time=4)
    states, z = run(s, backend), s.z0
    for t in range(4):
        z = s.pwl.A * z + torch.nn.functional.linear(torch.relu(z), s.pwl.W, s.pwl.h)
        torch.testing.assert_close(states[:, t], z, **CLOSE)


@pytest.mark.parametrize("backend", ALL)
def test_one_rectified_latent_is_worked_out_by_hand(backend):
    pwl = AlmostLinearMap(
        A=torch.tensor([0.5, 0.25]),
        W=torch.tensor([[0.0, 2.0], [1.0, 0.0]]),
        h=torch.tensor([1.0, -1.0]),
        n_linear=1,
    )
    z0 = torch.tensor([[-2.0, 4.0], [2.0, -4.0]])
    states = scan_almost_linear(pwl, z0, n_steps=1, backend=backend)
    # 0.5 (-2) + 2 relu(4) + 1 and 0.25 (4) - 2 - 1; then with relu(-4) = 0
    assert states[:, 0].tolist() == [[8.0, -2.0], [2.0, 0.0]]


@pytest.mark.parametrize("backend", ALL)
def test_full_forcing_predicts_each_state_from_the_teacher_before_it(backend):
    s = setting(3, alpha="one number")._replace(alpha=1.0)
    states = run(s, backend)
    for t in range(5):
        expected = step_almost_linear(s.pwl, s.target[:, t])
        torch.testing.assert_close(states[:, t], expected, **CLOSE)


# ---- the canonical form


def few_digits(x):
    """Rounded to eighths: sums and products of a few of them are exact in any order."""
    return (8 * x.detach()).round() / 8


@pytest.mark.parametrize("rectified", [0, 1, 3, 4])
@pytest.mark.parametrize("members", [(), (3,)])
def test_the_canonical_form_has_exactly_the_same_values(members, rectified):
    s = setting(4, members=members, rectified=rectified, alpha="one number", drive=True, time=3)
    *tensors, n_linear = s.pwl
    pwl = AlmostLinearMap(*map(few_digits, tensors), n_linear)
    z0, target, drive = map(few_digits, (s.z0, s.target, s.drive))
    given = {"target": target, "alpha": 0.25, "drive": drive, "backend": "reference"}
    same = scan(pwl.as_pwl(), z0, **given)
    assert torch.equal(scan_almost_linear(pwl, z0, **given), same)


def test_the_canonical_form_has_the_jacobian_of_the_map():
    s = setting(5, batch=1)
    expected = torch.autograd.functional.jacobian(
        lambda z: step_almost_linear(s.pwl, z[None])[0], s.z0[0]
    )
    torch.testing.assert_close(jacobian(s.pwl.as_pwl(), s.z0)[0], expected, **CLOSE)


def test_gradients_reach_the_map_through_its_canonical_form():
    s = setting(6, time=4)
    expected = gradients(run(s, "reference"), s.leaves())
    canonical = scan(s.pwl.as_pwl(), s.z0, n_steps=4, backend="adjoint")
    for name, gradient in gradients(canonical, s.leaves()).items():
        torch.testing.assert_close(gradient, expected[name], **CLOSE)


# ---- every path against the loop


@pytest.mark.parametrize("backend", FAST)
@given(
    seed=st.integers(0, 2**31),
    members=st.sampled_from([(), (1,), (3,)]),
    batch=st.integers(1, 10),
    time=st.integers(1, 7),
    sizes=st.integers(1, 6).flatmap(lambda m: st.tuples(st.just(m), st.integers(0, m))),
    alpha=st.sampled_from([None, *ALPHAS]),
    drive=st.booleans(),
)
def test_all_paths_agree_in_values_and_gradients(backend, seed, members, sizes, **others):
    latent, rectified = sizes
    s = setting(seed, members=members, latent=latent, rectified=rectified, **others)
    assert_parity(s, backend)


@pytest.mark.parametrize("alpha", [None, *ALPHAS])
@pytest.mark.parametrize("members", [(), (2,)])
@pytest.mark.parametrize("backend", FAST)
def test_all_paths_agree_for_every_form_of_alpha(backend, alpha, members):
    assert_parity(setting(members=members, batch=9, time=40, alpha=alpha, drive=True), backend)


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("wanted", ["A", "W", "h", "z0", "target", "drive"])
def test_a_path_is_right_when_only_one_gradient_is_wanted(wanted, backend):
    s = setting(alpha="everything", drive=True)
    expected = gradients(run(s, "reference"), s.leaves())[wanted]
    for name, leaf in s.leaves().items():
        leaf.requires_grad_(name == wanted)
    found = gradients(run(s, backend), {wanted: s.leaves()[wanted]})
    torch.testing.assert_close(found[wanted], expected, **CLOSE)


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("alpha", [None, "one number", "each bin"])
def test_finite_differences_confirm_the_gradients(alpha, backend):
    s = setting(7, time=3, latent=3, rectified=2, alpha=alpha, drive=True)

    def states(A, W, h, z0, drive, target=None):
        pwl = AlmostLinearMap(A, W, h, s.pwl.n_linear)
        return run(s._replace(pwl=pwl, z0=z0, drive=drive, target=target), backend)

    leaves = [*s.pwl[:3], s.z0, s.drive] + ([] if s.target is None else [s.target])
    assert torch.autograd.gradcheck(states, leaves)


SIZES = [
    {"batch": 1, "time": 70, "latent": 1, "rectified": 1},
    {"batch": 16, "time": 33, "latent": 30, "rectified": 10},
    {"batch": 17, "time": 40, "latent": 5, "rectified": 0, "members": (3,)},
    {"batch": 40, "time": 35, "latent": 9, "rectified": 9},
    {"batch": 5, "time": 31, "latent": 20, "rectified": 3, "members": (2,)},
    {"batch": 3, "time": 17, "latent": 64, "rectified": 30},
]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_build_agrees_with_the_reference(build, sizes, dtype):
    found, problems = find_library(FOLDER, (build,))
    assert found is not None, problems
    s = setting(8, **sizes, alpha="one number", drive=True)
    alpha, n_steps = torch.tensor(0.15, dtype=torch.float64), sizes["time"]
    exact = scan_reference(s.pwl, s.z0, n_steps, s.target, alpha, s.drive)
    given = s.to(dtype)
    states = scan_along(
        path_of(found), given.pwl, given.z0, n_steps, given.target, alpha.to(dtype), given.drive
    )
    # Sums of some thousand products in another order: relative to the largest entry.
    double = dtype == torch.float64
    assert largest_error(states, exact) < (1e-10 if double else 1e-5)
    expected = gradients(exact, s.leaves())
    for name, gradient in gradients(states, given.leaves()).items():
        # In float32 a latent within rounding of 0 may switch, which moves gradients little here.
        assert largest_error(gradient, expected[name]) < (1e-10 if double else 1e-4), name


def largest_error(found, exact):
    return (found.double() - exact).abs().max() / exact.abs().max()


def test_in_float32_the_adjoint_keeps_four_digits():
    s = setting(9, members=(2,), batch=4, time=50, latent=6, rectified=3, alpha="one number")
    expected = gradients(run(s, "reference"), s.leaves())
    single = s.to(torch.float32)
    # 6e-8 a product, and 200 terms a sum over a contracting orbit: about 1e-5 of the largest.
    for name, gradient in gradients(run(single, "adjoint"), single.leaves()).items():
        assert largest_error(gradient, expected[name]) < 1e-4, name


@pytest.mark.parametrize("backend", FAST)
def test_members_run_as_if_each_were_alone(backend):
    s = setting(10, members=(3,), alpha="one number")
    together = run(s, backend)
    for i in range(3):
        A, W, h, n_linear = s.pwl
        alone = scan_almost_linear(
            AlmostLinearMap(A[i], W[i], h[i], n_linear),
            s.z0[i],
            target=s.target[i],
            alpha=s.alpha,
            backend=backend,
        )
        torch.testing.assert_close(together[i], alone, **CLOSE)


# ---- whatever tensors come


@pytest.mark.parametrize("backend", FAST)
def test_tensors_may_lie_in_memory_in_any_order(backend):
    s = setting(11, batch=9, time=20, alpha="bins and latents", drive=True)
    twisted = {n: x.mT.contiguous().mT if x.ndim > 1 else x for n, x in s.leaves().items()}
    assert not twisted["target"].is_contiguous()
    other = s._replace(
        pwl=s.pwl._replace(W=twisted["W"]),
        z0=twisted["z0"],
        target=twisted["target"],
        drive=twisted["drive"],
    )
    torch.testing.assert_close(run(other, backend), run(s, "reference"), **CLOSE)
    found = gradients(run(other, backend).mT.contiguous().mT, s.leaves())
    for name, gradient in gradients(run(s, "reference"), s.leaves()).items():
        torch.testing.assert_close(found[name], gradient, **CLOSE)


@pytest.mark.parametrize("backend", FAST)
def test_several_graphs_may_be_alive_at_once(backend):
    settings = [setting(i, alpha="one number") for i in range(3)]
    alone = [gradients(run(s, backend), s.leaves()) for s in settings]
    alive = [run(s, backend) for s in settings]
    for s, states, expected in reversed(list(zip(settings, alive, alone, strict=True))):
        found = gradients(states, s.leaves())
        assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("broken", ["A", "W", "h"])
@pytest.mark.parametrize("backend", FAST)
def test_a_map_with_nan_gives_nan_as_the_reference_does(backend, broken):
    s = setting(12, time=3)
    sick = getattr(s.pwl, broken).detach().clone()
    sick[..., 0] = torch.nan
    s = s._replace(pwl=s.pwl._replace(**{broken: sick}))
    expected, found = run(s, "reference"), run(s, backend)
    assert torch.equal(found.isnan(), expected.isnan())
    assert found.isnan().any()


@pytest.mark.parametrize("backend", FAST)
def test_no_samples_are_no_states_and_no_gradient(backend):
    s = setting(13, batch=0, alpha="one number")
    states = run(s, backend)
    assert states.shape == (0, 5, 4)
    states.sum().backward()
    assert all((p.grad == 0).all() for p in s.pwl[:3])


def test_alpha_gets_a_gradient_when_it_asks_for_one():
    s = setting(14, alpha="each bin")
    alpha = s.alpha.clone().requires_grad_()
    (found,) = torch.autograd.grad(run(s._replace(alpha=alpha)).sum(), [alpha])
    assert (found != 0).all()


@pytest.mark.parametrize("backend", FAST)
def test_nothing_is_kept_for_a_gradient_that_nobody_wants(backend):
    s = setting(15, alpha="one number")
    with torch.no_grad():
        assert not run(s, backend).requires_grad
        torch.testing.assert_close(run(s, backend), run(s, "reference"), **CLOSE)


# ---- refusals


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        ({}, "at least one step"),
        ({"n_steps": 0}, "at least one step"),
        ({"n_steps": 5, "target": torch.zeros(2, 5, 4)}, "give both for a forced run"),
        ({"target": torch.zeros(2, 5, 3), "alpha": 0.5}, "like z0"),
        ({"target": torch.zeros(2, 5, 4), "alpha": torch.ones(3, 1)}, "broadcasts against target"),
        ({"drive": torch.zeros(2, 5, 4).double()}, r"convert with drive\.to\(z0\)"),
        ({"n_steps": 5, "backend": "fastest"}, "choose one of auto, reference, adjoint, native"),
    ],
)
def test_what_does_not_fit_together_is_refused(arguments, fix):
    pwl = setting().to(torch.float32).pwl
    with pytest.raises(ConfigError, match=fix):
        scan_almost_linear(pwl, torch.zeros(2, 4), **arguments)


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"W": torch.zeros(4, 3)}, r"W has shape \(4, 3\), expected \(4, 4\)[\s\S]*W a square"),
        ({"h": torch.zeros(3)}, r"h has shape \(3,\), expected \(4,\)[\s\S]*for each latent"),
        ({"A": torch.zeros(2, 4)}, r"A has shape \(2, 4\)[\s\S]*a member axis to all"),
        ({"n_linear": 5}, r"n_linear is 5, the map has 4 latents[\s\S]*that are not rectified"),
        ({"n_linear": -1}, "number of latents that are not rectified"),
    ],
)
@pytest.mark.parametrize("backend", ALL)
def test_a_map_whose_tensors_do_not_belong_together_is_refused(backend, changed, message):
    pwl = setting().to(torch.float32).pwl._replace(**changed)
    with pytest.raises(ConfigError, match=message):
        scan_almost_linear(pwl, torch.zeros(2, 4), n_steps=1, backend=backend)


def test_without_a_library_plain_torch_runs_and_asking_for_it_is_refused(monkeypatch):
    monkeypatch.setattr(almost_linear, "native_path", lambda: None)
    s = setting(16, alpha="one number")
    assert torch.equal(run(s), run(s, "adjoint"))
    with pytest.raises(ResourceError, match=r"install GCC 12 or clang, then neurodsr again"):
        run(s, "native")


def test_the_compiled_path_refuses_other_precisions_than_float32_and_float64():
    s = setting(17, time=2).to(torch.bfloat16)
    with pytest.raises(ResourceError, match="convert and move them, or use auto"):
        run(s, "native")
