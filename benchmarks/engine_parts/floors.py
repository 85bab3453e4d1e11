"""Floor A: the arithmetic of the recursion as batched matrix products, as if time did not matter.

No exact engine that multiplies with the same library can be much faster: all steps are there at
once, where a recursion has one skinny product after the other. Encoder and readout are not in it.
"""

from __future__ import annotations

import torch

from engine_parts.shapes import Step
from engine_parts.timing import Variant


def floor(step: Step) -> Variant:
    """The products of forward pass, adjoint and weight gradients, into memory that is kept."""
    return _shallow(step) if step.shape.kind == "shallow" else _almost_linear(step)


def _shallow(step: Step) -> Variant:
    W1, W2 = step.parameters["W1"], step.parameters["W2"]
    rows = step.shape.batch * step.shape.time
    z, h = W1.new_ones(rows, step.shape.latent), W1.new_ones(rows, step.shape.hidden)
    W1t, W2t = W1.T.contiguous(), W2.T.contiguous()
    to_z, to_h, to_W1, to_W2 = (torch.empty_like(v) for v in (z, h, W1, W2))

    def run() -> None:
        torch.mm(z, W2t, out=to_h)
        torch.mm(h, W1t, out=to_z)
        torch.mm(z, W1, out=to_h)
        torch.mm(h, W2, out=to_z)
        torch.mm(z.T, h, out=to_W1)
        torch.mm(h.T, z, out=to_W2)

    return Variant(run)


def _almost_linear(step: Step) -> Variant:
    W = step.parameters["W"]
    z = W.new_ones(step.shape.batch * step.shape.time, step.shape.latent)
    to_z, to_W = torch.empty_like(z), torch.empty_like(W)

    def run() -> None:
        torch.mm(z, W, out=to_z)
        torch.mm(z, W, out=to_z)
        torch.mm(z.T, z, out=to_W)

    return Variant(run)
