r"""Second stage: the latent map, by generalized teacher forcing on the cached latent path.

$$\mathcal L = \overline{|z_t - \hat z_t|^2} / \sigma^2_{\hat z} + \lambda (|W_1|^2 + |W_2|^2)$$

with $z_{t+1} = F((1-\alpha) z_t + \alpha \hat z_t)$. Encoder and decoders stay as they are:
joint training from scratch, and joint fine-tuning afterwards, both measured worse. This is the
training in plain torch, for every family and device; `fused.py` does the same in compiled code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.kernels.scan import scan
from neurodsr.models.clipped_shallow import ClippedShallow
from neurodsr.models.dynamics import LatentDynamics
from neurodsr.models.loss import consistency, weight_penalty
from neurodsr.run_config import DynamicsConfig
from neurodsr.seeds import generator
from neurodsr.training.averaging import Averaged
from neurodsr.training.loop import Task, Watch, clip_members, run_task
from neurodsr.training.teacher import Teacher, windows_seed

MAX_GRADIENT = 5.0
FAMILIES: dict[str, type[LatentDynamics]] = {"clipped-shallow": ClippedShallow}


def draw_members(config: DynamicsConfig, seeds: Sequence[int]) -> LatentDynamics:
    """Random initial members, one per seed."""
    return FAMILIES[config.family].draw(
        config.latent_dim,
        config.hidden_dim,
        generators=[generator(seed, "initial map") for seed in seeds],
    )


def train_members(
    members: LatentDynamics,
    teacher: Sequence[Float[Tensor, "_time latent"]],
    config: DynamicsConfig,
    *,
    name: str,
    seeds: Sequence[int],
    alphas: Sequence[float],
    folder: Path | None,
    watch: Watch,
) -> dict[str, list[int | float]]:
    """Train members side by side, in place; arguments and errors are `dynamics_task`'s.

    Returns
    -------
    History: "step", and the mean "loss" since the entry before, summed over members.
    """
    task = dynamics_task(members, teacher, config, name=name, seeds=seeds, alphas=alphas)
    history = run_task(task, folder, watch)
    task.module.follow(config.n_steps - 1)
    task.module.settle()
    return history


def dynamics_task(
    members: LatentDynamics,
    teacher: Sequence[Float[Tensor, "_time latent"]],
    config: DynamicsConfig,
    *,
    name: str,
    seeds: Sequence[int],
    alphas: Sequence[float],
) -> Task:
    """Set up the training of some members on the encoded training stretches.

    Every member draws windows and noise of its own, from its seed alone, so that members differ
    in more than their start and no member depends on who is trained beside it.

    Raises
    ------
    DataError
        No stretch is as long as a window.
    """
    given = Teacher.of(teacher, window=config.window)
    averaged = Averaged(members, config.average)
    sd = config.teacher_noise * given.path.std(0)
    own = [windows_seed(seed) for seed in seeds]

    def loss(k: int) -> Tensor:
        if k:
            averaged.follow(k - 1)
        target = torch.stack([given.windows(seed, k, config.batch_size) for seed in own])
        forcing = target[:, :, :-1]
        if config.teacher_noise:
            noise = [given.noise(sd, seed, k, config.batch_size) for seed in own]
            forcing = forcing + torch.stack(noise)
        alpha = torch.tensor([alpha_at(config, a, k) for a in alphas], dtype=torch.float64)
        pwl = members.as_map()
        z = scan(pwl, forcing[:, :, 0], target=forcing, alpha=alpha.view(-1, 1, 1, 1))
        fit = consistency(z, target[:, :, 1:], given.variance)
        return (fit + config.weight_decay * weight_penalty(pwl)).sum()

    return Task(
        name, averaged, loss, clip_members(MAX_GRADIENT), config.n_steps, config.learning_rate
    )


@torch.no_grad()
def forced_residual(
    members: LatentDynamics,
    path: Sequence[Float[Tensor, "_time latent"]],
    alphas: Sequence[float],
) -> Float[Tensor, " member"]:
    """One-step residual under forcing along whole encoded stretches, per total variance."""
    pwl = members.as_map()
    variance = torch.cat(list(path)).var(0).sum()
    n = len(alphas)
    alpha = torch.tensor(list(alphas)).view(-1, 1, 1, 1)
    total, weight = torch.zeros(n), 0
    for stretch in path:
        if len(stretch) < 2:
            continue
        forcing = stretch[:-1].expand(n, 1, -1, -1)
        z = scan(pwl, forcing[:, :, 0], target=forcing, alpha=alpha)
        total += consistency(z, stretch[1:].expand(n, 1, -1, -1), variance) * len(stretch)
        weight += len(stretch)
    return total / weight


def alpha_at(config: DynamicsConfig, final: float, k: int) -> float:
    """Forcing at step k: geometric from `alpha_start` to `final` over 70 % of the steps."""
    if config.alpha_start is None:
        return final
    return config.alpha_start * (final / config.alpha_start) ** min(1.0, k / (0.7 * config.n_steps))
