r"""The running average of parameters in training: a steadier map than the last step's.

$$\bar\theta_k = d_k\, \bar\theta_{k-1} + (1 - d_k)\, \theta_k, \qquad
  d_k = \min\left(d, \frac{1 + k}{10 + k}\right)$$
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn


def average_keeps(decay: float, k: int) -> float:
    """Weight $d_k$ of the average before step k (from 0 on); early ones forget the start sooner.

    The 10 is what Abadi et al. 2016 (TensorFlow's moving averages) use.
    """
    return min(decay, (1 + k) / (10 + k))


class Averaged(nn.Module):
    """A module in training beside the running average of its parameters.

    The average is a part of the state: a checkpoint of this module holds both.

    Parameters
    ----------
    module
        What is optimized.
    decay
        The $d$ above; 0: the average is the module itself.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        super().__init__()
        self.module, self.decay = module, decay
        self.average = deepcopy(module).requires_grad_(False)

    @torch.no_grad()
    def follow(self, k: int) -> None:
        """Take in the parameters that step k left."""
        keep = average_keeps(self.decay, k)
        pairs = zip(self.average.parameters(), self.module.parameters(), strict=True)
        for average, parameter in pairs:
            average.lerp_(parameter, 1 - keep)

    @torch.no_grad()
    def settle(self) -> None:
        """Give the module its average as parameters."""
        self.module.load_state_dict(self.average.state_dict())
