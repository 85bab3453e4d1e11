"""A new plug-in as a small complete package, written from templates that neurodsr brings along."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from neurodsr.errors import ConfigError, OutputError
from neurodsr.modalities.base import Modality
from neurodsr.modalities.plugins import announced_plugins
from neurodsr.storage.files import (
    fresh_sibling,
    output_errors,
    remove,
    require_writable_parent,
    settled,
)

MAX_LENGTH = 32
"""Characters of a kind's name, so that every line that holds it stays readable."""


@dataclass(frozen=True)
class NewPlugin:
    """The names in a new package; all follow from that of its kind, such as `log-signal`."""

    kind: str

    @property
    def distribution(self) -> str:
        """What pip installs: neurodsr-log-signal."""
        return f"neurodsr-{self.kind}"

    @property
    def module(self) -> str:
        """What Python imports: neurodsr_log_signal."""
        return self.distribution.replace("-", "_")

    @property
    def class_name(self) -> str:
        """LogSignal; "Signal" is added if it is not the last word, so that no import is hidden."""
        words = self.kind.removesuffix("-signal").split("-")
        return "".join(word.capitalize() for word in [*words, "signal"])

    @property
    def test(self) -> str:
        """File of its tests."""
        return f"tests/test_{self.kind.replace('-', '_')}.py"


def write_scaffold(kind: str, folder: str | Path) -> list[Path]:
    """Write the package of a new kind: the class, its entry point, a README and tests.

    The modality in it takes the logarithm of a signal and is complete; it is there to be changed.

    Parameters
    ----------
    kind
        Name of the kind: lower-case letters, digits and single hyphens.
    folder
        Made, whole or not at all; nothing may stand there.

    Returns
    -------
    The files written.

    Raises
    ------
    ConfigError
        The name is not of that form, or a package that is installed offers the kind already.
    OutputError
        The folder exists, or cannot be written.
    """
    _check_name(kind)
    path = settled(folder)
    require_writable_parent(path)
    _refuse_existing(path)
    texts = _render(NewPlugin(kind))
    partial = fresh_sibling(path, "tmp")
    try:
        with output_errors(path):
            for name, text in texts.items():
                (partial / name).parent.mkdir(parents=True, exist_ok=True)
                (partial / name).write_text(text, encoding="utf-8")
            os.rename(partial, path)
    finally:
        remove(partial)
    return [Path(folder) / name for name in texts]


def _check_name(kind: str) -> None:
    form = r"(?!neurodsr-)[a-z][a-z0-9]*(-[a-z0-9]+)*"
    if not re.fullmatch(form, kind) or len(kind) > MAX_LENGTH:
        raise ConfigError(
            f"{kind!r} is no name for a kind",
            fix="write lower-case letters, digits and single hyphens, a letter first, at most "
            f"{MAX_LENGTH} in all and without neurodsr- in front, such as log-signal",
        )
    for plugin in announced_plugins():
        if plugin.kind == kind:
            raise ConfigError(
                f"{plugin.package} offers the kind {kind!r} already",
                fix=f"choose another name, such as my-{kind}; `neurodsr plugins list` shows those "
                "that are taken",
            )


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        raise OutputError(
            "something is there already, and is kept",
            where=str(path),
            fix="choose another folder with -o, or remove it yourself",
        )


def _render(plugin: NewPlugin) -> dict[str, str]:
    environment = Environment(
        loader=PackageLoader("neurodsr.testing"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    names = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        "module.py": f"{plugin.module}/__init__.py",
        "test_module.py": plugin.test,
    }
    return {
        name: environment.get_template(f"{template}.j2").render(
            plugin=plugin, api_version=Modality.api_version
        )
        for template, name in names.items()
    }
