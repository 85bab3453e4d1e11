"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)

config_argument = click.argument("config", type=PATH)

set_option = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one value, e.g. dynamics.latent_dim=4; may be repeated.",
)

out_option = click.option("-o", "out", required=True, type=PATH, help="The output.")

force_option = click.option("--force", is_flag=True, help="Replace an output that exists.")

resume_option = click.option("--resume", is_flag=True, help="Go on from the last checkpoint.")

workers_option = click.option(
    "--workers",
    "n_workers",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Processes that read large signals and train members side by side.",
)


def config_root(config: Path) -> Path:
    """The folder that paths in a configuration are relative to; "-" is the working folder."""
    return Path.cwd() if str(config) == "-" else config.parent
