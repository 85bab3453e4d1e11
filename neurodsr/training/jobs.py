"""The jobs of an ensemble: one encoder, or a few members on a kept encoder, from files to files.

A job reads the workspace, goes on from its newest checkpoint, and leaves a complete result
folder; which process runs it, and how often it was interrupted, changes no bit of the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from neurodsr.config import Config
from neurodsr.models.dynamics import LatentDynamics
from neurodsr.models.member import MemberSummary
from neurodsr.models.observation import ObservationModel
from neurodsr.models.selfcheck import SelfCheck, self_check
from neurodsr.seeds import derive_seed
from neurodsr.storage.documents import read_json, write_json
from neurodsr.storage.folder import complete_folder
from neurodsr.storage.manifest import check_manifest
from neurodsr.storage.tensors import read_arrays, write_arrays
from neurodsr.training.dynamics_stage import draw_members, forced_residual, train_members
from neurodsr.training.fused import can_fuse, train_fused
from neurodsr.training.loop import Watch, run_task
from neurodsr.training.observation_stage import encoder_seed, held_out_loss, observation_task
from neurodsr.training.workspace import Workspace

MAX_MEMBERS_PER_JOB = 4


class Job(Config):
    """A unit of work that a process takes."""

    kind: Literal["encoder", "members"] = Field(description="What is trained.")
    encoder: int = Field(description="Index of the encoder among all that were trained.")
    members: tuple[int, ...] = Field((), description="Indices of the members trained together.")

    @property
    def name(self) -> str:
        """Name of the job and of its folder."""
        parts = [str(self.encoder), *(str(m) for m in self.members)]
        return f"{self.kind}-{'-'.join(parts)}"

    def n_steps(self, workspace: Workspace) -> int:
        """Length of the job for its progress: optimization steps, and some for each self-check."""
        config = workspace.config
        if self.kind == "encoder":
            return config.encoder.n_steps
        return config.dynamics.n_steps + _check_steps(workspace) * len(self.members)


def encoder_jobs(workspace: Workspace) -> list[Job]:
    """One job per encoder."""
    return [Job(kind="encoder", encoder=i) for i in range(workspace.config.ensemble.n_encoders)]


def member_jobs(workspace: Workspace, kept: list[int]) -> list[Job]:
    """A job per member where compiled code trains it, which does one at a time.

    In plain torch, groups that advance side by side: at least two, so that two cores are busy. The
    division depends on the configuration and the installation, never on the number of processes.
    """
    n = workspace.config.ensemble.n_members
    side_by_side = min(MAX_MEMBERS_PER_JOB, max(1, ceil(n / 2)))
    size = 1 if can_fuse(workspace.config.dynamics) else side_by_side
    groups = [tuple(range(a, min(a + size, n))) for a in range(0, n, size)]
    return [Job(kind="members", encoder=e, members=g) for e in kept for g in groups]


def run_job(workspace: Workspace, job: Job, watch: Watch) -> None:
    """Run a job to its result, unless the result is already there."""
    result = workspace.folder(job.name) / "result"
    if result.is_dir():
        check_manifest(result)
        return
    with one_thread():
        facts, tensors = (_run_encoder if job.kind == "encoder" else _run_members)(
            workspace, job, watch
        )
    result.parent.mkdir(exist_ok=True)
    with complete_folder(result) as folder:
        write_json(folder / "result.json", facts)
        write_arrays(folder / "tensors.safetensors", {k: v.numpy() for k, v in tensors.items()})


def read_result(workspace: Workspace, job: Job) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Facts and tensors of a finished job."""
    folder = workspace.folder(job.name) / "result"
    arrays = read_arrays(folder / "tensors.safetensors")
    return read_json(folder / "result.json"), {k: torch.from_numpy(v) for k, v in arrays.items()}


def load_observation(workspace: Workspace, encoder: int) -> ObservationModel:
    """A trained encoder with its decoders."""
    model = ObservationModel.build(
        workspace.config, workspace.channels, bin_width=workspace.bin_width
    )
    model.load_state_dict(read_result(workspace, Job(kind="encoder", encoder=encoder))[1])
    return model.requires_grad_(False)


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread and no denormal numbers inside: many small operations want exactly that."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


