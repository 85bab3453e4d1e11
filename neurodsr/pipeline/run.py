"""run(): the whole job as one resumable call, file -> recording -> surrogate -> report."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from neurodsr.config import differing_keys
from neurodsr.data.recording import Recording
from neurodsr.data.store import open_recording, save_recording
from neurodsr.errors import ConfigError, OutputError
from neurodsr.evaluation.evaluate import evaluate
from neurodsr.evaluation.results import Evaluation
from neurodsr.evaluation.store import load_evaluation, save_evaluation
from neurodsr.ingest.files import input_files
from neurodsr.ingest.ingest import ingest
from neurodsr.pipeline.provenance import describe_run, versions
from neurodsr.report.write import report_folder
from neurodsr.run_config import RunConfig
from neurodsr.storage.documents import read_json, write_json
from neurodsr.storage.files import require_writable_parent
from neurodsr.storage.folder import complete_folder, refuse_existing
from neurodsr.storage.lock import locked
from neurodsr.storage.manifest import check_manifest, content_sha256
from neurodsr.surrogate import Surrogate, load_surrogate
from neurodsr.training.train import train

Progress = Callable[[str, int, int], None]
PARTS = ("recording", "surrogate", "evaluation")


@dataclass(frozen=True)
class RunResult:
    """A finished run: where it lies, what evaluation found, and its report."""

    out: Path
    evaluation: Evaluation
    report_path: Path
    up_to_date: bool = False


@dataclass
class _Stages:
    """The work folder of a run, in which every finished stage is kept for a resume."""

    work: Path
    progress: Progress | None
    n_workers: int
    seconds: dict[str, float] = field(default_factory=dict)

    def tell(self, stage: str, done: int) -> None:
        """Progress of a stage of one step."""
        if self.progress is not None:
            self.progress(stage, done, 1)

    @contextmanager
    def timed(self, stage: str) -> Iterator[Path]:
        """The stage's folder; how long it took is noted."""
        began = monotonic()
        yield self.work / stage
        self.seconds[stage] = monotonic() - began


def run(
    config: RunConfig,
    *,
    root: Path,
    out: Path,
    resume: bool = False,
    force: bool = False,
    n_workers: int = 2,
    command: str = "",
    progress: Progress | None = None,
) -> RunResult:
    """Ingest, train, evaluate and report; the output folder appears whole or not at all.

    Finished stages and checkpoints lie in `OUT.partial` meanwhile. A run that is already there,
    made from the same configuration, file and versions, is returned as it is.

    Parameters
    ----------
    config
        The run's configuration.
    root
        Folder that `config.file` is relative to.
    out
        The folder to make.
    resume
        Go on with the interrupted run in `OUT.partial`, if there is one.
    force
        Make the run again, also where a finished one stands, and replace that.
    n_workers
        Processes that read large signals and train.
    command
        The command that reproduces the run, for its provenance.
    progress
        Called as progress(stage, done, total).

    Raises
    ------
    OutputError
        `out` holds something else, or an interrupted run lies beside it and `resume` is off.
    ConfigError
        The interrupted run has another configuration or file.
    """
    require_writable_parent(out)
    key = {
        "config": config.to_plain(),
        "sha256": {path.name: content_sha256(path) for path in input_files(config, root=root)},
        "versions": versions(config),
    }
    if not force and (found := _finished(out, key)) is not None:
        return found
    refuse_existing(out, force=force)
    work = out.with_name(f"{out.name}.partial")
    with locked(work):
        _prepare(work, key, resume=resume)
        stages = _Stages(work, progress, n_workers)
        try:
            recording = _ingest(stages, config, root)
        finally:
            if not _has_begun(work):  # nothing was finished, so nothing is left
                shutil.rmtree(work)
        surrogate = _train(stages, config, recording)
        _evaluate(stages, surrogate, recording)
        command = command or f"neurodsr run run.yaml -o {out.name}"
        about = describe_run(config, recording, command=command, seconds=stages.seconds)
        stages.tell("report", 0)
        _publish(work, out, config, about | {"key": key}, force=force)
        stages.tell("report", 1)
        shutil.rmtree(work)
    return _result(out)


def _finished(out: Path, key: dict[str, Any]) -> RunResult | None:
    """The run that lies there already, if it is this one."""
    if not (out / "run.json").is_file():
        return None
    about = read_json(out / "run.json")
    if not isinstance(about, dict) or about.get("key") != key:
        return None
    check_manifest(out)
    return _result(out, up_to_date=True)


def _result(out: Path, *, up_to_date: bool = False) -> RunResult:
    evaluation, _ = load_evaluation(out / "evaluation")
    return RunResult(out, evaluation, out / "report.html", up_to_date)


def _has_begun(work: Path) -> bool:
    """Whether there is anything to go on from: a recording, or parts of a large signal."""
    return (work / "recording").is_dir() or any((work / "ingest").glob("**/*.safetensors"))


def _prepare(work: Path, key: dict[str, Any], *, resume: bool) -> None:
    if not _has_begun(work):  # killed before it had finished anything
        shutil.rmtree(work, ignore_errors=True)
    if work.exists() and not resume:
        raise OutputError(
            "an interrupted run lies here",
            where=str(work),
            fix="go on with it with --resume, or delete the folder to start afresh",
        )
    if (work / "key.json").is_file():
        different = differing_keys(read_json(work / "key.json"), key)
        if different:
            raise ConfigError(
                f"the interrupted run differs in {', '.join(different[:8])}",
                where=str(work),
                fix="resume with what it was started with, or delete the folder to start afresh",
            )
        return
    work.mkdir(parents=True, exist_ok=True)
    write_json(work / "key.json", key)


def _ingest(stages: _Stages, config: RunConfig, root: Path) -> Recording:
    with stages.timed("recording") as folder:
        if not folder.is_dir():
            parts = stages.work / "ingest"
            recording = ingest(
                config,
                root=root,
                work=parts,
                n_workers=stages.n_workers,
                progress=stages.progress,
            )
            save_recording(recording, folder)
            shutil.rmtree(parts, ignore_errors=True)
        return open_recording(folder)


def _train(stages: _Stages, config: RunConfig, recording: Recording) -> Surrogate:
    with stages.timed("surrogate") as folder:
        if not folder.is_dir():
            train(
                recording,
                config,
                work=stages.work / "training",
                resume=True,
                n_workers=stages.n_workers,
                progress=stages.progress,
            ).save(folder)
        return load_surrogate(folder)


def _evaluate(stages: _Stages, surrogate: Surrogate, recording: Recording) -> None:
    with stages.timed("evaluation") as folder:
        if not folder.is_dir():
            evaluation, arrays = evaluate(surrogate, recording, progress=stages.progress)
            save_evaluation(evaluation, arrays, folder)


def _publish(
    work: Path, out: Path, config: RunConfig, about: dict[str, Any], *, force: bool
) -> None:
    """Put the finished parts and the report together; links, so that nothing is lost halfway."""
    with complete_folder(out, force=force) as folder:
        for part in PARTS:
            shutil.copytree(work / part, folder / part, copy_function=os.link)
        write_json(folder / "config.json", config.to_plain())
        write_json(folder / "run.json", about)
        report_folder(folder)
