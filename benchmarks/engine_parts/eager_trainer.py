"""The dynamics stage as a good torch user writes it: the baseline of the fused trainer."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

BATCH, WINDOW, N_STEPS = 16, 200, 6000
RATES, ALPHAS, MAX_GRADIENT, AVERAGING = (5e-3, 1e-4), (0.5, 0.1), 5.0, 0.998


class EagerTrainer:
    """One clipped shallow map, advanced one optimization step a call.

    Parameters
    ----------
    teacher
        Latent path [time, latent] that windows are drawn from.
    hidden
        Hidden units.
    seed
        Of parameters and windows.
    """

    def __init__(self, teacher: Tensor, hidden: int, seed: int) -> None:
        self.teacher, self.k, latent = teacher, 0, teacher.shape[1]
        self.generator = g = torch.Generator().manual_seed(seed)
        self.offsets = torch.arange(WINDOW + 1)[:, None]
        self.parameters = [
            torch.full((latent,), 1.47),
            (2 * torch.rand(latent, hidden, generator=g) - 1) * hidden**-0.5,
            (2 * torch.rand(hidden, latent, generator=g) - 1) * latent**-0.5,
            torch.zeros(latent),
            2 * torch.rand(hidden, generator=g) - 1,
        ]
        self.average = [p.clone() for p in self.parameters]
        for p in self.parameters:
            p.requires_grad_()
        self.optimizer = torch.optim.RAdam(self.parameters, lr=RATES[0])
        decay = (RATES[1] / RATES[0]) ** (1 / N_STEPS)
        self.schedule = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, decay)

    def step(self) -> None:
        """Sample, run, differentiate, clip, optimize, average."""
        starts = torch.randint(len(self.teacher) - WINDOW, (BATCH,), generator=self.generator)
        window = self.teacher[starts + self.offsets]
        loss = functional.mse_loss(self._run(window[:-1]), window[1:])
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, MAX_GRADIENT)
        self.optimizer.step()
        self.schedule.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self.parameters, 1 - AVERAGING)
        self.k += 1

    def _run(self, target: Tensor) -> Tensor:
        a, W1, W2, h1, h2 = self.parameters
        A, z, states = a.tanh(), target[0], []
        alpha = ALPHAS[0] * (ALPHAS[1] / ALPHAS[0]) ** min(1.0, self.k / (0.7 * N_STEPS))
        for forcing in target.unbind(0):
            mixed = alpha * forcing + (1 - alpha) * z
            inner = mixed @ W2.T
            z = A * mixed + (torch.relu(inner + h2) - torch.relu(inner)) @ W1.T + h1
            states.append(z)
        return torch.stack(states)
