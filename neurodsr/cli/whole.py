"""`neurodsr demo` and `neurodsr run`: everything in one go, from a file to a report."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from neurodsr.cli.crossing_table import crossing_table
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
from neurodsr.cli.output import print_text, say
from neurodsr.cli.progress import show_progress
from neurodsr.cli.tables import fit_table, measure_table, print_table, verdict_table
from neurodsr.load_config import load_config

if TYPE_CHECKING:
    from neurodsr.pipeline.run import RunResult
    from neurodsr.run_config import RunConfig


@click.command()
@click.option("-o", "out", type=PATH, default=Path("neurodsr-demo"), show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@workers_option
@force_option
def demo(out: Path, seed: int, n_workers: int, force: bool) -> None:
    """Do the whole job on a simulated session with known truth."""
    from neurodsr.testing.demo import demo as run_demo

    with show_progress() as progress:
        result = run_demo(out, seed=seed, n_workers=n_workers, force=force, progress=progress)
    print_result(result)


@click.command()
@config_argument
@out_option
@set_option
@resume_option
@force_option
@workers_option
@click.option("--dry-run", is_flag=True, help="Print the resolved configuration and stop.")
def run(
    config: Path,
    out: Path,
    sets: tuple[str, ...],
    resume: bool,
    force: bool,
    n_workers: int,
    dry_run: bool,
) -> None:
    """Do the whole job: ingest, train, evaluate, report."""
    resolved, root = load_config(config, sets=sets), config_root(config)
    if dry_run:
        print_plan(resolved, root=root, out=out)
        return
    from neurodsr.pipeline.run import run as run_all

    with show_progress() as progress:
        result = run_all(
            resolved,
            root=root,
            out=out,
            resume=resume,
            force=force,
            n_workers=n_workers,
            command=_command(config, out, sets),
            progress=progress,
        )
    print_result(result)


def _command(config: Path, out: Path, sets: tuple[str, ...]) -> str:
    changes = [word for text in sets for word in ("--set", text)]
    return shlex.join(["neurodsr", "run", str(config), "-o", str(out), *changes])


def print_result(result: RunResult) -> None:
    """Measures and fits first; the verdict and the place of the report are read last."""
    if result.up_to_date:
        say("up to date: same file, configuration and versions; nothing was done again")
    print_table(measure_table(result.evaluation))
    print_table(fit_table(result.evaluation))
    if len({s.stream for s in result.evaluation.streams}) > 1:
        print_table(crossing_table(result.evaluation))
    print_table(verdict_table(result.evaluation))
    print_text(result.evaluation.verdict.sentence)
    print_text(f"report: {result.report_path}")


def print_plan(config: RunConfig, *, root: Path, out: Path) -> None:
    """The resolved configuration on stdout, fit to be run; what would be read and made beside."""
    from neurodsr.ingest.files import input_files
    from neurodsr.storage.files import size_on_disk

    ensemble = config.ensemble
    for path in input_files(config, root=root):
        say(f"would read  {path} ({size_on_disk(path) / 2**20:.1f} MiB)")
    say(
        f"would train {ensemble.n_encoders} encoders, then {ensemble.n_members} maps on each of "
        f"{ensemble.n_kept} kept"
    )
    say(f"would write {out}{' (exists already)' if out.exists() else ''}")
    print_text(config.model_dump_json(indent=2))
