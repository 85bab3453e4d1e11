"""`neurodsr ingest`, `train`, `evaluate` and `report`: the steps of a run, one at a time."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from neurodsr.cli.options import (
    PATH,
    config_argument,
    config_root,
    force_option,
    out_option,
    resume_option,
    set_option,
    workers_option,
)
from neurodsr.cli.output import print_text, require_free, say
from neurodsr.cli.progress import show_progress
from neurodsr.errors import OutputError
from neurodsr.load_config import load_config
from neurodsr.storage.folder import refuse_existing


@click.command()
@config_argument
@out_option
@set_option
@workers_option
@force_option
def ingest(config: Path, out: Path, sets: tuple[str, ...], n_workers: int, force: bool) -> None:
    """Read recording files and put all streams on one clock.

    Parts of large signals lie in OUT.work meanwhile; a rerun goes on from them.
    """
    resolved = load_config(config, sets=sets)
    refuse_existing(out, force=force)
    from neurodsr.data.store import save_recording
    from neurodsr.ingest.ingest import ingest as read_file

    work = out.with_name(f"{out.name}.work")
    with show_progress() as progress:
        recording = read_file(
            resolved,
            root=config_root(config),
            work=work,
            n_workers=n_workers,
            progress=progress,
        )
    save_recording(recording, out, force=force)
    shutil.rmtree(work, ignore_errors=True)
    for name, stream in recording.streams.items():
        say(f"{name}: {stream.n_channels} channels in {stream.n_bins} bins")
    for note in recording.notes:
        say(f"note: {note}")
    print_text(str(out))


@click.command()
@config_argument
@click.argument("recording", type=PATH)
@out_option
@set_option
@resume_option
@workers_option
@force_option
def train(
    config: Path,
    recording: Path,
    out: Path,
    sets: tuple[str, ...],
    resume: bool,
    n_workers: int,
    force: bool,
) -> None:
    """Train an ensemble on an ingested recording.

    Checkpoints lie in OUT.work meanwhile; --resume goes on from them.
    """
    resolved = load_config(config, sets=sets)
    refuse_existing(out, force=force)
    from neurodsr.data.store import open_recording
    from neurodsr.training.train import train as fit

    opened, work = open_recording(recording), out.with_name(f"{out.name}.work")
    with show_progress() as progress:
        surrogate = fit(
            opened, resolved, work=work, resume=resume, n_workers=n_workers, progress=progress
        )
    surrogate.save(out, force=force)
    shutil.rmtree(work)
    print_text(str(out))


@click.command()
@click.argument("surrogate", type=PATH)
@click.argument("recording", type=PATH)
@out_option
@force_option
def evaluate(surrogate: Path, recording: Path, out: Path, force: bool) -> None:
    """Judge a surrogate against its recording."""
    refuse_existing(out, force=force)
    from neurodsr.data.store import open_recording
    from neurodsr.evaluation.evaluate import evaluate as judge
    from neurodsr.evaluation.store import save_evaluation
    from neurodsr.surrogate import load_surrogate

    loaded, opened = load_surrogate(surrogate), open_recording(recording)
    with show_progress() as progress:
        evaluation, arrays = judge(loaded, opened, progress=progress)
    save_evaluation(evaluation, arrays, out, force=force)
    print_text(str(out))


@click.command()
@click.argument("run", type=PATH)
@click.option("-o", "out", type=PATH, default=Path("report.html"), show_default=True)
@force_option
def report(run: Path, out: Path, force: bool) -> None:
    """Write the report of a finished run again.

    The page goes beside the run and not into it: a finished run is sealed by its manifest.
    """
    _refuse_inside(out, run)
    for page in (out, out.with_suffix(".json")):
        require_free(page, force=force)
    from neurodsr.report.write import report_folder

    print_text(str(report_folder(run, out)))


def _refuse_inside(out: Path, run: Path) -> None:
    if out.resolve().is_relative_to(run.resolve()):
        raise OutputError(
            "lies inside a finished run, whose manifest would no longer hold",
            where=str(out),
            fix="give a path outside of the run's folder with -o",
        )
