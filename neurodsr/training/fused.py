"""Train a map in compiled code: the loop around it, guarded, resumable bit for bit.

Between calls of some steps the run can be stopped, and its progress told; at every multiple of
`SNAPSHOT_STEPS` it leaves a snapshot, from which any later step follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from neurodsr.errors import NumericalError, PreemptedError
from neurodsr.kernels.trainer import Schedule, TrainingProblem, can_train, train_steps
from neurodsr.models.clipped_shallow import ClippedShallow
from neurodsr.run_config import DynamicsConfig
from neurodsr.training.averaging import average_keeps
from neurodsr.training.checkpoint import load_checkpoint, save_checkpoint
from neurodsr.training.dynamics_stage import MAX_GRADIENT, alpha_at
from neurodsr.training.loop import (
    MAX_ROLLBACKS,
    SECONDS_BETWEEN_CHECKPOINTS,
    SNAPSHOT_STEPS,
    StopRequestedError,
    Watch,
)
from neurodsr.training.state import HISTORY_STEPS
from neurodsr.training.teacher import Teacher, windows_seed


@dataclass(frozen=True)
class MemberState:
    """Everything that the training of one member carries from one step to the next.

    Parameters
    ----------
    numbers
        Parameters, both moments of RAdam, and the parameters' average.
    step
        Steps taken.
    rate_scale, rollbacks
        Of the divergence guard.
    history
        "step", and the mean "loss" since the entry before.
    """

    numbers: Float[Tensor, "4 parameter"]
    step: int = 0
    rate_scale: float = 1.0
    rollbacks: int = 0
    history: dict[str, list[int | float]] = field(default_factory=lambda: {"step": [], "loss": []})

    @classmethod
    def start(cls, member: ClippedShallow) -> MemberState:
        """The state before the first step."""
        first = nn.utils.parameters_to_vector(_parameters(member)).detach()
        return cls(torch.stack([first, torch.zeros_like(first), torch.zeros_like(first), first]))

    def after(self, numbers: Tensor, losses: Float[Tensor, " step"]) -> MemberState:
        """The state after some steps with these losses; a whole entry of the history, or less."""
        step, history = self.step + len(losses), self.history
        if step % HISTORY_STEPS == 0:
            entry = {"step": step, "loss": float(losses.mean())}
            history = {key: [*history[key], entry[key]] for key in entry}
        return replace(self, numbers=numbers, step=step, history=history)

    def slower(self) -> MemberState:
        """The same state with half the learning rate."""
        return replace(self, rate_scale=self.rate_scale / 2, rollbacks=self.rollbacks + 1)

    def capture(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """JSON-able facts, and tensors, for a checkpoint."""
        names = ("step", "rate_scale", "rollbacks", "history")
        return {name: getattr(self, name) for name in names}, {"numbers": self.numbers}


def can_fuse(config: DynamicsConfig, teacher: Sequence[Tensor] = ()) -> bool:
    """Whether maps of a configuration are trained in compiled code, on teachers like these."""
    return config.family == "clipped-shallow" and can_train(*teacher)


def train_fused(
    member: ClippedShallow,
    teacher: Sequence[Float[Tensor, "_time latent"]],
    config: DynamicsConfig,
    *,
    name: str,
    seed: int,
    alpha: float,
    folder: Path | None,
    watch: Watch,
) -> dict[str, list[int | float]]:
    """Train one member, in place, from its newest checkpoint in `folder`, or from the start.

    The same training as `dynamics_stage.train_members` does, up to rounding.

    Returns
    -------
    History: "step" and the mean "loss" since the entry before.

    Raises
    ------
    DataError
        No stretch is as long as a window.
    NumericalError
        The loss stayed non-finite.
    StopRequestedError
        `watch.stop` became true; a checkpoint lies in the folder.
    """
    task = _task(teacher, config, name=name, seed=seed, alpha=alpha)
    run = _Run(task, MemberState.start(member), folder, watch)
    try:
        while run.state.step < task.n_steps:
            if watch.stop():
                raise StopRequestedError(name)
            run.advance()
    except (StopRequestedError, KeyboardInterrupt, PreemptedError):
        run.save()
        raise
    nn.utils.vector_to_parameters(run.state.numbers[3].clone(), _parameters(member))
    return run.state.history


class _Task(NamedTuple):
    """What a run needs to know of its configuration."""

    name: str
    problem: TrainingProblem
    schedule: Callable[[range, float], Schedule]
    n_steps: int


class _Run:
    """The state of a training with its last snapshot, and when that was last saved."""

    def __init__(self, task: _Task, start: MemberState, folder: Path | None, watch: Watch) -> None:
        self.task, self.state, self.folder, self.watch = task, start, folder, watch
        if folder is not None and (found := load_checkpoint(folder)) is not None:
            self.state = MemberState(**found[0], **found[1])
        self.snapshot, self.saved_at = self.state, monotonic()

    def advance(self) -> None:
        """Take the steps up to the next entry of the history; a snapshot where one is due."""
        task, state = self.task, self.state
        steps = range(state.step, min(state.step + HISTORY_STEPS, task.n_steps))
        numbers = state.numbers.clone()
        schedule = task.schedule(steps, state.rate_scale)
        losses = train_steps(numbers, task.problem, schedule, first=state.step)
        if len(losses) < len(steps):
            self._roll_back(state.step + len(losses))
            return
        self.state = state.after(numbers, losses)
        if self.state.step % SNAPSHOT_STEPS == 0:
            self.snapshot = self.state
            self.watch.progress(self.state.step)
            if monotonic() - self.saved_at > SECONDS_BETWEEN_CHECKPOINTS:
                self.save()

    def save(self) -> None:
        if self.folder is not None:
            save_checkpoint(self.folder, *self.snapshot.capture())
        self.saved_at = monotonic()

    def _roll_back(self, step: int) -> None:
        if self.state.rollbacks == MAX_ROLLBACKS:
            raise NumericalError(
                f"the loss of {self.task.name} is not finite at step {step}, also after "
                f"{MAX_ROLLBACKS} returns with half the learning rate",
                fix="lower the learning_rate, or look for extreme values in the data with "
                "`neurodsr inspect`",
            )
        self.snapshot = self.state = self.snapshot.slower()


def _task(
    teacher: Sequence[Tensor], config: DynamicsConfig, *, name: str, seed: int, alpha: float
) -> _Task:
    given = Teacher.of(teacher, window=config.window)
    problem = TrainingProblem(
        path=given.path,
        starts=given.starts,
        window=config.window,
        hidden_dim=config.hidden_dim,
        batch_size=config.batch_size,
        variance=float(given.variance),
        weight_decay=config.weight_decay,
        max_gradient=MAX_GRADIENT,
        noise=config.teacher_noise * given.path.std(0) if config.teacher_noise else None,
        seed=windows_seed(seed),
    )
    first, last = config.learning_rate

    def schedule(steps: range, rate_scale: float) -> Schedule:
        columns = (
            [alpha_at(config, alpha, k) for k in steps],
            [first * (last / first) ** (k / config.n_steps) * rate_scale for k in steps],
            [average_keeps(config.average, k) for k in steps],
        )
        return Schedule(*(torch.tensor(c, dtype=torch.float64) for c in columns))

    return _Task(name, problem, schedule, config.n_steps)


def _parameters(member: ClippedShallow) -> list[Tensor]:
    """In the order of compiled code."""
    return [member.a, member.W1, member.W2, member.h1, member.h2]
