"""Latent paths to train maps on, and a map of the Lorenz system that was trained on one."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neurodsr.kernels.pwl import PiecewiseLinearMap, jacobian
from neurodsr.kernels.scan import scan
from neurodsr.run_config import DynamicsConfig
from neurodsr.testing.lorenz import lorenz63, standardize
from neurodsr.training.dynamics_stage import draw_members, dynamics_task
from neurodsr.training.loop import Watch, run_task

BIN_WIDTH, NOISE = 0.02, 0.02  # Lorenz time units; sd of the states


def waves(latent: int, n_bins: int) -> Tensor:
    """A smooth, bounded path of any dimension that never repeats, shape (time, latent)."""
    time = torch.arange(float(n_bins))[:, None]
    # Square roots of whole numbers: no two frequencies are in a simple ratio.
    frequency = 0.05 * torch.arange(1.0, latent + 1).sqrt()
    return torch.sin(frequency * time) + 0.3 * torch.cos(2.7 * frequency * time)


def lorenz_path(n_bins: int, *, seed: int) -> Tensor:
    """A standardized orbit of the Lorenz system, seen with a little noise."""
    g = np.random.default_rng(seed)
    orbit = standardize(lorenz63(n_bins, dt=BIN_WIDTH, generator=g))
    return torch.from_numpy((orbit + NOISE * g.standard_normal(orbit.shape)).astype(np.float32))


def trained_map(path: Tensor, *, hidden: int, n_steps: int, seed: int) -> PiecewiseLinearMap:
    """A map trained on the path: unlike a random one it is as chaotic as what it has learned."""
    config = DynamicsConfig(
        latent_dim=path.shape[1], hidden_dim=hidden, window=200, batch_size=16, n_steps=n_steps
    )
    members = draw_members(config, [seed])
    task = dynamics_task(members, [path], config, name="lorenz", seeds=[seed], alphas=[0.15])
    run_task(task, None, Watch())
    return PiecewiseLinearMap(*(p[0].detach() for p in members.as_map()[:5]))


@torch.no_grad()
def growth(pwl: PiecewiseLinearMap, target: Tensor, alpha: float) -> float:
    """Log growth per step of a small difference under forcing, along targets [time, latent].

    Below 0 the orbit forgets its start: about ln(1/tolerance) / |growth| steps are needed.
    """
    states = scan(pwl, target[None, 0], target=target[None], alpha=alpha)[0]
    mixed = torch.lerp(torch.cat([target[:1], states[:-1]]), target, alpha)
    tangent, total = torch.ones(pwl.latent_dim, dtype=torch.float64), 0.0
    for J in (1 - alpha) * jacobian(pwl.to(torch.float64), mixed.double()):
        tangent = J @ tangent
        size = tangent.norm()
        tangent, total = tangent / size, total + float(size.log())
    return total / len(target)
