"""The recursion as a good torch user writes it: the baseline, and what it could still gain.

Targets come from `unbind` and states go into one `stack`. Indexing `target[t]`, or writing
`states[t] = z`, costs a copy of the whole gradient at every step: O(T^2), and not compared with.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine_parts.shapes import ALPHA, Parameters, Shape

Unroll = Callable[[Parameters, Tensor], Tensor]
"""Parameters and targets [time, batch, latent] to states [time, batch, latent]."""


def eager_loop(shape: Shape) -> Unroll:
    """The baseline: the equation as it stands in the papers."""
    advance = _shallow if shape.kind == "shallow" else _almost_linear(shape)

    def unroll(p: Parameters, target: Tensor) -> Tensor:
        z, states = target[0], []
        for forcing in target.unbind(0):
            z = advance(p, ALPHA * forcing + (1 - ALPHA) * z)
            states.append(z)
        return torch.stack(states)

    return unroll


def fused_loop(shape: Shape) -> Unroll:
    """The same with the fewest operations that autograd can be given: lerp, addmm, addcmul."""
    advance = _shallow_fused if shape.kind == "shallow" else _almost_linear_fused(shape)

    def unroll(p: Parameters, target: Tensor) -> Tensor:
        z, states = target[0], []
        for forcing in target.unbind(0):
            z = advance(p, torch.lerp(z, forcing, ALPHA))
            states.append(z)
        return torch.stack(states)

    return unroll


def _shallow(p: Parameters, z: Tensor) -> Tensor:
    return p["A"] * z + torch.relu(z @ p["W2"].T + p["h2"]) @ p["W1"].T + p["h1"]


def _shallow_fused(p: Parameters, z: Tensor) -> Tensor:
    hidden = torch.relu(torch.addmm(p["h2"], z, p["W2"].T))
    return torch.addmm(torch.addcmul(p["h1"], p["A"], z), hidden, p["W1"].T)


def _almost_linear(shape: Shape) -> Callable[[Parameters, Tensor], Tensor]:
    n_linear = shape.latent - shape.hidden

    def advance(p: Parameters, z: Tensor) -> Tensor:
        bent = torch.cat([z[:, :n_linear], torch.relu(z[:, n_linear:])], dim=1)
        return p["A"] * z + bent @ p["W"].T + p["h"]

    return advance


def _almost_linear_fused(shape: Shape) -> Callable[[Parameters, Tensor], Tensor]:
    least = torch.full((shape.latent,), -torch.inf)
    least[shape.latent - shape.hidden :] = 0

    def advance(p: Parameters, z: Tensor) -> Tensor:
        bent = torch.maximum(z, least.to(z))
        return torch.addmm(torch.addcmul(p["h"], p["A"], z), bent, p["W"].T)

    return advance
