"""Loss curves of both stages of training."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurodsr.evaluation.results import MemberSummary
from neurodsr.report.figures.canvas import (
    CONTROL,
    DATA,
    SURROGATE,
    Picture,
    label_decades,
    panels,
    picture,
)
from neurodsr.report.model import EncoderRun, MemberRun, Training

_CHOSEN = {"color": DATA, "lw": 2.0, "zorder": 3}
_ALIVE = {"color": CONTROL, "lw": 1.0}
_DEAD = {"color": SURROGATE, "lw": 1.0, "ls": "--"}


def training_picture(training: Training, members: tuple[MemberSummary, ...]) -> Picture:
    """Losses of the encoders and of the maps over optimization steps."""
    stages = [s for s in (training.encoders, training.members) if s]

    def draw(figure: Figure) -> None:
        for ax, runs in zip(panels(figure, len(stages)), stages, strict=True):
            if isinstance(runs[0], EncoderRun):
                _draw_encoders(ax, training.encoders)
            else:
                _draw_members(ax, training.members, members)

    return picture(
        draw,
        alt="Training losses of the encoders and of the ensemble members over optimization steps.",
        caption="Losses should level off; where forcing is annealed, the members' rises again as "
        "the teacher lets go. A low loss does not show that the dynamics were found: "
        "members that die in free runs often train as well as living ones.",
        height=3.2,
        narrow_height=3.0 * len(stages),
    )


def _draw_encoders(ax: Axes, encoders: tuple[EncoderRun, ...]) -> None:
    for kept, style, label in ((False, _ALIVE, "not kept"), (True, _CHOSEN, "kept")):
        _draw_group(ax, [e for e in encoders if e.kept is kept], style, label)
    _finish(ax, "Observation stage (encoders)")


def _draw_members(
    ax: Axes, runs: tuple[MemberRun, ...], members: tuple[MemberSummary, ...]
) -> None:
    health = {(m.encoder, m.seed): m for m in members}
    groups: dict[str, list[MemberRun]] = {"chosen": [], "alive": [], "dies in free runs": []}
    for run in runs:
        member = health.get((run.encoder, run.seed))
        dies = member is not None and member.dead > 0
        chosen = member is not None and member.member == 0
        groups["chosen" if chosen else "dies in free runs" if dies else "alive"].append(run)
    for (label, group), style in zip(groups.items(), (_CHOSEN, _ALIVE, _DEAD), strict=True):
        _draw_group(ax, group, style, label)
    _finish(ax, "Dynamics stage (members)")


def _draw_group(
    ax: Axes, runs: list[EncoderRun] | list[MemberRun], style: dict[str, object], label: str
) -> None:
    for k, run in enumerate(runs):
        loss = np.array([np.nan if x is None else x for x in run.loss], dtype=float)
        ax.plot(run.step, loss, **style, label=label if k == 0 else None)


def _finish(ax: Axes, title: str) -> None:
    lines = ax.get_lines()
    losses = np.concatenate([np.asarray(line.get_ydata()) for line in lines] or [[]])
    losses = losses[np.isfinite(losses)]
    if losses.size and 0 < 10 * losses.min() < losses.max():
        ax.set_yscale("log")
        label_decades(ax.yaxis)
    ax.set(xlabel="Optimization step", ylabel="Loss", title=title)
    if lines:
        ax.legend(loc="upper right")
