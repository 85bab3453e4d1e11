"""docs/cli.md says what the commands really take."""

import re
from pathlib import Path

import click
import pytest

from neurodsr import errors
from neurodsr.cli.main import COMMANDS, cli

TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## neurodsr (\w+)\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S))


def options_of(command):
    leaves = command.commands.values() if isinstance(command, click.Group) else [command]
    return {
        option
        for leaf in leaves
        for parameter in leaf.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }


def test_every_command_has_its_section_in_the_order_of_help():
    assert list(SECTIONS) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_in_the_table_and_no_other(name):
    documented = set(re.findall(r"^\| `(-[-\w]*)", SECTIONS[name], re.M))
    assert documented == options_of(cli.get_command(None, name))


def test_every_exit_code_is_documented():
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", TEXT, re.M)}
    classes = [c for c in vars(errors).values() if isinstance(c, type)]
    raised = {c.exit_code for c in classes if issubclass(c, errors.NeurodsrError)}
    assert documented == raised | {0, 141}
