"""train(): from a recording to a surrogate, an ensemble ranked without any truth."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from neurodsr.data.recording import Recording
from neurodsr.errors import ConfigError, DataError, InterruptedRunError
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.models.member import MemberSummary
from neurodsr.run_config import RunConfig
from neurodsr.surrogate import Surrogate
from neurodsr.training.jobs import (
    Job,
    encoder_jobs,
    load_observation,
    member_jobs,
    read_result,
)
from neurodsr.training.workers import Pool, Progress
from neurodsr.training.workspace import Workspace, create_workspace, resume_workspace


def train(
    recording: Recording,
    config: RunConfig,
    *,
    work: str | Path | None = None,
    resume: bool = False,
    n_workers: int | None = None,
    progress: Progress | None = None,
) -> Surrogate:
    """Train an ensemble of surrogates on a recording, in two stages.

    Several encoders are trained and the best kept by held-out masked likelihood; on each kept
    one, several maps. Members are ranked by long free runs: alive before dead, then by how
    close a re-encoded free run comes to the encoded data.

    Parameters
    ----------
    recording
        The aligned data; the validation stretch chooses encoders, the test stretch is not read.
    config
        The run's configuration.
    work
        Folder for checkpoints; default: a temporary one, gone afterwards.
    resume
        Go on with an interrupted training in `work`; the result is the same, bit for bit.
    n_workers
        Processes of one thread each; default: one per core. It changes no bit of the result.
    progress
        Called as progress(stage, done, total).

    Raises
    ------
    NumericalError
        A loss stayed non-finite.
    InterruptedRunError
        Ctrl-C; a checkpoint lies in `work`.
    OutputError, ConfigError
        `work` is not empty, or holds another training.
    """
    if work is None:
        with tempfile.TemporaryDirectory(prefix="neurodsr-train-") as folder:
            return train(recording, config, work=folder, n_workers=n_workers, progress=progress)
    n_workers = os.cpu_count() or 1 if n_workers is None else n_workers
    if n_workers < 1:
        raise ConfigError(f"n_workers is {n_workers}", fix="use at least one process")
    prepare = resume_workspace if resume else create_workspace
    workspace = prepare(Path(work), recording, config)
    _require_windows(workspace)
    try:
        with Pool(workspace, n_workers, progress or _silent) as pool:
            pool.run("encoders", encoder_jobs(workspace))
            kept = _best_encoders(workspace)
            pool.run("members", member_jobs(workspace, kept))
    except KeyboardInterrupt as stop:
        raise InterruptedRunError(
            "stopped by Ctrl-C; a checkpoint was saved",
            where=str(work),
            fix="run the same command again with --resume to go on",
        ) from stop
    return _assemble(workspace, recording, kept)


def _require_windows(workspace: Workspace) -> None:
    """Refuse windows that no stretch holds now, not after the encoders are trained."""
    config, longest = workspace.config, max(workspace.train.lengths)
    needed = max(config.encoder.window, config.dynamics.window + 1)
    if longest < needed:
        raise DataError(
            f"the longest training stretch has {longest} bins, a window needs {needed}",
            where=str(workspace.path),
            fix=f"set encoder.window to {longest} and dynamics.window to {longest - 1} or less, "
            "or use a smaller bin_width",
        )


def rank(members: list[MemberSummary]) -> list[int]:
    """Indices of the members, best first: fewest dead starts, then smallest self-divergence."""
    return sorted(
        range(len(members)), key=lambda i: (members[i].dead, members[i].self_divergence, i)
    )


def _best_encoders(workspace: Workspace) -> list[int]:
    held_out = {
        job.encoder: read_result(workspace, job)[0]["held_out"] for job in encoder_jobs(workspace)
    }
    return sorted(held_out, key=lambda i: (held_out[i], i))[: workspace.config.ensemble.n_kept]


def _assemble(workspace: Workspace, recording: Recording, kept: list[int]) -> Surrogate:
    maps, members, curves = [], [], []
    for job in member_jobs(workspace, kept):
        facts, tensors = read_result(workspace, job)
        stack = PiecewiseLinearMap(**tensors)
        for i, plain in enumerate(facts["members"]):
            member = MemberSummary.from_plain(plain)
            members.append(member.model_copy(update={"encoder": kept.index(member.encoder)}))
            maps.append(PiecewiseLinearMap(*(None if p is None else p[i].clone() for p in stack)))
            mean = [loss / len(job.members) for loss in facts["loss"]]
            curves.append({"step": facts["step"], "loss": mean})
    order = rank(members)
    ranked = [members[i].model_copy(update={"member": r}) for r, i in enumerate(order)]
    return Surrogate(
        config=workspace.config,
        grid=recording.grid,
        channels={n: recording.streams[n].channels for n in workspace.config.streams},
        units={n: recording.streams[n].unit for n in workspace.config.streams},
        observations=tuple(load_observation(workspace, e) for e in kept),
        maps=tuple(maps[i] for i in order),
        members=tuple(ranked),
        history=_history(workspace, kept, ranked, [curves[i] for i in order]),
    )


def _history(
    workspace: Workspace, kept: list[int], members: list[MemberSummary], curves: list[dict]
) -> dict[str, Any]:
    def encoder(job: Job) -> dict[str, Any]:
        facts = read_result(workspace, job)[0]
        return facts | {"kept": job.encoder in kept}

    return {
        "encoders": [encoder(job) for job in encoder_jobs(workspace)],
        "members": [
            {"seed": m.seed, "encoder": m.encoder, "alpha": m.alpha, **curve}
            for m, curve in zip(members, curves, strict=True)
        ],
    }


def _silent(stage: str, done: int, total: int) -> None:
    pass
