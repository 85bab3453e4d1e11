"""The contract of a latent dynamics: a trainable module that gives a piecewise-linear map."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

from neurodsr.kernels.pwl import PiecewiseLinearMap


class LatentDynamics(nn.Module, ABC):
    """One or several members of the piecewise-linear family, trained side by side.

    Every parameter has a leading member axis, so that an ensemble advances in one call.
    """

    @abstractmethod
    def as_map(self) -> PiecewiseLinearMap:
        """The map in canonical form, differentiable, with a leading member axis."""

    @classmethod
    @abstractmethod
    def draw(
        cls, latent_dim: int, hidden_dim: int, *, generators: list[torch.Generator]
    ) -> LatentDynamics:
        """Random initial members, one per generator."""
