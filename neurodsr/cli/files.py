"""`neurodsr inspect`, `init` and `validate`: look at files before and after the work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from neurodsr.cli.output import print_json, print_text, save_text, say, say_error
from neurodsr.cli.tables import finding_table, print_table
from neurodsr.errors import ConfigError, NeurodsrError

if TYPE_CHECKING:
    from neurodsr.ingest.inspection import Inspection
    from neurodsr.modalities.clock import ClockConfig

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=FILE)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def inspect(files: tuple[Path, ...], as_json: bool) -> int:
    """Show what recording files hold, and what would take it."""
    from neurodsr.ingest.inspect import inspect_file
    from neurodsr.ingest.inspect_files import compare_files, inspect_files

    found, refused = ((inspect_file(files[0]),), ()) if len(files) == 1 else inspect_files(files)
    if as_json:
        result = {"files": [inspection.to_plain() for inspection in found]}
        result["streams"] = [shared.to_plain() for shared in compare_files(found)]
        result["refused"] = [refusal.to_plain() for refusal in refused]
        print_json("inspect", result)
    else:
        _print_inspections(found)
    for refusal in refused:
        say_error(NeurodsrError(refusal.what, where=refusal.where, fix=refusal.fix))
    return max((refusal.exit_code for refusal in refused), default=0)


def _print_inspections(found: tuple[Inspection, ...]) -> None:
    from neurodsr.cli.inspection_tables import inspection_tables, session_table
    from neurodsr.ingest.inspect_files import compare_files

    for inspection in found:
        for table in inspection_tables(inspection):
            print_table(table)
    if len(found) > 1:
        print_table(session_table(found, compare_files(found)))


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=FILE)
@click.option("-o", "out", type=FILE, default=Path("run.yaml"), show_default=True)
@click.option(
    "--path", "paths", multiple=True,
    help="A stream to use, listed or not (NAME.trials, bold@LABELS.nii.gz), and no other; may be "
    "repeated.",
)  # fmt: skip
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), metavar="HZ",
    help="Samples or frames per second of streams whose file does not say it.",
)  # fmt: skip
@click.option(
    "--interval", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
    help="The same as the time from one sample to the next, such as a TR.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace a configuration that exists.")
def init(
    files: tuple[Path, ...],
    out: Path,
    paths: tuple[str, ...],
    rate: float | None,
    interval: float | None,
    force: bool,
) -> None:
    """Write a commented run configuration for recording files, one a session."""
    from neurodsr.ingest.init_text import SCHEMA, config_text
    from neurodsr.ingest.inspect import inspect_file
    from neurodsr.ingest.propose import propose_config

    clock = _declared_clock(rate, interval)
    inspections = [inspect_file(file, clock=clock, only=paths) for file in files]
    proposed = propose_config(*inspections, root=out.parent)
    if clock is not None and not any(s.clock for i in inspections for s in i.streams):
        say("the rate was not used: the files say when every sample was taken")
    save_text(out, config_text(proposed, *inspections), force=force)
    _write_schema_copy(out.parent / SCHEMA)
    print_text(str(out))
    say(f"look it over, then: neurodsr run {out} -o out")


def _declared_clock(rate: float | None, interval: float | None) -> ClockConfig | None:
    from neurodsr.modalities.clock import ClockConfig

    if rate is not None and interval is not None:
        raise ConfigError("--rate and --interval say the same", fix="give one of them")
    if rate is None and interval is None:
        return None
    return ClockConfig(rate=rate, interval=interval)


def _write_schema_copy(path: Path) -> None:
    """The schema that the configuration's first line names: editors check it without a network."""
    from neurodsr.cli.installation import collect_plugin_schemas
    from neurodsr.schema import build_schemas, built_in_kinds, schema_text

    if not path.exists():  # whatever stands there is not ours to replace
        schemas = build_schemas(built_in_kinds(), plugins=collect_plugin_schemas())
        path.parent.mkdir(exist_ok=True)
        save_text(path, schema_text(schemas["run.json"]), force=False)


@click.command()
@click.argument("path", type=FILE)
@click.option("--deep", is_flag=True, help="Also open everything and read it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def validate(path: Path, deep: bool, as_json: bool) -> int:
    """Check a recording file or anything neurodsr wrote.

    PATH is a recording file, a recording, a surrogate, an evaluation, or the folder of a run.
    Names, sizes and checksums are compared. Exit 0 if valid, 3 or 8 if not.
    """
    from neurodsr.pipeline.validate import validate as check

    found = check(path, deep=deep)
    if as_json:
        print_json("validate", found.to_plain())
    else:
        if found.findings:
            print_table(finding_table(found))
        print_text(f"{path}: {found.kind}, {'valid' if found.exit_code == 0 else 'not valid'}")
    return found.exit_code
