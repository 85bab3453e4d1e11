"""From the kind that a configuration names to the class behind it, imported only now."""

from __future__ import annotations

import contextlib
import sys
import traceback
from inspect import isabstract
from io import TextIOBase
from typing import Any, get_args

from neurodsr.errors import ConfigError, PluginError, nearest
from neurodsr.modalities.base import Modality
from neurodsr.modalities.plugins import (
    DISABLE,
    Plugin,
    announced_plugins,
    canonical_name,
    list_plugins,
)

N_LINES = 6
"""Last lines of a plug-in's traceback that its error shows."""


def find_plugin(kind: str) -> Plugin:
    """The one package that offers a kind; `distribution:kind` settles a tie.

    Raises
    ------
    ConfigError
        No installed package offers the kind.
    PluginError
        Several do; the error names them.
    """
    plugins = list_plugins()
    matches = _offering(kind, plugins)
    if not matches:
        kinds = sorted({p.kind for p in plugins})
        raise ConfigError(
            f"unknown modality kind {kind!r}: {nearest(kind.rpartition(':')[2], kinds)}",
            fix=_fix_of_unknown(kind, kinds),
        )
    if len(matches) > 1:
        raise PluginError(
            f"kind {kind!r} is offered by {' and '.join(p.package for p in matches)}",
            fix=f"write {' or '.join(p.name for p in matches)} to choose one, "
            "or uninstall the other",
        )
    return matches[0]


def load_modality(kind: str) -> type[Modality]:
    """Import the class behind a kind.

    Raises
    ------
    ConfigError
        No installed package offers the kind.
    PluginError
        Several packages do, or the package fails to import, or gives something that is not a
        modality of this kind and version.
    """
    return load_plugin(find_plugin(kind), out=sys.stderr)


def load_plugin(plugin: Plugin, *, out: TextIOBase | None) -> type[Modality]:
    """Import the class that a package announces, and check that it is what it says.

    Parameters
    ----------
    plugin
        The announcement.
    out
        Where goes what the package prints meanwhile: stdout is for results alone.

    Raises
    ------
    PluginError
        The import fails, whatever it raises; its cause is that exception. Or, without a cause,
        the class is not a modality of this kind and version.
    """
    try:
        with contextlib.redirect_stdout(out):
            loaded = plugin.entry.load()
    except (Exception, SystemExit) as error:
        raise PluginError(
            "\n    ".join([f"kind {plugin.kind!r} fails to import", *last_lines(error)]),
            where=f"plug-in {plugin.package}",
            fix=f"reinstall or uninstall {plugin.distribution}, or set {DISABLE}="
            f"{plugin.distribution} to go on without it",
        ) from error
    what, fix = _misfit(loaded, plugin)
    if what:
        raise PluginError(what, where=f"plug-in {plugin.package}", fix=fix)
    return loaded


def plugin_of(modality: Modality) -> Plugin:
    """The package that brought the class of a modality; others may offer the same kind.

    Raises
    ------
    ConfigError, PluginError
        No package announces this class, and none or several the kind; see `find_plugin`.
    """
    offered = _offering(modality.kind, list_plugins())
    owners = [p for p in offered if _imported(p) is type(modality)]
    return owners[0] if owners else find_plugin(modality.kind)


def spell_kind(modality: Modality) -> str:
    """How a configuration must name a modality: `kind`, or `distribution:kind` to settle a tie."""
    tied = len(_offering(modality.kind, list_plugins())) > 1
    return plugin_of(modality).name if tied else modality.kind


def last_lines(error: BaseException) -> list[str]:
    """The last lines of a traceback, where the reason stands; not those of the import system."""
    report = traceback.TracebackException.from_exception(error)
    own = [frame for frame in report.stack if not frame.filename.startswith("<frozen ")]
    report.stack = traceback.StackSummary.from_list(own)
    return "".join(report.format()).rstrip().splitlines()[-N_LINES:]


def _offering(kind: str, plugins: list[Plugin]) -> list[Plugin]:
    distribution, _, name = kind.rpartition(":")
    wanted = canonical_name(distribution)
    return [p for p in plugins if p.kind == name and wanted in ("", canonical_name(p.distribution))]


def _fix_of_unknown(kind: str, kinds: list[str]) -> str:
    disabled = _offering(kind, announced_plugins())
    if disabled:
        return f"take {disabled[0].distribution} out of the environment variable {DISABLE}"
    return f"known kinds: {', '.join(kinds)}; `neurodsr plugins list` shows them"


def _misfit(loaded: Any, plugin: Plugin) -> tuple[str, str]:
    """Why what was imported cannot be used, and how to mend it; empty if it can."""
    if not (isinstance(loaded, type) and issubclass(loaded, Modality)):
        return (
            f"entry point {plugin.entry.value!r} is not a Modality class",
            "point it at a subclass of neurodsr.modalities.base.Modality",
        )
    if loaded.api_version != Modality.api_version:
        return (
            f"written for modality API {loaded.api_version}, this is {Modality.api_version}",
            f"install a version of {plugin.distribution} for this neurodsr",
        )
    kind = _literal_kind(loaded)
    if kind != plugin.kind:
        return (
            f"the entry point is named {plugin.kind!r}, but the kind of {loaded.__name__} is "
            f"{repr(kind) if kind else 'no Literal'}",
            f'write `kind: Literal["{plugin.kind}"]` in the class, or name the entry point as the '
            "kind",
        )
    if isabstract(loaded):
        missing = ", ".join(sorted(loaded.__abstractmethods__))
        return f"{loaded.__name__} lacks {missing}", f"write {missing} in the class"
    return "", ""


def _literal_kind(modality: type[Modality]) -> str:
    choices = get_args(modality.model_fields["kind"].annotation)
    return choices[0] if len(choices) == 1 else ""


def _imported(plugin: Plugin) -> object:
    """What an entry point means, as far as it has been imported already; None if it has not."""
    module, _, attribute = plugin.entry.value.partition("[")[0].strip().partition(":")
    found = sys.modules.get(module.strip())
    for name in attribute.strip().split("."):
        found = getattr(found, name, None)
    return found
