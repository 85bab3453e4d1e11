"""The training loop: a pure function of the step number, guarded, resumable bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import torch
from torch import Tensor, nn

from neurodsr.errors import NumericalError, PreemptedError
from neurodsr.training.checkpoint import load_checkpoint, save_checkpoint
from neurodsr.training.state import TrainingState

SNAPSHOT_STEPS = 200  # a run goes back to a multiple of this, so resuming changes no bit
SECONDS_BETWEEN_CHECKPOINTS = 2.0
MAX_ROLLBACKS = 3
OVERFITTED = 0.01  # nats of held-out loss above its lowest


class StopRequestedError(Exception):
    """Raised inside the loop after a stop was asked for and a checkpoint saved."""


@dataclass
class Task:
    """One thing to optimize.

    Parameters
    ----------
    name
        For messages and folders.
    module
        Its parameters are optimized.
    loss
        Loss at step k; a pure function of k and the parameters.
    clip
        Scales the gradients of the given parameters in place.
    n_steps
        Steps in all.
    learning_rate
        First and last, exponential between.
    score
        Held-out loss of the present parameters; where given, and where it has risen in the end,
        the best ones seen at a snapshot are kept instead of the last.
    """

    name: str
    module: nn.Module
    loss: Callable[[int], Tensor]
    clip: Callable[[list[Tensor]], None]
    n_steps: int
    learning_rate: tuple[float, float]
    score: Callable[[], float] | None = None


@dataclass
class Watch:
    """How the loop is seen and stopped from outside."""

    progress: Callable[[int], None] = field(default=lambda step: None)
    stop: Callable[[], bool] = field(default=lambda: False)


def run_task(task: Task, folder: Path | None, watch: Watch) -> dict[str, list[int | float]]:
    """Optimize a task from its newest checkpoint in `folder`, or from the start.

    A loss or gradient that is not finite takes the run back to the last snapshot with half the
    learning rate, three times at most.

    Returns
    -------
    History: "step" and the mean "loss" since the entry before.

    Raises
    ------
    NumericalError
        The loss stayed non-finite.
    StopRequestedError
        `watch.stop` became true; a checkpoint lies in the folder.
    """
    loop = _Loop(task, folder, watch)
    try:
        while loop.state.step < task.n_steps:
            if watch.stop():
                raise StopRequestedError(task.name)
            loop.step()
    except (StopRequestedError, KeyboardInterrupt, PreemptedError):
        loop.save()
        raise
    # The last parameters are the annealed ones: better than a slightly lower score of noisier.
    best = loop.state.best_score
    if task.score is not None and best is not None and task.score() > best + OVERFITTED:
        task.module.load_state_dict(loop.state.best)
    return loop.state.history


class _Loop:
    """The state of a task with its last snapshot, and when that was last saved."""

    def __init__(self, task: Task, folder: Path | None, watch: Watch) -> None:
        self.task, self.folder, self.watch = task, folder, watch
        self.state = TrainingState.start(task.module, task.learning_rate)
        if folder is not None and (found := load_checkpoint(folder)) is not None:
            self.state.restore(*found)
        self.snapshot, self.saved_at = self.state.capture(), monotonic()

    def step(self) -> None:
        if not _advance(self.task, self.state):
            _roll_back(self.task, self.state, self.snapshot)
        elif self.state.step % SNAPSHOT_STEPS == 0:
            if self.task.score is not None:
                self.state.keep_if_best(self.task.score())
            self.snapshot = self.state.capture()
            self.watch.progress(self.state.step)
            if monotonic() - self.saved_at > SECONDS_BETWEEN_CHECKPOINTS:
                self.save()

    def save(self) -> None:
        if self.folder is not None:
            save_checkpoint(self.folder, *self.snapshot)
        self.saved_at = monotonic()


def _advance(task: Task, state: TrainingState) -> bool:
    """One step; False where the loss or a gradient is not finite, with nothing changed."""
    for p in state.parameters:
        p.grad = None
    loss = task.loss(state.step)
    loss.backward()
    for p in state.parameters:
        p.grad = torch.zeros_like(p) if p.grad is None else p.grad  # one that nothing depends on
    task.clip(state.parameters)
    return state.apply(loss.item(), task.n_steps)


def _roll_back(task: Task, state: TrainingState, snapshot: tuple[dict, dict[str, Tensor]]) -> None:
    rollbacks, scale = state.rollbacks + 1, state.rate_scale / 2
    if rollbacks > MAX_ROLLBACKS:
        raise NumericalError(
            f"the loss of {task.name} is not finite at step {state.step}, also after "
            f"{MAX_ROLLBACKS} returns with half the learning rate",
            fix="lower the learning_rate, or look for extreme values in the data with "
            "`neurodsr inspect`",
        )
    state.restore(*snapshot)
    state.rollbacks, state.rate_scale = rollbacks, scale


def clip_together(max_norm: float) -> Callable[[list[Tensor]], None]:
    """Clip the norm of all gradients taken together."""

    def clip(parameters: list[Tensor]) -> None:
        nn.utils.clip_grad_norm_(parameters, max_norm, foreach=True)

    return clip


def clip_members(max_norm: float) -> Callable[[list[Tensor]], None]:
    """Clip each member's gradients by that member's own norm (members are the first axis)."""

    def clip(parameters: list[Tensor]) -> None:
        squares = torch.stack([p.grad.flatten(1).pow(2).sum(1) for p in parameters]).sum(0)
        factor = (max_norm / (squares.sqrt() + 1e-6)).clamp(max=1.0)
        for p in parameters:
            p.grad.mul_(factor.view(-1, *[1] * (p.grad.ndim - 1)))

    return clip
