"""Where the time of a whole training step goes: kernels and matrix products, or the rest.

Three modalities (40 neurons, 2 coordinates, 20 calcium channels), 16 windows of 200 bins, 12
latents, 128 hidden units. A step is one of the observation stage and one of the dynamics stage,
each with sampling, gradient and optimizer. Shares are of the time that passes under the profiler,
which slows small operations most: without it they are larger.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch

from engine_parts.availability import NotAvailableError, require_backend
from engine_parts.timing import Bound, Variant, described, judged, load, take_turns
from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.models.observation import ObservationModel
from neurodsr.run_config import RunConfig
from neurodsr.testing.prepare import configure_run
from neurodsr.training.dynamics_stage import draw_members, dynamics_task
from neurodsr.training.loop import Task, Watch, run_task
from neurodsr.training.observation_stage import observation_task
from neurodsr.training.windows import to_tensors

N_BINS, BIN_WIDTH, N_STEPS, N_PROFILES = 6000, 0.02, 5, 3
ENOUGH = Bound(">=", 0.6)
KINDS = {
    "matrix products": ("aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm"),
    "convolutions": ("aten::mkldnn_convolution", "aten::convolution_backward", "aten::_slow_conv"),
    "kernel": ("_Scan",),
}
"""Starts of the profiler's names. What the scan's autograd function does itself is the kernel if
that is compiled; of a path in torch it is the loop, which counts for nothing here."""


class Profile(NamedTuple):
    """Seconds a step: all that passed, those of each kind, and the largest of the rest."""

    passed: float
    spent: dict[str, float]
    rest: dict[str, float]


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """A line for each stage and one for both together."""
    stages = _stages(arguments.seed)
    for run in stages.values():
        run()
    variants = {name: Variant(run, N_STEPS) for name, run in stages.items()}
    timings = take_turns(variants, rounds=arguments.rounds)
    profiles = {name: [_profile(run) for _ in range(N_PROFILES)] for name, run in stages.items()}
    for name, timing in timings.items():
        line = {"row": "step", "variant": name, "load": load(), **described(timing)}
        rest = {key: round(1e3 * seconds, 2) for key, seconds in profiles[name][0].rest.items()}
        yield {**line, **_shares([profiles[name]], None), "the rest, ms": rest}
    together = {"row": "step", "variant": "whole step", "load": load()}
    yield {**together, **_shares(list(profiles.values()), ENOUGH)}


def _shares(stages: list[list[Profile]], bound: Bound | None) -> dict[str, object]:
    """Share of each kind in the time of some stages, the median over profiles."""
    shares: dict[str, float] = {}
    for kind in KINDS:
        ratios = (
            sum(p.spent[kind] for p in once) / sum(p.passed for p in once)
            for once in zip(*stages, strict=True)
        )
        shares[kind] = round(median(ratios), 3)
    profiled = 1e3 * sum(median(p.passed for p in stage) for stage in stages)
    together = judged(sum(shares.values()), bound)
    return {"profiled, ms": round(profiled, 1), **shares, "kernels and products": together}


def _profile(run: Callable[[], object]) -> Profile:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        began = perf_counter()
        run()
        passed = (perf_counter() - began) / N_STEPS
    spent, rest, compiled = dict.fromkeys(KINDS, 0.0), {}, _is_compiled()
    for event in profile.key_averages():
        seconds = 1e-6 * event.self_cpu_time_total / N_STEPS
        kind = next((k for k, names in KINDS.items() if event.key.startswith(names)), None)
        if kind is None or (kind == "kernel" and not compiled):
            rest[event.key] = seconds
        else:
            spent[kind] += seconds
    largest = sorted(rest.items(), key=lambda item: -item[1])[:8]
    return Profile(passed, spent, dict(largest))


def _is_compiled() -> bool:
    try:
        require_backend("native")
    except NotAvailableError:
        return False
    return True


def _stages(seed: int) -> dict[str, Callable[[], object]]:
    """Both stages as calls of a few optimization steps."""
    recording = _recording(seed)
    config = _config(recording, seed)
    data = to_tensors(recording, ((0, N_BINS),))
    channels = {name: stream.channels for name, stream in recording.streams.items()}
    model = ObservationModel.build(config, channels, bin_width=BIN_WIDTH, seed=seed)
    observation = observation_task(model, data, data, config, name="observation", seed=seed)
    observation.score = None  # held-out scores belong to snapshots, not to steps
    teacher = [model.encode(data.stretches[0])]
    dynamics = dynamics_task(
        draw_members(config.dynamics, [seed]),
        teacher,
        config.dynamics,
        name="dynamics",
        seeds=[seed],
        alphas=[0.15],
    )

    def steps(task: Task) -> Callable[[], object]:
        return lambda: run_task(task, None, Watch())

    return {"observation stage": steps(observation), "dynamics stage": steps(dynamics)}


def _config(recording: Recording, seed: int) -> RunConfig:
    windows = {"window": 200, "batch_size": 16, "n_steps": N_STEPS}
    return configure_run(
        recording,
        streams={
            "spikes": {"kind": "spikes"},
            "behavior": {"kind": "behavior"},
            "calcium": {"kind": "calcium"},
        },
        seed=seed,
        sections={
            "encoder": windows,
            "dynamics": {"latent_dim": 12, "hidden_dim": 128, **windows},
        },
    )


def _recording(seed: int) -> Recording:
    """Streams of the three kinds driven by common waves; what they say does not cost time."""
    g = np.random.default_rng(seed)
    time = BIN_WIDTH * np.arange(N_BINS)
    common = np.sin(time[:, None] * g.uniform(1, 6, 8) + g.uniform(0, 6, 8))

    def signal(n: int) -> np.ndarray:
        return common @ g.normal(0, 8**-0.5, (8, n)) + 0.1 * g.standard_normal((N_BINS, n))

    streams = {
        "spikes": _stream(g.poisson(0.3 * np.exp(0.5 * signal(40))), "count"),
        "behavior": _stream(signal(2), "cm"),
        "calcium": _stream(signal(20), "a.u."),
    }
    grid = TimeGrid(0.0, BIN_WIDTH, N_BINS)
    whole = Intervals(np.array([grid.start]), np.array([grid.stop]), {})
    return Recording("three modalities", grid, streams, whole)


def _stream(values: np.ndarray, unit: str) -> Stream:
    channels = Channels(tuple(map(str, range(values.shape[1]))))
    return Stream(values.astype(np.float32), np.ones(values.shape, dtype=bool), channels, unit)
