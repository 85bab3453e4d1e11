"""Sparse forcing in segments against the plain loop in float64, and what becomes a segment."""

from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from neurodsr.kernels.adjoint import ADJOINT
from neurodsr.kernels.native import native_path
from neurodsr.kernels.path import Path, scan_along
from neurodsr.kernels.pwl import PiecewiseLinearMap, step
from neurodsr.kernels.scan import scan_reference
from neurodsr.kernels.split import essential, find_segments, forced_times, split

EXACT = {"rtol": 1e-10, "atol": 1e-10}
"""Both add the same few products in float64, in another order."""


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


def forced_at(n_steps, times, between=0.0):
    """Forcing strength [time, 1]: 1 at some times, `between` at all others."""
    alpha = torch.full((n_steps, 1), between, dtype=torch.float64)
    alpha[list(times)] = 1
    return alpha


def run_of(alpha, *, seed=0, members=(), batch=2, latent=3, hidden=4, drive=False, n_steps=None):
    g, n_steps = _g(seed), n_steps or alpha.shape[-2]

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
    paths = [draw(batch, n_steps, latent) for _ in range(1 + drive)]
    return Run(pwl, draw(batch, latent), paths[0], alpha, *paths[1:])


def segments_of(run):
    return find_segments(run.alpha.expand(run.target.shape))


def states_of(run, path):
    """All states by a path, or by the reference where there is none."""
    arguments = run.pwl, run.z0, run.target.shape[-2], run.target, run.alpha, run.drive
    return scan_along(path, *arguments) if path else scan_reference(*arguments)


def gradients(run, path):
    """Gradients of a random weighting of all states, so that no error cancels."""
    states, leaves = states_of(run, path), run.leaves()
    weights = torch.randn(states.shape, generator=_g(9), dtype=torch.float64)
    found = torch.autograd.grad((states * weights).sum(), list(leaves.values()))
    return dict(zip(leaves, found, strict=True))


def assert_parity(run, inner=ADJOINT):
    path = split(inner, segments_of(run))
    torch.testing.assert_close(states_of(run, path), states_of(run, None), **EXACT)
    expected = gradients(run, None)
    for name, gradient in gradients(run, path).items():
        torch.testing.assert_close(gradient, expected[name], **EXACT, msg=lambda m, n=name: n + m)


def watched(path, seen):
    """A path that notes the shape of what it is given."""

    def forward(problem, keep):
        seen.append(tuple(problem.target.shape))
        return path.forward(problem, keep)

    return Path("watched", forward, path.backward)


@st.composite
def sparse(draw):
    """Forcing strengths of every form, with some times at which all is forced."""
    n_steps, batch, latent = draw(st.integers(2, 30)), draw(st.integers(1, 3)), 3
    members = draw(st.sampled_from([(), (1,), (3,)]))
    form = draw(st.sampled_from([(), (latent,), (batch, 1, 1), (batch, n_steps, latent)]))
    shape = {0: (n_steps, 1), 1: (n_steps, latent), 3: (*members, batch, n_steps, latent)}[
        len(form)
    ]
    g = _g(draw(st.integers(0, 2**31)))
    alpha = torch.rand(shape, generator=g, dtype=torch.float64)
    alpha[alpha < draw(st.sampled_from([0.0, 0.5, 1.0]))] = 0
    forced = torch.rand(n_steps, generator=g) < draw(st.sampled_from([0.1, 0.5, 1.0]))
    alpha[..., forced, :] = 1
    return alpha, {"members": members, "batch": batch}


@given(case=sparse(), seed=st.integers(0, 2**31), drive=st.booleans())
def test_segments_and_the_plain_loop_agree_in_values_and_gradients(case, seed, drive):
    alpha, sizes = case
    run = run_of(alpha, seed=seed, drive=drive, **sizes)
    if segments_of(run) is None:
        assert forced_times(run.alpha.expand(run.target.shape)) in ([], [0])
    else:
        assert_parity(run)


@pytest.mark.parametrize("members", [(), (2,)])
@pytest.mark.parametrize("first", [0, 3])
def test_the_compiled_path_runs_segments_too(members, first):
    if native_path() is None:
        pytest.skip("no compiled kernels here")
    alpha = forced_at(40, range(first, 40, 7), between=0.2)
    assert_parity(run_of(alpha, members=members, drive=True), native_path())


def test_full_forcing_is_one_step_from_every_target():
    run = run_of(torch.tensor(1.0, dtype=torch.float64), n_steps=20)
    segments = segments_of(run)
    assert segments.length == 1
    expected = step(run.pwl, run.target.flatten(0, 1)).unflatten(0, (2, 20))
    torch.testing.assert_close(states_of(run, split(ADJOINT, segments)), expected)
    assert_parity(run)


def test_nothing_passes_a_forced_time_in_either_direction():
    run = run_of(forced_at(12, [5], between=0.3))
    states = states_of(run, split(ADJOINT, segments_of(run)))
    later, z0, target = states[:, 5:].sum(), run.z0, run.target
    to_z0, to_target = torch.autograd.grad(later, [z0, target], retain_graph=True)
    assert (to_z0 == 0).all()
    assert (to_target[:, :5] == 0).all()
    assert (to_target[:, 5] != 0).any()
    (to_target,) = torch.autograd.grad(states[:, :5].sum(), [target])
    assert (to_target[:, 5:] == 0).all()


