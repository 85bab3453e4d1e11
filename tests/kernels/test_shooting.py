"""One long sequence in chunks against the plain loop in float64, and when it is not shot."""

from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from neurodsr.kernels.adjoint import ADJOINT
from neurodsr.kernels.native import native_path
from neurodsr.kernels.path import Path, Problem, scan_along
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.kernels.scan import scan_reference
from neurodsr.kernels.shooting import shooting, suits_shooting

EXACT = {"rtol": 1e-10, "atol": 1e-10}
"""What boundaries miss, 1e-12, reaches no gradient with more than some ten times that."""


class Run(NamedTuple):
    pwl: PiecewiseLinearMap
    z0: Tensor
    target: Tensor
    alpha: Tensor
    drive: Tensor | None = None

    def leaves(self):
        given = {"z0": self.z0, "target": self.target, "drive": self.drive}
        return {k: v for k, v in (self.pwl._asdict() | given).items() if v is not None}


def _g(seed):
    return torch.Generator().manual_seed(seed)


ALPHAS = {
    "one number": lambda t, n, b, m: torch.tensor(0.3).double(),
    "each bin": lambda t, n, b, m: 0.2 + 0.8 * torch.rand(t, 1, generator=_g(1)).double(),
    "each latent": lambda t, n, b, m: 0.2 + 0.8 * torch.rand(n, generator=_g(2)).double(),
    "sparse": lambda t, n, b, m: (torch.rand(t, 1, generator=_g(4)) < 0.4).double(),
    "each sample": lambda t, n, b, m: 0.2 + 0.8 * torch.rand(b, 1, 1, generator=_g(5)).double(),
    "everything": lambda t, n, b, m: 0.2 + 0.8 * torch.rand(*m, b, t, n, generator=_g(6)).double(),
}


def run_of(
    alpha="one number", *, seed=0, members=(), batch=1, time=60, latent=3, hidden=4, drive=False,
    growth=0.3, dtype=torch.float64,
):  # fmt: skip
    """A run of a random map whose parts are scaled by `growth`."""
    g = _g(seed)

    def draw(*shape, scale=1.0):
        x = scale * torch.randn(*members, *shape, generator=g, dtype=torch.float64)
        return x.to(dtype).requires_grad_()

    pwl = PiecewiseLinearMap(
        A=draw(latent, scale=growth),
        W1=draw(latent, hidden, scale=growth),
        W2=draw(hidden, latent, scale=growth),
        h1=draw(latent, scale=0.5),
        h2=draw(hidden),
    )
    if not isinstance(alpha, float):
        alpha = ALPHAS[alpha](time, latent, batch, members)
    paths = [draw(batch, time, latent) for _ in range(1 + drive)]
    return Run(pwl, draw(batch, latent), paths[0], torch.as_tensor(alpha, dtype=dtype), *paths[1:])


def states_of(run, path):
    """All states by a path, or by the reference where there is none."""
    arguments = run.pwl, run.z0, run.target.shape[-2], run.target, run.alpha, run.drive
    return scan_along(path, *arguments) if path else scan_reference(*arguments)


def gradients(run, path):
    """Gradients of a random weighting of all states, so that no error cancels."""
    states, leaves = states_of(run, path), run.leaves()
    weights = torch.randn(states.shape, generator=_g(9), dtype=torch.float64).to(states.dtype)
    found = torch.autograd.grad((states * weights).sum(), list(leaves.values()))
    return dict(zip(leaves, found, strict=True))


def assert_parity(run, path):
    torch.testing.assert_close(states_of(run, path), states_of(run, None), **EXACT)
    expected = gradients(run, None)
    for name, gradient in gradients(run, path).items():
        torch.testing.assert_close(gradient, expected[name], **EXACT, msg=lambda m, n=name: n + m)


def problem_of(run, path=None):
    """What a path is given for a run."""
    seen = []
    states_of(run, lambda problem: seen.append(problem) or ADJOINT)
    return seen[0]


