"""A command group that imports a command only when it is needed."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from neurodsr.errors import ConfigError, nearest


class LazyGroup(click.Group):
    """A click group whose commands are given as `module:attribute`.

    Parameters
    ----------
    commands_at
        Import place of each command, by its name, in the order that help shows.
    """

    def __init__(self, *args: Any, commands_at: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands_at = dict(commands_at)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in order."""
        return list(self.commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, imported now."""
        if cmd_name not in self.commands_at:
            return None
        module, _, attribute = self.commands_at[cmd_name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; a wrong name is answered with the closest ones."""
        if args and not args[0].startswith("-") and args[0] not in self.commands_at:
            raise ConfigError(
                f"no command {args[0]!r}: {nearest(args[0], self.commands_at)}",
                fix="`neurodsr --help` lists the commands",
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader that went away (`| head`) ends it quietly."""
        try:
            result = super().invoke(ctx)
            if sys.stdout:  # None when the shell closed it
                sys.stdout.flush()
        except BrokenPipeError:
            silence_stdout()
            raise click.exceptions.Exit(141) from None
        return result


def silence_stdout() -> None:
    """Send what is still buffered nowhere, so that the interpreter's last flush cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
