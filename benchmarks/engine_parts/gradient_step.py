"""A whole training step around any way to run the map: encode, run, read out, differentiate."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from engine_parts.availability import require_backend
from engine_parts.eager import Unroll
from engine_parts.shapes import ALPHA, Parameters, Shape, Step
from engine_parts.timing import Variant
from neurodsr.kernels.almost_linear import AlmostLinearMap, scan_almost_linear
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.kernels.scan import scan


def eager_step(step: Step, unroll: Unroll) -> Variant:
    """The step around a loop of one's own, on data in the order that suits it: time first."""
    return training_step(step.parameters, step.x, step.y, unroll)


def scan_step(step: Step, backend: str, *, alpha: float | Tensor = ALPHA) -> Variant:
    """The step around `scan` by one of its paths, on data in the package's order: batch first.

    Raises
    ------
    NotAvailableError
        `scan` has no such path here.
    """
    require_backend(backend)

    almost_linear = step.shape.kind == "almost-linear"
    run = scan_almost_linear if almost_linear else scan

    def unroll(p: Parameters, target: Tensor) -> Tensor:
        pwl = as_map(step.shape, p)
        return run(pwl, target[..., 0, :], target=target, alpha=alpha, backend=backend)

    x, y = (v.transpose(-3, -2).contiguous() for v in (step.x, step.y))
    return training_step(step.parameters, x, y, unroll)


def training_step(parameters: Parameters, x: Tensor, y: Tensor, unroll: Unroll) -> Variant:
    """The step as a call that gives the gradients of all parameters, in their order."""
    leaves = {name: p.clone().requires_grad_() for name, p in parameters.items()}

    def run() -> tuple[Tensor, ...]:
        z = unroll(leaves, _linear(x, leaves["E"]))
        loss = functional.mse_loss(_linear(z, leaves["B"], leaves["b"]), y)
        return torch.autograd.grad(loss, list(leaves.values()))

    return Variant(run)


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A linear layer, also where every member has weights of its own."""
    if weight.ndim == 2:
        return functional.linear(x, weight, bias)
    out = x @ weight.unsqueeze(-3).mT
    return out if bias is None else out + bias[:, None, None]


def as_map(shape: Shape, p: Parameters) -> PiecewiseLinearMap | AlmostLinearMap:
    """The problem's map in the shape of its family."""
    if shape.kind == "almost-linear":
        return AlmostLinearMap(p["A"], p["W"], p["h"], len(p["A"]) - shape.hidden)
    return PiecewiseLinearMap(p["A"], p["W1"], p["W2"], p["h1"], p["h2"])


def relative_error(found: tuple[Tensor, ...], exact: tuple[Tensor, ...]) -> float:
    """Largest error of a gradient relative to its parameter's largest entry."""
    pairs = zip(found, exact, strict=True)
    return max(float((a.detach().double().cpu() - b).abs().max() / b.abs().max()) for a, b in pairs)


def exact_gradients(step: Step, unroll: Unroll) -> tuple[Tensor, ...]:
    """The same gradients in float64."""
    return eager_step(step.to("cpu").to(torch.float64), unroll).run()
