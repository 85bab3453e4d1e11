"""`neurodsr plugins`: the kinds of streams that are installed, their health, and a new one."""

from __future__ import annotations

import os
import shlex
from inspect import getdoc
from pathlib import Path
from typing import TYPE_CHECKING

import click

from neurodsr.cli.output import print_json, print_text, say
from neurodsr.cli.tables import (
    check_table,
    health_table,
    modality_table,
    plugin_table,
    print_table,
)
from neurodsr.errors import PluginError
from neurodsr.modalities.plugins import DISABLE, list_plugins

if TYPE_CHECKING:
    from neurodsr.modalities.health import PluginHealth

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


@click.group()
def plugins() -> None:
    """Which modalities are installed, whether they work, and how to begin one."""


@plugins.command("list")
@json_option
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
    if os.environ.get(DISABLE):
        say(f"left out by the environment variable {DISABLE}: {os.environ[DISABLE]}")


@plugins.command("show")
@click.argument("kind")
@json_option
def show_command(kind: str, as_json: bool) -> None:
    """Show what a modality is and every field it takes."""
    from neurodsr.modalities.registry import find_plugin, load_modality

    plugin, modality = find_plugin(kind), load_modality(kind)
    if as_json:
        package = {"distribution": plugin.distribution, "version": plugin.version}
        print_json("plugins-show", {"modality": modality.model_json_schema(), **package})
    else:
        print_text(getdoc(modality) or "")
        print_text(f"from {plugin.package}, for modality API {modality.api_version}")
        print_table(modality_table(modality))


@plugins.command("check")
@click.argument("kind")
@json_option
def check_command(kind: str, as_json: bool) -> int:
    """Test a modality against its contract. Exit 4 if a check fails."""
    from neurodsr.modalities.registry import load_modality
    from neurodsr.testing.checks import run_checks

    results = run_checks(load_modality(kind))
    if as_json:
        print_json("plugins-check", {"kind": kind, "checks": [r.to_plain() for r in results]})
    else:
        print_table(check_table(kind, results))
    n_failed, n_passed = sum(r.failed for r in results), sum(r.passed for r in results)
    say(f"{n_passed} checks hold, {n_failed} fail, {len(results) - n_passed - n_failed} skipped")
    return PluginError.exit_code if n_failed else 0


@plugins.command("doctor")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True,
    metavar="SECONDS", help="Longest time that one import may take.",
)  # fmt: skip
@json_option
def doctor_command(timeout: float, as_json: bool) -> None:
    """Import each plug-in in a process of its own. Exit 4 if one is broken.

    One that raises, exits, crashes or hangs is named; one that prints works, and is told.
    """
    from neurodsr.modalities.health import check_plugin

    found = [check_plugin(plugin, timeout=timeout) for plugin in list_plugins()]
    if as_json:
        print_json("plugins-doctor", {"plugins": [health.to_plain() for health in found]})
    else:
        print_table(health_table(found))
    broken = [health for health in found if health.broken]
    for health in broken:
        _say_traceback(health)
    if broken:
        names = sorted({health.distribution for health in broken})
        raise PluginError(
            f"{len(broken)} of {len(found)} plug-ins cannot be used: "
            f"{', '.join(health.kind for health in broken)}",
            fix=f"reinstall or uninstall {', '.join(names)}; {DISABLE}={','.join(names)} leaves "
            "them out",
        )


def _say_traceback(health: PluginHealth) -> None:
    if health.traceback:
        lines = "\n    ".join(health.traceback)
        say(f"{health.kind} ({health.distribution} {health.version}) {health.state}:\n    {lines}")


@plugins.command("new")
@click.argument("name")
@click.option(
    "-o", "out", type=click.Path(path_type=Path), metavar="FOLDER",
    help="The package's folder; default: neurodsr-NAME.",
)  # fmt: skip
def new_command(name: str, out: Path | None) -> None:
    """Write a small complete package that adds the kind NAME, to begin your own from."""
    from neurodsr.testing.scaffold import write_scaffold

    folder = out or Path(f"neurodsr-{name}")
    for path in write_scaffold(name, folder):
        print_text(str(path))
    say(
        f"next: cd {shlex.quote(str(folder))} && pip install -e '.[test]' && pytest\n"
        f"then: neurodsr plugins show {name}; README.md says where to change what"
    )
