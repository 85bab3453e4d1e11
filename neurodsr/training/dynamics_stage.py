r"""Second stage: the latent map, by generalized teacher forcing on the cached latent path.

$$\mathcal L = \overline{|z_t - \hat z_t|^2} / \sigma^2_{\hat z} + \lambda (|W_1|^2 + |W_2|^2)$$

with $z_{t+1} = F((1-\alpha) z_t + \alpha \hat z_t)$. Encoder and decoders stay as they are:
joint training from scratch, and joint fine-tuning afterwards, both measured worse.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.kernels.scan import scan
from neurodsr.models.clipped_shallow import ClippedShallow
from neurodsr.models.dynamics import LatentDynamics
from neurodsr.models.loss import consistency, weight_penalty
from neurodsr.run_config import DynamicsConfig
from neurodsr.seeds import derive_seed, generator
from neurodsr.training.loop import Task, clip_members
from neurodsr.training.windows import WindowSampler

MAX_GRADIENT = 5.0
FAMILIES: dict[str, type[LatentDynamics]] = {"clipped-shallow": ClippedShallow}


def draw_members(config: DynamicsConfig, seeds: Sequence[int]) -> LatentDynamics:
    """Random initial members, one per seed."""
    return FAMILIES[config.family].draw(
        config.latent_dim,
        config.hidden_dim,
        generators=[generator(seed, "initial map") for seed in seeds],
    )


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

    Every member draws windows of its own, so that members differ in more than their start.
    """
    samplers = [
        WindowSampler(
            {"teacher": list(teacher)},
            length=config.window + 1,
            batch_size=config.batch_size,
            seed=derive_seed(seed, "dynamics"),
        )
        for seed in seeds
    ]
    variance = torch.cat(list(teacher)).var(0).sum()
    noise_scale = config.teacher_noise * torch.cat(list(teacher)).std(0)

    def loss(k: int) -> Tensor:
        target = torch.stack([s.batch(k)["teacher"] for s in samplers])
        forcing = target[:, :, :-1]
        if config.teacher_noise:
            g = generator(seeds[0], "teacher noise", k)
            forcing = forcing + noise_scale * torch.randn(forcing.shape, generator=g)
        alpha = torch.tensor([_alpha(config, a, k) for a in alphas]).view(-1, 1, 1, 1)
        pwl = members.as_map()
        z = scan(pwl, forcing[:, :, 0], target=forcing, alpha=alpha)
        fit = consistency(z, target[:, :, 1:], variance)
        return (fit + config.weight_decay * weight_penalty(pwl)).sum()

    return Task(
        name, members, loss, clip_members(MAX_GRADIENT), config.n_steps, config.learning_rate
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


def _alpha(config: DynamicsConfig, final: float, k: int) -> float:
    """Forcing at step k: geometric from `alpha_start` to `final` over 70 % of the steps."""
    if config.alpha_start is None:
        return final
    return config.alpha_start * (final / config.alpha_start) ** min(1.0, k / (0.7 * config.n_steps))
