"""Everything that a training loop carries from one step to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn

from neurodsr.training.vectors import ParameterVector, as_vectors

HISTORY_STEPS = 50
COUNTER = "step"
"""What RAdam remembers once for a vector; all else it remembers for each number in it."""


@dataclass
class TrainingState:
    """Parameters, optimizer, step number and history of one task.

    `rate_scale` and `rollbacks` belong to the divergence guard, `best` holds the parameters that
    scored best on held-out data so far.
    """

    module: nn.Module
    parameters: list[Tensor]
    vectors: list[ParameterVector]
    optimizer: torch.optim.Optimizer
    learning_rate: tuple[float, float]
    step: int = 0
    rate_scale: float = 1.0
    rollbacks: int = 0
    running: float = 0.0
    history: dict[str, list[int | float]] = field(default_factory=lambda: {"step": [], "loss": []})
    best_score: float | None = None
    best: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def start(cls, module: nn.Module, learning_rate: tuple[float, float]) -> TrainingState:
        """The state before the first step, with a RAdam optimizer."""
        parameters = [p for p in module.parameters() if p.requires_grad]
        vectors = as_vectors(parameters)
        optimizer = torch.optim.RAdam([v.whole for v in vectors], lr=learning_rate[0])
        return cls(module, parameters, vectors, optimizer, learning_rate)

    def apply(self, loss: float, n_steps: int) -> bool:
        """Take the optimizer's step at this step's learning rate, and note the loss.

        False where the loss or a gradient is not finite, with nothing changed.
        """
        for vector in self.vectors:
            vector.collect_gradients()
        if not (isfinite(loss) and all(v.whole.grad.isfinite().all() for v in self.vectors)):
            return False
        first, last = self.learning_rate
        rate = first * (last / first) ** (self.step / n_steps) * self.rate_scale
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.step += 1
        self.running += loss
        if self.step % HISTORY_STEPS == 0:
            self.history["step"].append(self.step)
            self.history["loss"].append(self.running / HISTORY_STEPS)
            self.running = 0.0
        return True

    def keep_if_best(self, score: float) -> None:
        """Remember the parameters if no earlier ones had a lower held-out score."""
        if self.best_score is None or score < self.best_score:
            self.best_score = score
            self.best = {k: v.clone() for k, v in self.module.state_dict().items()}

    def capture(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """A copy of everything: JSON-able facts and tensors."""
        facts = {
            "step": self.step,
            "rate_scale": self.rate_scale,
            "rollbacks": self.rollbacks,
            "running": self.running,
            "best_score": self.best_score,
            "history": {k: list(v) for k, v in self.history.items()},
        }
        tensors = {f"module/{k}": v.clone() for k, v in self.module.state_dict().items()}
        tensors |= {f"best/{k}": v for k, v in self.best.items()}
        for vector in self.vectors:
            for name, value in self.optimizer.state.get(vector.whole, {}).items():
                n = len(vector.parameters)
                parts = [value] * n if name == COUNTER else vector.parts(value)
                for p, part in zip(vector.parameters, parts, strict=True):
                    tensors[f"{self._place(p)}{name}"] = part.clone()
        return facts, tensors

    def restore(self, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Go back to a captured state."""
        self.step, self.running = facts["step"], facts["running"]
        self.rate_scale, self.rollbacks = facts["rate_scale"], facts["rollbacks"]
        self.history = {k: list(v) for k, v in facts["history"].items()}
        self.best_score, self.best = facts["best_score"], _under("best/", tensors)
        self.module.load_state_dict(_under("module/", tensors))
        self.optimizer.state.clear()
        for vector in self.vectors:
            moments = [_under(self._place(p), tensors) for p in vector.parameters]
            for name, value in moments[0].items():
                whole = torch.cat([m[name].flatten() for m in moments])
                self.optimizer.state[vector.whole][name] = (
                    value.clone() if name == COUNTER else whole
                )

    def _place(self, parameter: Tensor) -> str:
        """Where a checkpoint holds what the optimizer remembers of a parameter."""
        number = next(i for i, p in enumerate(self.parameters) if p is parameter)
        return f"optimizer/{number}/"


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
