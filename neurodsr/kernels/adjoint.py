r"""The scan with a hand-written gradient: four small operations a step, there and back.

A bias is the weight of an input that is always one. So with $x_t = (1, \tilde z_t)$ the map is
two matrices: $y_t = (x_t, \mathrm{relu}(U x_t))$ and $z_{t+1} = V y_t$, where $U = (h_2, W_2)$ and
$V = (h_1, \mathrm{diag}\,A, W_1)$. With $g_t = \partial \mathcal L / \partial z_t$ in total, the
adjoint recursion is

$$e_t = \mathbb 1[U x_t > 0] \odot W_1^\top g_{t+1}, \qquad
  \tilde g_t = (\mathrm{diag}\,A, W_2^\top) (g_{t+1}, e_t), \qquad
  g_t \mathrel{+}= (1 - \alpha_t) \odot \tilde g_t$$

and every parameter gradient is a sum over all bins and samples. A small operation costs torch some
2 us, whatever it computes, so all that no step waits for is done for a chunk of time at once. This
avoids both the node per operation of autograd and its O(T^2) copies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from neurodsr.kernels.path import Gradients, Path, Problem
from neurodsr.kernels.pwl import PiecewiseLinearMap

CHUNK_BYTES = 2**20
"""Hidden layers of a chunk and their gradients, together: 1 MiB stays in a core's cache.

Storing those of the whole run costs more in page faults than computing them again, and chunks of a
quarter of this size cost more in calls.
"""


def forward(problem: Problem, keep: bool) -> tuple[Tensor, Tensor | None]:
    """The loop over time, and if `keep` the mixed states, which are all that the adjoint needs.

    Buffers are [time, member, batch, ·]: a step is then one contiguous batched product, where
    any other order makes torch multiply member by member.
    """
    states = problem.z0.new_empty(problem.n_steps, *problem.z0.shape)
    _advance(problem, states)
    mixed = None
    if keep:
        mixed = torch.cat([problem.z0.unsqueeze(0), states[:-1]])
        if problem.target is not None:
            torch.lerp(mixed, _time_first(problem.target), _time_first(problem.alpha), out=mixed)
    return states.permute(1, 2, 0, 3), mixed


def _advance(problem: Problem, states: Tensor) -> None:
    """Fill in the states, one after the other."""
    product = _product(states)
    z, U, V = (a.squeeze(0) for a in (problem.z0, *_two_matrices(problem.pwl)))
    x = z.new_ones(*z.shape[:-1], 1 + z.shape[-1])
    y = z.new_empty(*z.shape[:-1], V.shape[-2])
    mixed, hidden = x[..., 1:], y[..., x.shape[-1] :]
    targets, alphas, drives = (
        None if a is None else _steps(_time_first(a))
        for a in (problem.target, problem.alpha, problem.drive)
    )
    for t, out in enumerate(_steps(states)):
        if targets is None:
            mixed.copy_(z)
        else:
            torch.lerp(z, targets[t], alphas[t], out=mixed)
        product(x, U, out=y)
        hidden.clamp_min_(0)
        z = product(y, V, out=out)
        if drives is not None:
            z.add_(drives[t])


def _two_matrices(pwl: PiecewiseLinearMap) -> tuple[Tensor, Tensor]:
    """U and V for states in rows, U with an identity beside it that copies x into y.

    As part of the product the copy is almost free; as an operation of its own it is not, and a
    product into a part of y would go member by member.
    """
    one = torch.eye(1 + pwl.latent_dim, dtype=pwl.A.dtype, device=pwl.A.device)
    U = torch.cat([one.expand(len(pwl.A), -1, -1), _hidden_weights(pwl)], dim=-1)
    V = torch.cat([pwl.h1.unsqueeze(-2), torch.diag_embed(pwl.A), pwl.W1.mT], dim=-2)
    return U, V


def _hidden_weights(pwl: PiecewiseLinearMap) -> Tensor:
    """From (1, z) to what the ReLUs get: h2 on top of the transposed W2."""
    return torch.cat([pwl.h2.unsqueeze(-2), pwl.W2.mT], dim=-2)


def backward(problem: Problem, mixed: Tensor, grad: Tensor, wanted: frozenset[str]) -> Gradients:
    """All gradients from the mixed states and the gradient of the states."""
    alpha = problem.alpha
    g = torch.cat([torch.zeros_like(mixed[:1]), _time_first(grad)])
    to_mixed, to_W1, to_hidden_weights = _sweep(problem, mixed, g)
    to_z0, g = g[0], g[1:]
    to_target = None
    if alpha is not None and "target" in wanted:
        to_target = alpha * to_mixed.permute(1, 2, 0, 3)
    return Gradients(
        A=(g * mixed).sum((0, 2)),
        W1=to_W1,
        W2=to_hidden_weights[:, 1:].mT,
        h1=g.sum((0, 2)),
        h2=to_hidden_weights[:, 0],
        z0=to_z0,
        target=to_target,
        drive=g.permute(1, 2, 0, 3) if "drive" in wanted else None,
    )


class _Chunk(NamedTuple):
    """Memory for a chunk, as its products see it and as its steps do.

    All chunks of a length share one: memory costs page faults and views cost calls, together more
    than the arithmetic of a small chunk.
    """

    h: Tensor
    g: Tensor
    e: Tensor
    g_in_time: Tensor
    steps: tuple[tuple[Tensor, ...], ...]
    """Of g and e side by side, of g, and of e."""
    to_hidden: Tensor


def _make_chunk(mixed: Tensor, n_steps: int, hidden: int) -> _Chunk:
    """Rows are [member, time x batch, ·], so that the sums over a chunk are products."""
    _, n_members, n_batch, latent = mixed.shape
    ge = mixed.new_empty(n_members, n_steps, n_batch, latent + hidden)
    g, e = ge[..., :latent], ge[..., latent:]
    return _Chunk(
        h=mixed.new_empty(n_members, n_steps * n_batch, hidden),
        g=g.flatten(1, 2),
        e=e.flatten(1, 2),
        g_in_time=g.transpose(0, 1),
        steps=tuple(_steps(a.transpose(0, 1)) for a in (ge, g, e)),
        to_hidden=mixed.new_empty(n_members, n_batch, hidden).squeeze(0),
    )


def _sweep(problem: Problem, mixed: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Complete `g` in place, from z0 on; gradients of the mixed states, W1 and hidden weights."""
    (A, W1, W2, *_), weights = problem.pwl, _hidden_weights(problem.pwl)
    n_steps, n_members, n_batch, latent = mixed.shape
    down = torch.cat([torch.diag_embed(A), W2], dim=-2)
    to_mixed, to_W1, to_weights = (torch.zeros_like(a) for a in (mixed, W1, weights))
    kept = mixed.new_ones(()).expand_as(mixed)
    if problem.alpha is not None:
        kept = 1 - _time_first(problem.alpha)
    x = mixed.new_ones(n_members, n_steps, n_batch, 1 + latent)
    x[..., 1:].copy_(mixed.transpose(0, 1))
    n = _chunk_length(mixed, W1.shape[-1])
    in_time = zip(*(a.split(n) for a in (g[:-1], g[1:], kept, to_mixed)), strict=True)
    xs = x.flatten(1, 2).split(n * n_batch, dim=1)
    chunks = {k: _make_chunk(mixed, k, W1.shape[-1]) for k in {n, n_steps % n or n}}
    for x_now, (before, after, *forced) in reversed(list(zip(xs, in_time, strict=True))):
        chunk = chunks[after.shape[0]]
        torch.bmm(x_now, weights, out=chunk.h).clamp_min_(0)
        torch.sign(chunk.h, out=chunk.e)
        chunk.g_in_time.copy_(after)
        _descend(W1, down, chunk, before[0], *forced)
        after.copy_(chunk.g_in_time)
        to_W1.baddbmm_(chunk.g.mT, chunk.h)
        to_weights.baddbmm_(x_now.mT, chunk.e)
    return to_mixed, to_W1, to_weights