class Watched:
    """The adjoint path, noting the steps of each call, and whether it was asked for the weights."""

    def __init__(self):
        self.forwards, self.backwards = [], []
        self.path = Path("watched", self.forward, self.backward)

    def forward(self, problem, keep):
        self.forwards.append(problem.n_steps)
        return ADJOINT.forward(problem, keep)

    def backward(self, problem, kept, grad, wanted):
        self.backwards.append((problem.n_steps, "W1" in wanted))
        return ADJOINT.backward(problem, kept, grad, wanted)


# ---- values and gradients


@given(
    seed=st.integers(0, 2**31),
    alpha=st.sampled_from([*ALPHAS]),
    members=st.sampled_from([(), (1,), (3,)]),
    batch=st.integers(1, 3),
    time=st.integers(2, 80),
    n_chunk=st.integers(1, 30),
    drive=st.booleans(),
    growth=st.sampled_from([0.1, 0.3, 0.6]),
)
def test_chunks_and_the_plain_loop_agree_in_values_and_gradients(n_chunk, **sizes):
    assert_parity(run_of(**sizes), shooting(ADJOINT, n_chunk=n_chunk))


@pytest.mark.parametrize("alpha", [*ALPHAS])
@pytest.mark.parametrize("time", [180, 171])
def test_the_compiled_path_runs_chunks_too(alpha, time):
    if native_path() is None:
        pytest.skip("no compiled kernels here")
    run = run_of(alpha, members=(2,), batch=2, time=time, drive=True)
    assert_parity(run, shooting(native_path(), n_chunk=60))


@pytest.mark.parametrize("wanted", ["A", "W2", "h2", "z0", "target", "drive"])
def test_chunks_are_right_when_only_one_gradient_is_wanted(wanted):
    run = run_of(time=100, drive=True)
    expected = gradients(run, None)[wanted]
    for name, leaf in run.leaves().items():
        leaf.requires_grad_(name == wanted)
    states = states_of(run, shooting(ADJOINT, n_chunk=30))
    weights = torch.randn(states.shape, generator=_g(9), dtype=torch.float64)
    (found,) = torch.autograd.grad((states * weights).sum(), [run.leaves()[wanted]])
    torch.testing.assert_close(found, expected, **EXACT)


def test_a_linear_map_under_constant_forcing_is_a_geometric_series(linear_map):
    # z' = a ((1 - alpha) z + alpha) is q z + c, with q = a (1 - alpha): z_t = q^t (z_0 - f) + f.
    a, alpha, n_steps = 1.05, 0.2, 1000
    pwl, q, c = linear_map([[a]], dtype=torch.float64), a * (1 - alpha), a * alpha
    z0, target = torch.full((1, 1), 3.0).double(), torch.ones(1, n_steps, 1).double()
    path = shooting(ADJOINT, n_chunk=250)
    strength = torch.tensor(alpha, dtype=torch.float64)
    states = scan_along(path, pwl, z0, n_steps, target, strength, None)
    t, f = torch.arange(1, n_steps + 1).double(), c / (1 - q)
    # The miss of 1e-12 is relative to a fixed point of 1.3.
    torch.testing.assert_close(states.flatten(), q**t * (3.0 - f) + f, rtol=0, atol=2e-12)


def test_in_float32_gradients_keep_five_digits_of_the_sequential_path():
    run = run_of(0.15, time=2000, hidden=8, dtype=torch.float32)
    expected = gradients(run, ADJOINT)
    for name, gradient in gradients(run, shooting(ADJOINT, n_chunk=250)).items():
        # Chunks also sum up in another order, some 40 roundings of 6e-8 for 2000 terms.
        error = (gradient - expected[name]).abs().max() / expected[name].abs().max()
        assert error < 1e-5, name


# ---- the check of the boundaries


def test_where_forcing_is_strong_one_sweep_does_and_weights_get_their_gradient_in_it_alone():
    watched = Watched()
    gradients(run_of(0.5, time=800), shooting(watched.path, n_chunk=200))
    run_up = watched.forwards[0]
    assert run_up < 100
    assert watched.forwards == [run_up, 200, run_up]
    assert watched.backwards == [(run_up, False), (200, True)]


