"""`neurodsr schema`, `doctor` and `plugins`: what is installed here, and what it accepts."""

from __future__ import annotations

from pathlib import Path

import click

from neurodsr.cli.output import print_json, print_text, say
from neurodsr.cli.tables import installation_table, modality_table, plugin_table, print_table
from neurodsr.modalities.registry import list_plugins, load_modality


@click.command()
@click.option("--write", "folder", type=click.Path(path_type=Path), help="Write all schemas here.")
@click.option("--plugins", is_flag=True, help="Also the kinds that installed plug-ins bring.")
def schema(folder: Path | None, plugins: bool) -> None:
    """Print the schema of a configuration, or write all schemas."""
    from neurodsr.schema import (
        build_schemas,
        built_in_kinds,
        installed_kinds,
        schema_text,
        write_schemas,
    )

    kinds = installed_kinds() if plugins else built_in_kinds()
    if folder is None:
        print_text(schema_text(build_schemas(kinds)["run.json"]))
    else:
        for path in write_schemas(folder, kinds=kinds):
            print_text(str(path))


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


@click.group()
def plugins() -> None:
    """Which modalities are installed, and what their fields mean."""


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def list_command(as_json: bool) -> None:
    """List the installed modalities; imports none of them."""
    found = list_plugins()
    if as_json:
        rows = [
            {"kind": p.kind, "distribution": p.distribution, "version": p.version} for p in found
        ]
        print_json("plugins-list", {"plugins": rows})
    else:
        print_table(plugin_table(found))


@plugins.command("show")
@click.argument("kind")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def show_command(kind: str, as_json: bool) -> None:
    """Show what a modality is and every field it takes."""
    modality = load_modality(kind)
    if as_json:
        print_json("plugins-show", {"modality": modality.model_json_schema()})
    else:
        print_text((modality.__doc__ or "").strip())
        print_table(modality_table(modality))
