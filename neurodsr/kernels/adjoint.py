r"""The scan with a hand-written gradient: one backward sweep, then batched matrix products.

With $u_t = W_2 \tilde z_t + h_2$ and $g_t = \partial \mathcal L / \partial z_t$ in total, the
adjoint recursion is

$$d_t = \mathbb 1[u_t > 0] \odot W_1^\top g_{t+1}, \qquad
  \tilde g_t = A \odot g_{t+1} + W_2^\top d_t, \qquad
  g_t \mathrel{+}= (1 - \alpha_t) \odot \tilde g_t$$

and every parameter gradient is one product over all bins and samples. It avoids both the node
per operation of autograd and its O(T^2) copies.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.kernels.pwl import PiecewiseLinearMap


def scan_adjoint(
    pwl: PiecewiseLinearMap,
    z0: Float[Tensor, "*member batch latent"],
    n_steps: int,
    target: Float[Tensor, "*member batch time latent"] | None,
    alpha: Float[Tensor, "..."] | None,
    drive: Float[Tensor, "*member batch time latent"] | None,
) -> Float[Tensor, "*member batch time latent"]:
    """Same values and gradients as `scan_reference`, except that `alpha` gets no gradient."""
    single = z0.ndim == 2
    A, W1, W2, h1, h2, _ = pwl
    parts = [A, W1, W2, h1, h2, z0, target, drive]
    if single:
        parts = [None if p is None else p.unsqueeze(0) for p in parts]
    A, W1, W2, h1, h2, z0, target, drive = parts
    if alpha is not None:
        alpha = alpha.expand((*z0.shape[:-1], n_steps, z0.shape[-1]))
    states = _Scan.apply(A, W1, W2, h1, h2, z0, target, alpha, drive, n_steps)
    return states.squeeze(0) if single else states


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        A: Tensor,
        W1: Tensor,
        W2: Tensor,
        h1: Tensor,
        h2: Tensor,
        z0: Tensor,
        target: Tensor | None,
        alpha: Tensor | None,
        drive: Tensor | None,
        n_steps: int,
    ) -> Tensor:
        pwl = PiecewiseLinearMap(A, W1, W2, h1, h2)
        keep = any(ctx.needs_input_grad)
        mixed, states = _forward(pwl, z0, target, alpha, drive, n_steps, keep)
        if keep:
            ctx.save_for_backward(A, W1, W2, h2, alpha, mixed)
            ctx.has_drive = drive is not None
        return states.permute(1, 2, 0, 3)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        A, W1, W2, h2, alpha, mixed = ctx.saved_tensors
        kept = None if alpha is None else (1 - alpha).permute(2, 0, 1, 3)
        g = grad.permute(2, 0, 1, 3).clone(memory_format=torch.contiguous_format)
        to_mixed, to_W1, to_W2, to_h2 = _backward((A, W1, W2, h2), kept, mixed, g)
        first = to_mixed[0] if kept is None else to_mixed[0] * kept[0]
        to_target = None
        if alpha is not None and ctx.needs_input_grad[6]:
            to_target = alpha * to_mixed.permute(1, 2, 0, 3)
        to_drive = g.permute(1, 2, 0, 3) if ctx.has_drive else None
        to_A, to_h1 = (g * mixed).sum((0, 2)), g.sum((0, 2))
        return to_A, to_W1, to_W2, to_h1, to_h2, first, to_target, None, to_drive, None


def _forward(
    pwl: PiecewiseLinearMap,
    z0: Tensor,
    target: Tensor | None,
    alpha: Tensor | None,
    drive: Tensor | None,
    n_steps: int,
    keep: bool,
) -> tuple[Tensor, Tensor]:
    """The loop over time; `keep` stores the mixed states, which are all that the adjoint needs.

    Buffers are [time, member, batch, ·]: a step is then one contiguous batched product, where
    any other order makes torch multiply member by member. The hidden layer lives in one buffer
    that stays in the cache; storing it for every step costs more in page faults than the
    adjoint pays to compute it again.
    """
    n_members, n_batch, latent = z0.shape
    states = z0.new_empty(n_steps, n_members, n_batch, latent)
    mixed = z0.new_empty(n_steps if keep else 1, n_members, n_batch, latent)
    h = z0.new_empty(n_members, n_batch, pwl.h2.shape[-1])
    A, h1, h2 = (p.unsqueeze(1) for p in (pwl.A, pwl.h1, pwl.h2))
    W1, W2 = pwl.W1.mT.contiguous(), pwl.W2.mT.contiguous()
    targets, alphas, drives = (
        None if x is None else x.permute(2, 0, 1, 3).unbind(0) for x in (target, alpha, drive)
    )
    zs, outs = mixed.unbind(0), states.unbind(0)
    z = z0
    for t in range(n_steps):
        zt, out = zs[t if keep else 0], outs[t]
        if targets is None:
            zt.copy_(z)
        else:
            torch.lerp(z, targets[t], alphas[t], out=zt)
        torch.bmm(zt, W2, out=h).add_(h2).clamp_min_(0)
        torch.addcmul(h1, A, zt, out=out)
        out.baddbmm_(h, W1)
        if drives is not None:
            out.add_(drives[t])
        z = out
    return mixed, states


def _backward(
    weights: tuple[Tensor, Tensor, Tensor, Tensor], kept: Tensor | None, mixed: Tensor, g: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Complete `g` in place; gradients of the mixed states, W1, W2 and h2."""
    A, W1, W2, h2 = weights
    h = g.new_empty(*g.shape[1:3], h2.shape[-1])
    d, sum_d = torch.empty_like(h), torch.zeros_like(h)
    to_mixed, to_W1, to_W2 = torch.empty_like(g), torch.zeros_like(W1), torch.zeros_like(W2)
    A, h2, W2t = A.unsqueeze(1), h2.unsqueeze(1), W2.mT.contiguous()
    gs, zs, ms = g.unbind(0), mixed.unbind(0), to_mixed.unbind(0)
    keeps = None if kept is None else kept.unbind(0)
    relu_backward = torch.ops.aten.threshold_backward.grad_input
    for t in range(len(gs) - 1, -1, -1):
        torch.bmm(zs[t], W2t, out=h).add_(h2).clamp_min_(0)
        torch.bmm(gs[t], W1, out=d)
        relu_backward(d, h, 0, grad_input=d)
        to_W1.baddbmm_(gs[t].mT, h)
        to_W2.baddbmm_(d.mT, zs[t])
        sum_d.add_(d)
        torch.mul(A, gs[t], out=ms[t]).baddbmm_(d, W2)
        if t and keeps is None:
            gs[t - 1].add_(ms[t])
        elif t:
            gs[t - 1].addcmul_(keeps[t], ms[t])
    return to_mixed, to_W1, to_W2, sum_d.sum(1)