def test_after_as_many_sweeps_as_chunks_all_are_exact_even_without_forcing():
    run, watched = run_of(0.0, time=40, growth=0.6), Watched()
    assert_parity(run, shooting(watched.path, n_chunk=10, max_sweeps=5))
    assert 40 not in watched.forwards


@pytest.mark.parametrize("members", [(), (2,)])
def test_a_map_that_expands_under_weak_forcing_runs_in_sequence(members):
    run, watched = run_of(0.05, time=64, members=members), Watched()
    with torch.no_grad():
        run.pwl.A.fill_(1.2)
    path = shooting(watched.path, n_chunk=8, max_sweeps=3)
    assert torch.equal(states_of(run, path), states_of(run, ADJOINT))
    found, expected = gradients(run, path), gradients(run, ADJOINT)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert watched.backwards == [(64, True)]


def test_a_member_that_does_not_settle_is_not_hidden_by_a_larger_one():
    run, watched = run_of(0.05, time=64, members=(2,)), Watched()
    with torch.no_grad():
        run.pwl.A[0], run.target[1] = 1.2, 1e30
    states_of(run, shooting(watched.path, n_chunk=8))
    assert watched.forwards[-1] == 64


def test_a_tolerance_that_cannot_be_met_makes_it_run_in_sequence():
    # Ten steps forget less than half of the digits that one sweep would have to agree in.
    run, watched = run_of(0.3, time=400), Watched()
    path = shooting(watched.path, n_chunk=10, tolerance=1e-15, max_sweeps=1)
    found, expected = gradients(run, path), gradients(run, ADJOINT)
    assert 400 in watched.forwards
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_gradient_that_does_not_settle_is_computed_in_sequence_although_the_states_did(
    linear_map,
):
    # At its fixed point, 1, an expanding map stays, but what a gradient tells of it grows.
    pwl = linear_map([[1.3]], h=[-0.3], dtype=torch.float64)
    pwl = PiecewiseLinearMap(*(p.requires_grad_() for p in pwl[:5]))
    z0, target = (torch.ones(shape, dtype=torch.float64) for shape in ((1, 1), (1, 64, 1)))
    alpha = torch.tensor(0.05).double()
    run = Run(pwl, z0.requires_grad_(), target.requires_grad_(), alpha)
    watched = Watched()
    found = gradients(run, shooting(watched.path, n_chunk=8, max_sweeps=3))
    assert watched.forwards.count(64) == 1
    expected = gradients(run, ADJOINT)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_states_that_overflow_are_what_they_are_in_sequence():
    run = run_of(0.1, time=64)
    with torch.no_grad():
        run.pwl.A.fill_(1e20)
    found = states_of(run, shooting(ADJOINT, n_chunk=8))
    torch.testing.assert_close(found, states_of(run, ADJOINT), rtol=0, atol=0, equal_nan=True)
    assert not found.isfinite().all()


def test_what_fills_up_the_last_chunk_stays_finite_however_fast_the_map_grows():
    # Nine steps are two chunks of four, and a third with one. Two steps unforced would overflow.
    run, watched = run_of(1.0, time=9, latent=1), Watched()
    with torch.no_grad():
        run.pwl.A.fill_(1e120)
    found, expected = gradients(run, shooting(watched.path, n_chunk=4)), gradients(run, None)
    assert 9 not in watched.forwards
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-10, atol=0)


@pytest.mark.parametrize("n_chunk", [60, 100])
def test_what_is_no_longer_than_a_chunk_is_left_to_the_path(n_chunk):
    run, watched = run_of(time=60), Watched()
    gradients(run, shooting(watched.path, n_chunk=n_chunk))
    assert (watched.forwards, watched.backwards) == ([60], [(60, True)])


