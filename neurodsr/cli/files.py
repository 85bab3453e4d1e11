"""`neurodsr inspect`, `init` and `validate`: look at files before and after the work."""

from __future__ import annotations

from pathlib import Path

import click

from neurodsr.cli.output import print_json, print_text, save_text, say
from neurodsr.cli.tables import finding_table, inspection_tables, print_table

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=FILE)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def inspect(files: tuple[Path, ...], as_json: bool) -> None:
    """Show what recording files hold, and what would take it."""
    from neurodsr.ingest.inspect import inspect_file

    inspections = [inspect_file(file) for file in files]
    if as_json:
        print_json("inspect", {"files": [found.to_plain() for found in inspections]})
        return
    for inspection in inspections:
        for table in inspection_tables(inspection):
            print_table(table)


@click.command()
@click.argument("file", type=FILE)
@click.option("-o", "out", type=FILE, default=Path("run.yaml"), show_default=True)
@click.option("--force", is_flag=True, help="Replace a configuration that exists.")
def init(file: Path, out: Path, force: bool) -> None:
    """Write a commented run configuration for a recording file."""
    from neurodsr.ingest.init_text import SCHEMA, config_text
    from neurodsr.ingest.inspect import inspect_file
    from neurodsr.ingest.propose import propose_config

    inspection = inspect_file(file)
    proposed = propose_config(inspection, root=out.parent)
    save_text(out, config_text(proposed, inspection), force=force)
    _write_schema_copy(out.parent / SCHEMA)
    print_text(str(out))
    say(f"look it over, then: neurodsr run {out} -o out")


def _write_schema_copy(path: Path) -> None:
    """The schema that the configuration's first line names: editors check it without a network."""
    from neurodsr.schema import build_schemas, installed_kinds, schema_text

    if not path.exists():  # whatever stands there is not ours to replace
        path.parent.mkdir(exist_ok=True)
        save_text(path, schema_text(build_schemas(installed_kinds())["run.json"]), force=False)


@click.command()
@click.argument("path", type=FILE)
@click.option("--deep", is_flag=True, help="Also open everything and read it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def validate(path: Path, deep: bool, as_json: bool) -> int:
    """Check a recording file or anything neurodsr wrote.

    PATH is an NWB file, a recording, a surrogate, an evaluation, or the folder of a run. Names,
    sizes and checksums are compared. Exit 0 if valid, 3 or 8 if not.
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
