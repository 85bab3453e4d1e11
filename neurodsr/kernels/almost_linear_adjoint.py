r"""The almost-linear scan with a hand-written gradient: six small operations a step, both ways.

A bias is the weight of an input that is always one. So with
$y_t = (1, \tilde z_t, \mathrm{relu}(\text{last } P \text{ of } \tilde z_t))$ the map is one matrix,
$z_{t+1} = V^\top y_t$. With $g_t = \partial \mathcal L / \partial z_t$ in total, the adjoint is

$$(e_t, e'_t) = (V_{\tilde z}, V_{\mathrm{relu}})\, g_{t+1}, \qquad
  \tilde g_t = e_t + \mathbb 1[\tilde z_t > 0] \odot e'_t, \qquad
  g_t \mathrel{+}= (1 - \alpha_t) \odot \tilde g_t$$

where $e'$ concerns the last $P$ latents. A small operation costs torch some 2 us and the view of a
step 1 us, whatever they hold, so steps work in one buffer, and all that no step waits for is done
for all bins at once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from neurodsr.kernels.almost_linear_map import AlmostLinearMap
from neurodsr.kernels.path import Gradients, Path, Problem
from neurodsr.kernels.split import essential


def forward(problem: Problem, keep: bool) -> tuple[Tensor, Tensor | None]:
    """The loop over time, and if `keep` every $y$, which is all that the adjoint needs.

    Buffers are [time, member, batch, ·]: a step is then one contiguous product.
    """
    z0 = problem.z0
    states = z0.new_empty(problem.n_steps, *z0.shape)
    _advance(problem, states)
    y = None
    if keep:
        y = _ones_and(problem, problem.n_steps)
        mixed, last, bent = _parts(y[..., 1:], problem.pwl)
        before = torch.cat([z0.unsqueeze(0), states[:-1]])
        if problem.target is None:
            mixed.copy_(before)
        else:
            forcing = (_time_first(a) for a in (problem.target, problem.alpha))
            torch.lerp(before, *forcing, out=mixed)
        torch.clamp_min(last, 0, out=bent)
    return states.permute(1, 2, 0, 3), y


def _advance(problem: Problem, states: Tensor) -> None:
    """Fill in the states, one after the other."""
    product, z = _product(states), problem.z0.squeeze(0)
    V, y = (a.squeeze(0) for a in (_matrix(problem.pwl), _ones_and(problem, 1)[0]))
    mixed, last, bent = _parts(y[..., 1:], problem.pwl)
    targets, alphas, drives = (
        None if a is None else _steps(_time_first(a))
        for a in (problem.target, problem.alpha, problem.drive)
    )
    for t, out in enumerate(_steps(states)):
        if targets is None:
            mixed.copy_(z)
        else:
            torch.lerp(z, targets[t], alphas[t], out=mixed)
        torch.clamp_min(last, 0, out=bent)
        z = product(y, V, out=out)
        if drives is not None:
            z.add_(drives[t])


def backward(problem: Problem, y: Tensor, grad: Tensor, wanted: frozenset[str]) -> Gradients:
    """All gradients from every $y$ and the gradient of the states."""
    pwl = problem.pwl
    on = _parts(y[..., 1:], pwl)[2].sign()
    g = torch.cat([torch.zeros_like(problem.z0).unsqueeze(0), _time_first(grad)])
    _sweep(problem, on, g)
    to_z0, g = g[0], g[1:]
    to_V = torch.bmm(_rows(g).mT, _rows(y))
    to_latents, _, to_bent = _parts(to_V[..., 1:], pwl)
    to_target = None
    if problem.target is not None and "target" in wanted:
        to_mixed = _to_mixed(pwl, on, g)
        to_target = problem.alpha * to_mixed.permute(1, 2, 0, 3)
    return Gradients(
        A=to_latents.diagonal(dim1=-2, dim2=-1),
        W=torch.cat([to_latents[..., : pwl.n_linear], to_bent], dim=-1),
        h=to_V[..., 0],
        z0=to_z0,
        target=to_target,
        drive=g.permute(1, 2, 0, 3) if "drive" in wanted else None,
    )


def _sweep(problem: Problem, on: Tensor, g: Tensor) -> None:
    """Complete the gradients of all states, that of z0 first, in place."""
    product, V = _product(g), _matrix(problem.pwl)[:, 1:].mT.contiguous()
    e = torch.bmm(g[-1], V).squeeze(0)
    mixed, last, bent = _parts(e, problem.pwl)
    kept = g.new_ones(()).expand_as(g[1:])
    if problem.alpha is not None:
        kept = (1 - essential(problem.alpha)).expand_as(problem.alpha)
        kept = _time_first(kept)
    V, gs, ons, keeps = V.squeeze(0), _steps(g), _steps(on), _steps(kept)
    for t in range(len(ons) - 1, -1, -1):
        product(gs[t + 1], V, out=e)
        last.addcmul_(ons[t], bent)
        gs[t].addcmul_(keeps[t], mixed)


def _to_mixed(pwl: AlmostLinearMap, on: Tensor, g: Tensor) -> Tensor:
    """Gradient of the mixed states, from that of the states after them."""
    mixed, last, bent = _parts(g @ _matrix(pwl)[:, 1:].mT, pwl)
    last.addcmul_(on, bent)
    return mixed


def _ones_and(problem: Problem, n_steps: int) -> Tensor:
    """Space for y of some steps, its ones in place."""
    pwl, (n_members, n_batch, latent) = problem.pwl, problem.z0.shape
    return problem.z0.new_ones(n_steps, n_members, n_batch, 1 + 2 * latent - pwl.n_linear)


def _matrix(pwl: AlmostLinearMap) -> Tensor:
    """What y is multiplied with: [member, one and all latents and the rectified ones, latent]."""
    latents = torch.diag_embed(pwl.A)
    latents[..., : pwl.n_linear] += pwl.W[..., : pwl.n_linear]
    return torch.cat([pwl.h.unsqueeze(-1), latents, pwl.W[..., pwl.n_linear :]], dim=-1).mT


def _parts(y: Tensor, pwl: AlmostLinearMap) -> tuple[Tensor, Tensor, Tensor]:
    """All latents, the last ones, and these rectified."""
    return y[..., : pwl.latent_dim], y[..., pwl.n_linear : pwl.latent_dim], y[..., pwl.latent_dim :]


def _time_first(a: Tensor) -> Tensor:
    return a.permute(2, 0, 1, 3)


def _rows(a: Tensor) -> Tensor:
    """[member, time and batch, ·], so that a sum over both is a product."""
    return a.transpose(0, 1).flatten(1, 2)


def _steps(a: Tensor) -> tuple[Tensor, ...]:
    """Each step of [time, member, batch, ·], a matrix where there is one member."""
    a = a.squeeze(1)
    return a.unbind(0) if a.stride(0) else len(a) * (a[0],)


def _product(a: Tensor) -> Callable[..., Tensor]:
    """Of what `_steps` gives: for one member, the plain product costs less than the batched."""
    return torch.mm if a.shape[1] == 1 else torch.bmm


ADJOINT = Path("adjoint", forward, backward)
"""Plain torch: works on every device, and is what remains where nothing faster does."""
