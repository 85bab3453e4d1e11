"""The dynamics stage: a whole training step, with sampling and optimizer, in one native loop.

Everyone trains the clipped shallow map by generalized teacher forcing on a given latent path:
draws 16 windows of 200 steps, runs the map, clips the gradient, takes a step of RAdam at a rate
and a forcing strength that decay, and averages the parameters.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from time import perf_counter

from torch import Tensor

from engine_parts.availability import NotAvailableError, absent, prepare
from engine_parts.eager_trainer import BATCH, WINDOW, EagerTrainer
from engine_parts.shapes import Shape
from engine_parts.teacher import waves
from engine_parts.timing import Bound, Variant, described, judged, load, ratio, take_turns
from neurodsr.run_config import DynamicsConfig
from neurodsr.training.dynamics_stage import draw_members, dynamics_task
from neurodsr.training.fused import can_fuse, train_fused
from neurodsr.training.loop import Watch, run_task

N_BINS = 20_000
SIZES = tuple(
    Shape(f"M{latent} L{hidden}", "shallow", BATCH, WINDOW, latent, hidden, 0)
    for latent, hidden in ((3, 50), (3, 100), (5, 250), (20, 500))
)
FASTER = {"M3 L50": Bound(">=", 100), "M20 L500": Bound(">=", 6)}
SECONDS = {"M3 L50": Bound("<=", 0.2e-3)}
MEMBERS, MEMBER_STEPS, TOGETHER = 8, 20_000, Bound("<=", 25)


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """A line for every size and trainer, and one for an ensemble on two processes."""
    for shape in SIZES:
        yield from _table(shape, arguments)
    row = {"row": "trainer", "size": "M3 L100", "members": MEMBERS, "steps": MEMBER_STEPS}
    try:
        seconds = _train_ensemble(waves(3, N_BINS), hidden=100)
    except NotAvailableError as error:
        yield from absent(row, {"fused, two processes": str(error)})
    else:
        line = {**row, "variant": "fused, two processes", "load": load()}
        yield {**line, "wall, s": judged(seconds, TOGETHER)}


def _table(shape: Shape, arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    teacher = waves(shape.latent, N_BINS)
    variants, missing = prepare(
        {
            "eager": lambda: Variant(EagerTrainer(teacher, shape.hidden, arguments.seed).step),
            "torch loop": partial(_in_torch, teacher, shape.hidden),
            "fused": partial(_fused, teacher, shape.hidden),
        }
    )
    timings = take_turns(variants, rounds=arguments.rounds)
    row = {"row": "trainer", "size": shape.name}
    for name, timing in timings.items():
        line = {**row, "variant": name, "rounds": arguments.rounds, "load": load()}
        line |= described(timing)
        fused = name == "fused"
        bound = FASTER.get(shape.name) if fused else None
        line["faster than eager"] = judged(ratio(timings["eager"], timing), bound)
        if fused and shape.name in SECONDS:
            line["shortest, s"] = judged(min(timing.wall), SECONDS[shape.name])
        yield line
    yield from absent(row, missing)


def _settings(latent: int, hidden: int, n_steps: int) -> DynamicsConfig:
    return DynamicsConfig(
        latent_dim=latent, hidden_dim=hidden, window=WINDOW, batch_size=BATCH, n_steps=n_steps
    )


def _in_torch(teacher: Tensor, hidden: int) -> Variant:
    """The package's loop in torch, with whichever path `scan` takes (no parameter averaging)."""
    n_steps = 5
    config = _settings(teacher.shape[1], hidden, n_steps)
    members = draw_members(config, [0])
    task = dynamics_task(members, [teacher], config, name="torch loop", seeds=[0], alphas=[0.1])
    return Variant(lambda: run_task(task, None, Watch()), n_steps)


def _fused(teacher: Tensor, hidden: int) -> Variant:
    """The native trainer; a call is a whole training of some hundred steps, with its set-up."""
    n_steps = 400
    config = _settings(teacher.shape[1], hidden, n_steps)
    return Variant(lambda: _train_member(teacher, config, 0), n_steps)


def _train_member(teacher: Tensor, config: DynamicsConfig, seed: int) -> None:
    if not can_fuse(config, [teacher]):
        raise NotAvailableError("no compiled library was built here")
    member = draw_members(config, [seed])
    settings = {"name": "fused", "seed": seed, "alpha": 0.1, "folder": None, "watch": Watch()}
    train_fused(member, [teacher], config, **settings)


def _train_ensemble(teacher: Tensor, *, hidden: int) -> float:
    """Seconds until all members are trained by two processes, with their start."""
    config = _settings(teacher.shape[1], hidden, MEMBER_STEPS)
    if not can_fuse(config, [teacher]):
        raise NotAvailableError("no compiled library was built here")
    began = perf_counter()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(partial(_train_member, teacher, config), range(MEMBERS)))
    return perf_counter() - began
