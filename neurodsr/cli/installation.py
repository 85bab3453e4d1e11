"""`neurodsr schema` and `doctor`: what a configuration may say, and what it would run on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neurodsr.cli.output import print_json, print_text, say
from neurodsr.cli.tables import installation_table, print_table


@click.command()
@click.option("--write", "folder", type=click.Path(path_type=Path), help="Write all schemas here.")
@click.option("--installed", is_flag=True, help="Also the kinds that other packages bring.")
def schema(folder: Path | None, installed: bool) -> None:
    """Print the schema of a configuration, or write all schemas."""
    from neurodsr.schema import build_schemas, built_in_kinds, schema_text, write_schemas

    plugins = collect_plugin_schemas() if installed else None
    if folder is None:
        print_text(schema_text(build_schemas(built_in_kinds(), plugins=plugins)["run.json"]))
    else:
        for path in write_schemas(folder, plugins=plugins):
            print_text(str(path))


def collect_plugin_schemas() -> dict[str, dict[str, Any]]:
    """Schemas of all plug-ins that can be imported; the others are named on stderr."""
    from neurodsr.schema import plugin_schemas

    schemas, broken = plugin_schemas()
    for plugin in broken:
        say(f"left out: kind {plugin.kind} of {plugin.distribution}: {plugin.problem}")
    if broken:
        say("`neurodsr plugins doctor` says more; a run that names such a kind will fail")
    return schemas


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def doctor(as_json: bool) -> None:
    """Show versions, processors, device, and health of plug-ins."""
    from neurodsr.pipeline.doctor import check_installation

    installation = check_installation()
    if as_json:
        print_json("doctor", installation.to_plain())
    else:
        print_table(installation_table(installation))
        say("\n".join(installation.problems) or "no problems found")
