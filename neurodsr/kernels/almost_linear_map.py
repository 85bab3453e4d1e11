r"""The almost-linear map, $z' = A z + W \phi(z) + h$: only the last few latents are rectified."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.kernels.pwl import PiecewiseLinearMap


class AlmostLinearMap(NamedTuple):
    r"""An almost-linear map of the latent state, possibly a stack of them.

    $$z' = A \odot z + W \phi(z) + h, \qquad
      \phi(z) = (z_1, \ldots, z_{M-P}, \mathrm{relu}(z_{M-P+1}), \ldots, \mathrm{relu}(z_M))$$

    Every tensor may carry one leading ensemble axis.

    Parameters
    ----------
    A
        Diagonal of the linear part.
    n_linear
        $M - P$, how many of the first latents are not rectified; the same in every member.

    References
    ----------
    Brenner et al. 2024, NeurIPS (almost-linear RNNs).
    """

    A: Float[Tensor, "*member latent"]
    W: Float[Tensor, "*member latent latent"]
    h: Float[Tensor, "*member latent"]
    n_linear: int

    @property
    def latent_dim(self) -> int:
        """Dimension of the state."""
        return self.A.shape[-1]

    def as_pwl(self) -> PiecewiseLinearMap:
        r"""The same map in canonical form, for everything that analyzes maps.

        A linear latent becomes two hidden units, $z = \mathrm{relu}(z) - \mathrm{relu}(-z)$. All
        values are the same, and so is the Jacobian, except where a linear latent is exactly 0.
        Region codes tell the signs of linear latents too, though nothing changes there.
        """
        linear, members = self.n_linear, self.A.shape[:-1]
        eye = torch.eye(self.latent_dim).to(self.A)
        W2 = torch.cat([eye[:linear], -eye[:linear], eye[linear:]])
        of_linear, of_rectified = self.W[..., :linear], self.W[..., linear:]
        return PiecewiseLinearMap(
            A=self.A,
            W1=torch.cat([of_linear, -of_linear, of_rectified], dim=-1),
            W2=W2.expand(*members, *W2.shape),
            h1=self.h,
            h2=self.A.new_zeros(*members, len(W2)),
        )


def step_almost_linear(
    pwl: AlmostLinearMap, z: Float[Tensor, "*member batch latent"]
) -> Float[Tensor, "*member batch latent"]:
    """One application of the map to a batch of states."""
    linear, rectified = z.tensor_split([pwl.n_linear], dim=-1)
    bent = torch.cat([linear, torch.relu(rectified)], dim=-1)
    return pwl.A.unsqueeze(-2) * z + bent @ pwl.W.mT + pwl.h.unsqueeze(-2)