def _checkpoints(workspace: Workspace, job: Job) -> Path:
    return workspace.folder(job.name) / "checkpoints"


def _run_encoder(
    workspace: Workspace, job: Job, watch: Watch
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    config, seed = workspace.config, encoder_seed(workspace.config, job.encoder)
    model = ObservationModel.build(
        config,
        workspace.channels,
        bin_width=workspace.bin_width,
        seed=derive_seed(seed, "initial encoder"),
    )
    task = observation_task(
        model, workspace.train, workspace.validation, config, name=job.name, seed=seed
    )
    history = run_task(task, _checkpoints(workspace, job), watch)
    model.calibrate(workspace.train.pooled())
    facts = {"seed": seed, "held_out": held_out_loss(model, workspace.validation)}
    return facts | history, dict(model.state_dict())


def _run_members(
    workspace: Workspace, job: Job, watch: Watch
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    config, model = workspace.config, load_observation(workspace, job.encoder)
    teacher = [model.encode(s) for s in workspace.train.stretches]
    seeds = [derive_seed(config.seed, "member", job.encoder, m) for m in job.members]
    choices = config.dynamics.alphas
    alphas = [choices[m % len(choices)] for m in job.members]
    members = draw_members(config.dynamics, seeds)
    history = _train(workspace, job, members, teacher, seeds, alphas, watch)
    residuals = forced_residual(
        members, [model.encode(s) for s in workspace.validation.stretches], alphas
    )
    checks = _check_members(workspace, model, members, teacher, watch)
    summaries = [
        _summary(job, i, seeds[i], alphas[i], float(residuals[i]), c, workspace.bin_width)
        for i, c in enumerate(checks)
    ]
    return (
        {"members": [s.to_plain() for s in summaries]} | history,
        {k: v.detach() for k, v in members.as_map()._asdict().items() if v is not None},
    )


def _train(
    workspace: Workspace,
    job: Job,
    members: LatentDynamics,
    teacher: list[Tensor],
    seeds: list[int],
    alphas: list[float],
    watch: Watch,
) -> dict[str, list[int | float]]:
    config, folder = workspace.config.dynamics, _checkpoints(workspace, job)
    run = {"name": job.name, "folder": folder, "watch": watch}
    if len(seeds) == 1 and can_fuse(config, teacher):
        (seed,), (alpha,) = seeds, alphas
        # Checkpoints of its own: they have another form, and the library may come or go.
        run["folder"] = workspace.folder(job.name) / "compiled"
        return train_fused(members, teacher, config, seed=seed, alpha=alpha, **run)
    return train_members(members, teacher, config, seeds=seeds, alphas=alphas, **run)


def _check_members(
    workspace: Workspace,
    model: ObservationModel,
    members: LatentDynamics,
    teacher: list[Tensor],
    watch: Watch,
) -> list[SelfCheck]:
    config, pwl, checks = workspace.config, members.as_map(), []
    masks = {n: s.mask for n, s in workspace.train.pooled().items()}
    for i in range(len(pwl.A)):
        check = self_check(
            model,
            pwl.member(i),
            teacher,
            masks,
            n_starts=config.ensemble.n_starts,
            n_bins=config.ensemble.n_bins,
            seed=derive_seed(config.seed, "self check"),
        )
        checks.append(check)
        watch.progress(config.dynamics.n_steps + _check_steps(workspace) * (i + 1))
    return checks


def _check_steps(workspace: Workspace) -> int:
    """How many steps of training a self-check about lasts, on the demo; progress counts them."""
    return 6000 if can_fuse(workspace.config.dynamics) else 250


def _summary(
    job: Job, i: int, seed: int, alpha: float, residual: float, check: SelfCheck, bin_width: float
) -> MemberSummary:
    finite = check.exponents[check.exponents.isfinite()]
    return MemberSummary(
        member=job.members[i],
        encoder=job.encoder,
        seed=seed,
        alpha=alpha,
        dead=check.dead.double().mean().item(),
        self_divergence=check.divergence,
        self_spectrum=check.spectrum,
        consistency=residual,
        exponent=finite.median().item() / bin_width if len(finite) else None,
    )