def test_no_samples_are_no_reason_to_shoot():
    run = run_of(time=60, batch=0)
    assert suits_shooting(problem_of(run), lanes=16) is None
    assert states_of(run, shooting(ADJOINT, n_chunk=10)).shape == (0, 60, 3)


def test_a_free_run_is_left_to_the_path():
    run, watched = run_of(time=60), Watched()
    scan_along(shooting(watched.path, n_chunk=10), run.pwl, run.z0, 60, None, None, None)
    assert watched.forwards == [60]


# ---- when it is worth it


@pytest.mark.parametrize(
    ("alpha", "sizes", "lanes", "n_chunk"),
    [
        (0.15, {"time": 10_000}, 16, 625),
        (0.15, {"time": 10_000, "batch": 4}, 16, 2500),
        (0.15, {"time": 10_000, "batch": 16}, 128, 1250),
        (0.15, {"time": 10_000, "batch": 8}, 16, None),
        (0.15, {"time": 10_000, "batch": 16}, 16, None),
        (0.15, {"time": 200}, 16, None),
        (0.15, {"time": 1000}, 16, None),
        (0.02, {"time": 10_000}, 16, None),
        (0.0, {"time": 10_000}, 16, None),
        (1.0, {"time": 10_000}, 16, 625),
    ],
)
def test_only_long_forced_sequences_with_empty_lanes_are_shot(alpha, sizes, lanes, n_chunk):
    problem = problem_of(run_of(alpha, hidden=50, dtype=torch.float32, **sizes))
    assert suits_shooting(problem, lanes=lanes) == n_chunk


def test_a_chunk_is_as_long_as_a_run_up():
    problem = problem_of(run_of(0.08, hidden=50, time=10_000, dtype=torch.float32))
    few, many = (suits_shooting(problem, lanes=lanes) for lanes in (16, 1000))
    assert few == 625
    # A rate of 0.083 - 0.02, to 3e-6, with a margin of a quarter.
    assert many == 1 + int(1.25 * 12.717 / 0.06338)


def test_the_weakest_latent_decides():
    alpha = torch.tensor([0.5, 0.5, 0.0])
    problem = problem_of(run_of(0.5, hidden=50, time=10_000, dtype=torch.float32))
    assert suits_shooting(problem, lanes=16) == 625
    weak = problem._replace(alpha=alpha.expand(problem.target.shape))
    assert suits_shooting(weak, lanes=16) is None


def test_free_runs_and_other_precisions_are_not_shot():
    problem = problem_of(run_of(0.5, hidden=50, time=10_000, dtype=torch.float32))
    free = problem._replace(target=None, alpha=None)
    half = Problem(problem.pwl, problem.z0.half(), *problem[2:])
    assert suits_shooting(free, lanes=16) is None
    assert suits_shooting(half, lanes=16) is None


# ---- memory


class PeakMemory(TorchDispatchMode):
    """The most bytes that tensors made inside have held at one time."""

    def __init__(self):
        super().__init__()
        self.alive, self.peak = {}, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for x in made if isinstance(made, tuple | list) else [made]:
            if isinstance(x, Tensor) and x.untyped_storage().nbytes() > 10_000:
                self._count(x.untyped_storage())
        return made

    def _count(self, storage):
        if storage.data_ptr() in self.alive and not self.alive[storage.data_ptr()][0].expired():
            return
        self.alive[storage.data_ptr()] = StorageWeakRef(storage), storage.nbytes()
        held = sum(n for reference, n in self.alive.values() if not reference.expired())
        self.peak = max(self.peak, held)


def test_a_gradient_over_100_000_steps_takes_a_few_copies_of_the_target():
    n_steps, watched = 100_000, Watched()
    run = run_of(0.5, time=n_steps, hidden=200, growth=0.05, dtype=torch.float32)
    with PeakMemory() as memory:
        gradients(run, shooting(watched.path, n_chunk=250))
    assert n_steps not in watched.forwards
    copies = memory.peak / run.target.untyped_storage().nbytes()
    # States, what is kept, the gradient and some of its stages; the hidden layer alone would be 67.
    assert copies < 20
