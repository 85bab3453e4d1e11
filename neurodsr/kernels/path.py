"""What a fast path of the scan offers, and the one autograd function over all of them.

A path computes states and gradients; which one is used (plain torch, compiled code, a GPU) changes
rounding and speed, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurodsr.kernels.almost_linear_map import AlmostLinearMap
from neurodsr.kernels.pwl import PiecewiseLinearMap


class Problem(NamedTuple):
    """One scan with all its arguments, every tensor with a leading member axis.

    `alpha` is expanded to the shape of `target` (a view: its strides say what it depends on) and
    absent where `target` is. `pwl.C` plays no part: inputs arrive as `drive`. A path knows one kind
    of map.
    """

    pwl: PiecewiseLinearMap | AlmostLinearMap
    z0: Float[Tensor, "member batch latent"]
    n_steps: int
    target: Float[Tensor, "member batch time latent"] | None = None
    alpha: Float[Tensor, "member batch time latent"] | None = None
    drive: Float[Tensor, "member batch time latent"] | None = None


class Gradients(NamedTuple):
    """Gradients of a scan by argument; None where nobody asked or the map has no such tensor."""

    A: Tensor | None = None
    W1: Tensor | None = None
    W2: Tensor | None = None
    h1: Tensor | None = None
    h2: Tensor | None = None
    z0: Tensor | None = None
    target: Tensor | None = None
    drive: Tensor | None = None
    W: Tensor | None = None
    h: Tensor | None = None


class Path(NamedTuple):
    """A way to compute a scan.

    Parameters
    ----------
    name
        As `scan(backend=...)` and `neurodsr doctor` call it.
    forward
        `forward(problem, keep)` gives the states [member, batch, time, latent], and what the
        adjoint needs later (None unless `keep`), in whatever layout suits the path.
    backward
        `backward(problem, kept, grad, wanted)` gives the gradients that `wanted` (field names of
        `Gradients`) names, from the gradient of all states.
    """

    name: str
    forward: Callable[[Problem, bool], tuple[Tensor, Tensor | None]]
    backward: Callable[[Problem, Tensor, Tensor, frozenset[str]], Gradients]


def scan_along(
    path: Path | Callable[[Problem], Path],
    pwl: PiecewiseLinearMap | AlmostLinearMap,
    z0: Float[Tensor, "*member batch latent"],
    n_steps: int,
    target: Float[Tensor, "*member batch time latent"] | None,
    alpha: Float[Tensor, "..."] | None,
    drive: Float[Tensor, "*member batch time latent"] | None,
) -> Float[Tensor, "*member batch time latent"]:
    """Same values and gradients as the reference, except that `alpha` gets no gradient.

    `path` may be a function that chooses the path once it sees the problem.
    """
    names = _names(type(pwl))
    parts = (*(getattr(pwl, name) for name in names[:-3]), z0, target, drive)
    if alpha is not None:
        alpha = alpha.expand((*z0.shape[:-1], n_steps, z0.shape[-1]))
    empty = type(pwl)(*(None if isinstance(x, Tensor) else x for x in pwl))
    return _Scan.apply(path, _Outline(empty, names, n_steps), alpha, *parts)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        path: Path | Callable[[Problem], Path],
        outline: _Outline,
        alpha: Tensor | None,
        *parts: Tensor | None,
    ) -> Tensor:
        keep = any(ctx.needs_input_grad)
        # Given in sight of autograd, a member axis would cost a node for every tensor.
        ctx.single = parts[-3].ndim == 2
        if ctx.single:
            alpha, *parts = (None if x is None else x.unsqueeze(0) for x in (alpha, *parts))
        problem = outline.filled(alpha, parts)
        path = path if isinstance(path, Path) else path(problem)
        states, kept = path.forward(problem, keep)
        if keep:
            ctx.path, ctx.outline = path, outline
            ctx.save_for_backward(kept, alpha, *parts)
        return states.squeeze(0) if ctx.single else states

    @staticmethod
    @once_differentiable  # gradients of gradients would silently lack a part
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        kept, alpha, *parts = ctx.saved_tensors
        names = ctx.outline.names
        needed = zip(names, ctx.needs_input_grad[3:], strict=True)
        wanted = frozenset(name for name, need in needed if need)
        problem = ctx.outline.filled(alpha, parts)
        grad = grad.unsqueeze(0) if ctx.single else grad
        gradients = ctx.path.backward(problem, kept, grad, wanted)
        found = (getattr(gradients, name) for name in names)
        if ctx.single:
            found = (None if g is None else g.squeeze(0) for g in found)
        return (None, None, None, *found)


class _Outline(NamedTuple):
    """What of a problem is no tensor that autograd knows of.

    Parameters
    ----------
    pwl
        The map without its tensors: which kind it is, and its numbers of units.
    names
        Of the tensors that may get a gradient, as `Gradients` calls them and in the order in which
        autograd has them.
    """

    pwl: PiecewiseLinearMap | AlmostLinearMap
    names: tuple[str, ...]
    n_steps: int

    def filled(self, alpha: Tensor | None, parts: Sequence[Tensor | None]) -> Problem:
        """The problem with its tensors."""
        *of_map, z0, target, drive = parts
        pwl = self.pwl._replace(**dict(zip(self.names, of_map, strict=False)))
        return Problem(pwl, z0, self.n_steps, target, alpha, drive)


@cache
def _names(kind: type[PiecewiseLinearMap | AlmostLinearMap]) -> tuple[str, ...]:
    return (*(name for name in kind._fields if name in Gradients._fields), "z0", "target", "drive")
