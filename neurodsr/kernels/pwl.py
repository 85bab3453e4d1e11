r"""The one map behind the family: $z' = A z + W_1\,\mathrm{relu}(W_2 z + h_2) + h_1 + C s$."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class PiecewiseLinearMap(NamedTuple):
    r"""A piecewise-linear map of the latent state, possibly a stack of them.

    $$z' = A \odot z + W_1\,\mathrm{relu}(W_2 z + h_2) + h_1 + C s$$

    `A` is the diagonal of the linear part. Every tensor may carry one leading ensemble axis.
    Shallow, clipped shallow ($[W_1,-W_1]$, $[W_2;W_2]$, $[h_2;0]$), dendritic and almost-linear
    PLRNNs are all this map, so that Jacobians, exponents and kernels exist once.
    """

    A: Float[Tensor, "*member latent"]
    W1: Float[Tensor, "*member latent hidden"]
    W2: Float[Tensor, "*member hidden latent"]
    h1: Float[Tensor, "*member latent"]
    h2: Float[Tensor, "*member hidden"]
    C: Float[Tensor, "*member latent input"] | None = None

    @property
    def latent_dim(self) -> int:
        """Dimension of the state."""
        return self.A.shape[-1]

    def member(self, i: int) -> PiecewiseLinearMap:
        """The i-th map of a stack."""
        return PiecewiseLinearMap(*(p if p is None else p[i] for p in self))

    def to(self, *args: torch.dtype | torch.device | str) -> PiecewiseLinearMap:
        """The same map in another dtype or on another device."""
        return PiecewiseLinearMap(*(p if p is None else p.to(*args) for p in self))


def step(
    pwl: PiecewiseLinearMap,
    z: Float[Tensor, "*member batch latent"],
    s: Float[Tensor, "*member batch input"] | None = None,
) -> Float[Tensor, "*member batch latent"]:
    """One application of the map to a batch of states."""
    hidden = torch.relu(z @ pwl.W2.mT + pwl.h2.unsqueeze(-2))
    out = pwl.A.unsqueeze(-2) * z + hidden @ pwl.W1.mT + pwl.h1.unsqueeze(-2)
    return out if s is None or pwl.C is None else out + s @ pwl.C.mT


def region_code(
    pwl: PiecewiseLinearMap, z: Float[Tensor, "*member batch latent"]
) -> Bool[Tensor, "*member batch hidden"]:
    """Which hidden ReLUs are on: the name of the linear region that a state lies in."""
    return z @ pwl.W2.mT + pwl.h2.unsqueeze(-2) > 0


def jacobian(
    pwl: PiecewiseLinearMap, z: Float[Tensor, "*member batch latent"]
) -> Float[Tensor, "*member batch latent latent"]:
    r"""The exact derivative $\mathrm{diag}(A) + W_1 \mathrm{diag}(W_2 z + h_2 > 0) W_2$."""
    on = region_code(pwl, z).to(z.dtype)
    linear = torch.diag_embed(pwl.A).unsqueeze(-3)
    return linear + (pwl.W1.unsqueeze(-3) * on.unsqueeze(-2)) @ pwl.W2.unsqueeze(-3)