def _descend(
    W1: Tensor, down: Tensor, chunk: _Chunk, before: Tensor, kept: Tensor, to_mixed: Tensor
) -> None:
    """Back through a chunk, whose e comes as the derivative of the ReLUs.

    `before` is the gradient of the state that the chunk starts from.
    """
    product, (ges, gs, es) = _product(kept), chunk.steps
    keeps, mixes = _steps(kept), _steps(to_mixed)
    W1, down, before = (a.squeeze(0) for a in (W1, down, before))
    for t in range(len(gs) - 1, -1, -1):
        product(gs[t], W1, out=chunk.to_hidden)
        es[t].mul_(chunk.to_hidden)
        product(ges[t], down, out=mixes[t])
        (gs[t - 1] if t else before).addcmul_(keeps[t], mixes[t])


def _chunk_length(mixed: Tensor, hidden: int) -> int:
    """Steps that fit into the cache, at least one."""
    n_steps, n_members, n_batch, latent = mixed.shape
    of_step = n_members * n_batch * (latent + 2 * hidden) * mixed.element_size()
    return max(1, min(n_steps, CHUNK_BYTES // max(1, of_step)))


def _time_first(a: Tensor) -> Tensor:
    return a.permute(2, 0, 1, 3)


def _steps(a: Tensor) -> tuple[Tensor, ...]:
    """Each step of [time, member, batch, ·], a matrix where there is one member."""
    return a.squeeze(1).unbind(0)


def _product(a: Tensor) -> Callable[..., Tensor]:
    """Of what `_steps` gives: for one member, the plain product costs less than the batched."""
    return torch.mm if a.shape[1] == 1 else torch.bmm


ADJOINT = Path("adjoint", forward, backward)
"""Plain torch: works on every device, and is what remains where nothing faster does."""
