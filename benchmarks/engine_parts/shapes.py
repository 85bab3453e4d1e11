r"""The four training problems of issue 5: sizes, parameters and data.

A step encodes, runs the forced map, reads out and compares, with gradients of all parameters:

$$\hat z = x E^\top, \quad z_{t+1} = F((1-\alpha) z_t + \alpha \hat z_t), \quad
  \mathcal L = \overline{(z B^\top + b - y)^2}$$

with $\alpha = 0.15$ and $z_0 = \hat z_0$. $F$ is the shallow map
$A z + W_1 \mathrm{relu}(W_2 z + h_2) + h_1$ or the almost-linear one, $A z + W \phi(z) + h$,
whose $\phi$ rectifies the last few latents.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

ALPHA = 0.15
Parameters = dict[str, Tensor]


class Shape(NamedTuple):
    """Sizes of a training problem; `hidden` counts ReLUs, whichever the kind of map."""

    name: str
    kind: Literal["shallow", "almost-linear"]
    batch: int
    time: int
    latent: int
    hidden: int
    channels: int

    @property
    def core_flops(self) -> int:
        """Floating-point operations of the recursion alone, forward and backward."""
        weights = 2 * self.hidden if self.kind == "shallow" else self.latent
        return 6 * self.latent * weights * self.batch * self.time


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("S1", "shallow", 16, 200, 3, 50, 3),
        Shape("S2", "shallow", 16, 200, 20, 500, 64),
        Shape("S3", "shallow", 32, 1000, 64, 512, 128),
        Shape("S4", "almost-linear", 16, 200, 30, 10, 64),
    )
}


class Step(NamedTuple):
    """A problem with its parameters and data, `x` and `y` as [time, batch, channel]."""

    shape: Shape
    parameters: Parameters
    x: Tensor
    y: Tensor

    def to(self, *args: torch.dtype | str) -> Step:
        """The same problem in another dtype or on another device."""
        parameters = {name: p.to(*args) for name, p in self.parameters.items()}
        return Step(self.shape, parameters, self.x.to(*args), self.y.to(*args))


def draw_step(shape: Shape, *, seed: int = 0) -> Step:
    """Random parameters whose orbits stay bounded, and a random walk that is predicted."""
    g = torch.Generator().manual_seed(seed)
    parameters = draw_map(shape, g) | {
        "E": _normal(g, shape.latent, shape.channels, sd=shape.channels**-0.5),
        "B": _normal(g, shape.channels, shape.latent, sd=shape.latent**-0.5),
        "b": _normal(g, shape.channels, sd=0.1),
    }
    walk = _normal(g, shape.time + 1, shape.batch, shape.channels).cumsum(0)
    walk /= walk.std()
    return Step(shape, parameters, walk[:-1].contiguous(), walk[1:].contiguous())


def draw_map(shape: Shape, g: torch.Generator) -> Parameters:
    """The parameters of the map alone."""
    latent, hidden = shape.latent, shape.hidden
    A = 0.9 * torch.rand(latent, generator=g)
    if shape.kind == "almost-linear":
        W = _normal(g, latent, latent, sd=0.3 * latent**-0.5)
        return {"A": A, "W": W, "h": _normal(g, latent, sd=0.1)}
    return {
        "A": A,
        "W1": _normal(g, latent, hidden, sd=0.5 * hidden**-0.5),
        "W2": _normal(g, hidden, latent, sd=0.7 * latent**-0.5),
        "h1": _normal(g, latent, sd=0.1),
        "h2": _normal(g, hidden, sd=0.3),
    }


def _normal(g: torch.Generator, *shape: int, sd: float = 1.0) -> Tensor:
    return sd * torch.randn(*shape, generator=g)
