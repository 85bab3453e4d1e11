"""The scan in recorded pieces: they add up to the whole, whatever a replay overwrites."""

import logging
from functools import partial
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.kernels import cuda_graph
from neurodsr.kernels.adjoint import ADJOINT
from neurodsr.kernels.cuda_graph import (
    CUDA_GRAPH,
    backward_in_pieces,
    can_capture,
    forward_in_pieces,
)
from neurodsr.kernels.path import Path, Problem, scan_along
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.kernels.scan import scan_reference

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class Overwriting:
    """Computes as a graph does: from its own inputs, into the outputs of the last time."""

    def __init__(self):
        self.outputs = {}

    def __call__(self, function, settings, tensors):
        values = function(*settings, *(x if x is None else x.clone() for x in tensors))
        shapes = tuple(None if x is None else x.shape for x in tensors)
        places = self.outputs.setdefault((function, settings, shapes), values)
        for place, value in zip(places, values, strict=True):
            if value is not None:
                place.copy_(value)
        return places


def in_pieces(longest):
    run = Overwriting()
    return Path(
        "pieces",
        partial(forward_in_pieces, run=run, longest=longest),
        partial(backward_in_pieces, run=run, longest=longest),
    )


def draw(seed, *, members=1, batch=2, time=5, latent=3, hidden=4, forced=True, drive=True, **to):
    """What a scan takes, beside the path; alpha is different everywhere."""
    g = torch.Generator().manual_seed(seed)

    def normal(*shape, scale=1.0):
        x = scale * torch.randn(members, *shape, generator=g, dtype=torch.float64)
        return x.to(**to).requires_grad_()

    pwl = PiecewiseLinearMap(
        A=normal(latent, scale=0.5),
        W1=normal(latent, hidden, scale=0.5 * hidden**-0.5),
        W2=normal(hidden, latent, scale=0.7 * latent**-0.5),
        h1=normal(latent, scale=0.1),
        h2=normal(hidden, scale=0.3),
    )
    target = normal(batch, time, latent) if forced else None
    alpha = torch.rand(members, batch, time, latent, generator=g, dtype=torch.float64).to(**to)
    driven = normal(batch, time, latent) if drive else None
    return pwl, normal(batch, latent), time, target, alpha if forced else None, driven


def values_and_gradients(run, pwl, z0, time, target, alpha, drive):
    states = run(pwl, z0, time, target, alpha, drive)
    weights = torch.randn(states.shape, generator=torch.Generator().manual_seed(1)).to(states)
    leaves = [x for x in (*pwl[:5], z0, target, drive) if x is not None]
    return [states.detach(), *torch.autograd.grad((states * weights).sum(), leaves)]


def assert_parity(path, problem):
    got = values_and_gradients(lambda *a: scan_along(path, *a), *problem)
    expected = values_and_gradients(scan_reference, *problem)
    for a, b in zip(got, expected, strict=True):
        # The same products in float64, summed in another order.
        assert (a - b).abs().max() <= 1e-10 * b.abs().max().clamp_min(1e-3)


@given(
    seed=st.integers(0, 2**31),
    longest=st.integers(1, 5),
    members=st.integers(1, 2),
    batch=st.integers(1, 3),
    time=st.integers(1, 13),
    latent=st.integers(1, 4),
    hidden=st.integers(1, 5),
    forced=st.booleans(),
    drive=st.booleans(),
)
def test_pieces_give_the_values_and_gradients_of_the_whole(seed, longest, **sizes):
    assert_parity(in_pieces(longest), draw(seed, **sizes))


def test_two_runs_that_wait_for_their_gradients_do_not_disturb_each_other():
    path, problems = in_pieces(2), [draw(seed) for seed in (1, 2)]
    states = [scan_along(path, *problem) for problem in problems]
    for problem, found in zip(problems, states, strict=True):
        (gradient,) = torch.autograd.grad(found.square().sum(), [problem[0].W1])
        again = scan_reference(*problem)
        torch.testing.assert_close(found, again, rtol=1e-12, atol=1e-12)
        (expected,) = torch.autograd.grad(again.square().sum(), [problem[0].W1])
        torch.testing.assert_close(gradient, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("n_steps", "lengths"), [(1, {1}), (256, {256}), (10_000, {250})])
def test_a_run_is_cut_into_pieces_of_one_length_where_that_is_possible(n_steps, lengths):
    cut = list(cuda_graph._pieces(n_steps, 256))
    assert {now.stop - now.start for now in cut} == lengths
    assert (cut[0].start, cut[-1].stop) == (0, n_steps)
    assert all(a.stop == b.start for a, b in pairwise(cut))


@pytest.mark.parametrize("n_steps", [257, 999, 1001])
def test_a_run_never_has_pieces_of_more_than_two_lengths(n_steps):
    lengths = {now.stop - now.start for now in cuda_graph._pieces(n_steps, 256)}
    assert len(lengths) <= 2
    assert max(lengths) <= 256


@torch.no_grad()
def test_where_nothing_can_be_recorded_the_plain_adjoint_runs():
    assert not can_capture(torch.device("cpu"))
    pwl, *rest = draw(3)
    problem = Problem(pwl, *rest)
    states, mixed = CUDA_GRAPH.forward(problem, True)
    expected, kept = ADJOINT.forward(problem, True)
    assert torch.equal(states, expected)
    wanted = frozenset({"W1", "target"})
    found = CUDA_GRAPH.backward(problem, mixed, states, wanted)
    assert torch.equal(found.W1, ADJOINT.backward(problem, kept, states, wanted).W1)


def test_a_recording_that_fails_is_told_and_leaves_the_plain_steps(monkeypatch, caplog):
    def fails(function, settings, inputs):
        raise RuntimeError("operation not permitted when stream is capturing")

    cuda_graph._record.cache_clear()
    monkeypatch.setattr(cuda_graph, "_recorded", fails)
    kind = torch.float64, torch.device("cpu")
    with caplog.at_level(logging.WARNING):
        assert cuda_graph._record(max, (), (torch.Size([2]), None), kind, (0, 0)) is None
    assert "launched one by one: operation not permitted" in caplog.text


@pytest.mark.gpu
@needs_cuda
def test_a_graph_is_recorded_once_and_replayed_with_new_values():
    cuda_graph._record.cache_clear()
    for seed in range(3):
        assert_parity(CUDA_GRAPH, draw(seed, time=300, device="cuda"))
    made = cuda_graph._record.cache_info()
    # Two pieces of 150 steps each way: one graph forward, one back.
    assert (made.misses, made.hits) == (2, 10)
