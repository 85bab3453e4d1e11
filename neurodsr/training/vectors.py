"""Many parameters as one vector: an optimizer's step is then a few operations, however many."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


class ParameterVector:
    """Parameters of one number format laid end to end; they become views of it.

    What changes the vector changes them, and the other way round. An element-wise optimizer so
    does the same to the vector as it would to each of them, without its cost for each.

    Parameters
    ----------
    parameters
        Leaves of one dtype and device.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = list(parameters)
        self.whole = torch.cat([p.detach().flatten() for p in self.parameters])
        for p, part in zip(self.parameters, self.parts(self.whole), strict=True):
            p.data = part

    def parts(self, vector: Float[Tensor, " number"]) -> list[Tensor]:
        """The pieces of a vector of this length, each in its parameter's shape."""
        pieces = vector.split([p.numel() for p in self.parameters])
        return [piece.view_as(p) for piece, p in zip(pieces, self.parameters, strict=True)]

    def collect_gradients(self) -> None:
        """Copy the gradients of the parameters into that of the vector; 0 where there is none."""
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        self.whole.grad = torch.cat([g.flatten() for g in grads])


def as_vectors(parameters: Sequence[Tensor]) -> list[ParameterVector]:
    """All parameters as vectors: one, unless their number formats or devices differ."""
    groups: dict[object, list[Tensor]] = {}
    for p in parameters:
        groups.setdefault((p.dtype, p.device), []).append(p)
    return [ParameterVector(group) for group in groups.values()]