def test_a_start_that_is_forced_at_once_gets_no_gradient():
    run = run_of(forced_at(12, [0, 6]))
    assert (gradients(run, split(ADJOINT, segments_of(run)))["z0"] == 0).all()


@pytest.mark.parametrize("wanted", ["A", "W2", "h2", "z0", "target", "drive"])
def test_segments_are_right_when_only_one_gradient_is_wanted(wanted):
    run = run_of(forced_at(13, [2, 3, 9], between=0.4), drive=True)
    expected = gradients(run, None)[wanted]
    for name, leaf in run.leaves().items():
        leaf.requires_grad_(name == wanted)
    states = states_of(run, split(ADJOINT, segments_of(run)))
    weights = torch.randn(states.shape, generator=_g(9), dtype=torch.float64)
    (found,) = torch.autograd.grad((states * weights).sum(), [run.leaves()[wanted]])
    torch.testing.assert_close(found, expected, **EXACT)


def test_what_fills_up_a_row_stays_finite_however_fast_the_map_grows():
    # Segments of 2, 3 and 1 steps. A free run of one step more than 3 would overflow.
    run = run_of(forced_at(6, [2, 5]), latent=1)
    with torch.no_grad():
        run.pwl.A.fill_(1e100)
    found, expected = gradients(run, split(ADJOINT, segments_of(run))), gradients(run, None)
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-10, atol=0)


# ---- what becomes a segment


def unforced(*index):
    alpha = torch.ones(2, 8, 3, dtype=torch.float64)
    alpha[index] = 0.5
    return alpha


@pytest.mark.parametrize(
    ("alpha", "times"),
    [
        (torch.tensor(0.5), []),
        (torch.tensor(1.0), [*range(8)]),
        (torch.zeros(8, 1), []),
        (forced_at(8, [0]), [0]),
        (forced_at(8, [3, 4], between=0.9), [3, 4]),
        (torch.tensor([1.0, 1.0, 0.5]), []),
        (torch.tensor([1.0, 1.0, 1.0]), [*range(8)]),
        (unforced(1, slice(None), 2), []),
        (unforced(slice(None), slice(1, 7), 1), [0, 7]),
        (unforced(1, slice(1, 7), 1), [0, 7]),
    ],
)
def test_a_time_is_forced_where_every_latent_of_every_sample_is(alpha, times):
    alpha = alpha.expand(2, 8, 3)
    assert forced_times(alpha) == times
    assert (find_segments(alpha) is None) == (times in ([], [0]))


def test_only_what_alpha_depends_on_is_looked_at():
    assert essential(torch.tensor(0.5).expand(4, 16, 1000, 3)).shape == (1, 1, 1, 1)
    assert essential(torch.rand(1000, 1).expand(4, 16, 1000, 3)).shape == (1, 1, 1000, 1)
    assert essential(torch.rand(4, 1, 1, 3).expand(4, 16, 1000, 3)).shape == (4, 1, 1, 3)


def test_regular_forcing_lays_views_of_equal_segments_side_by_side():
    seen, run = [], run_of(forced_at(1000, range(0, 1000, 25)), batch=16)
    segments = segments_of(run)
    assert (segments.length, segments.order, segments.place) == (25, None, None)
    states_of(run, split(watched(ADJOINT, seen), segments))
    assert seen == [(1, 16 * 40, 25, 3)]


def test_no_samples_are_no_reason_to_split():
    assert find_segments(torch.ones(0, 8, 3)) is None


@given(
    n_steps=st.integers(2, 3000),
    density=st.sampled_from([0.001, 0.03, 0.3, 1.0]),
    batch=st.sampled_from([1, 16, 200]),
    seed=st.integers(0, 2**31),
    tail=st.booleans(),
)
def test_rows_hold_each_step_once_and_at_most_as_much_again(n_steps, density, batch, seed, tail):
    forced = torch.rand(n_steps, generator=_g(seed)) < density
    if tail:
        forced[n_steps // 2 :] = False
    alpha = forced.float().unsqueeze(1).expand(batch, n_steps, 3)
    segments = find_segments(alpha)
    if segments is None or segments.order is None:
        return
    assert (segments.order[segments.place] == torch.arange(n_steps)).all()
    assert len(segments.place.unique()) == n_steps
    # A row and the first segment of the next are together longer than a row.
    assert len(segments.order) <= 2 * n_steps + segments.length
    # Every row but the first starts at a forced time, and fills up with one.
    assert forced[segments.order[segments.length :: segments.length]].all()
    unused = torch.ones(len(segments.order), dtype=torch.bool)
    unused[segments.place] = False
    assert forced[segments.order[unused]].all()


def test_one_long_gap_among_many_short_ones_does_not_square_the_work():
    n_steps = 20_000
    alpha = forced_at(n_steps, range(n_steps // 2)).expand(1, n_steps, 3)
    assert len(find_segments(alpha).order) <= 3 * n_steps


@pytest.mark.parametrize(("batch", "widest", "length"), [(1, 16, 10), (1, 4, 30), (8, 16, 50)])
def test_rows_are_no_more_than_fill_the_lanes(batch, widest, length):
    alpha = forced_at(100, range(0, 100, 10)).expand(batch, 100, 3)
    assert find_segments(alpha, widest=widest).length == length
    assert find_segments(alpha.expand(batch, 100, 3), widest=batch) is None
