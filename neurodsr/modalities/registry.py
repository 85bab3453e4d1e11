"""Which modalities are installed: found by entry point, imported only when used."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from neurodsr.errors import ConfigError, PluginError, nearest
from neurodsr.modalities.base import Modality

GROUP = "neurodsr.modalities"


@dataclass(frozen=True)
class Plugin:
    """An installed modality as its package announces it, not yet imported."""

    kind: str
    distribution: str
    version: str
    # An EntryPoint: that of importlib.metadata, or of its backport once dask has imported it.
    entry: Any


def list_plugins() -> list[Plugin]:
    """All announced modalities, by kind; reads metadata only, imports nothing.

    Packages named in the environment variable NEURODSR_DISABLE_PLUGINS (comma-separated) are
    left out.
    """
    disabled = {d for d in os.environ.get("NEURODSR_DISABLE_PLUGINS", "").split(",") if d}
    found = []
    for entry in entry_points(group=GROUP):
        name = entry.dist.name if entry.dist else "unknown"
        version = entry.dist.version if entry.dist else "unknown"
        if name not in disabled:
            found.append(Plugin(entry.name, name, version, entry))
    return sorted(found, key=lambda p: (p.kind, p.distribution))


def find_plugin(kind: str) -> Plugin:
    """The one package that offers a kind; `distribution:kind` settles a tie."""
    distribution, _, name = kind.rpartition(":")
    plugins = list_plugins()
    matches = [p for p in plugins if p.kind == name and distribution in ("", p.distribution)]
    if not matches:
        raise ConfigError(
            f"unknown modality kind {kind!r}: {nearest(name, {p.kind for p in plugins})}",
            fix=f"known kinds: {', '.join(sorted({p.kind for p in plugins}))}; "
            "`neurodsr plugins list` shows them",
        )
    if len(matches) > 1:
        packages = " and ".join(f"{p.distribution} {p.version}" for p in matches)
        raise PluginError(
            f"kind {kind!r} is offered by {packages}",
            fix=f"write {matches[0].distribution}:{name} to choose one, or uninstall the other",
        )
    return matches[0]


def load_modality(kind: str) -> type[Modality]:
    """Import the class behind a kind.

    Raises
    ------
    ConfigError
        No installed package offers the kind.
    PluginError
        The package fails to import, or gives something that is not a modality of this version.
    """
    plugin = find_plugin(kind)
    where = f"plug-in {plugin.distribution} {plugin.version}"
    try:
        with contextlib.redirect_stdout(sys.stderr):
            loaded = plugin.entry.load()
    except (Exception, SystemExit) as error:
        last = traceback.format_exception(error)[-1].strip()
        raise PluginError(
            f"kind {plugin.kind!r} fails to import: {last}",
            where=where,
            fix=f"reinstall or uninstall {plugin.distribution}",
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, Modality)):
        raise PluginError(
            f"entry point {plugin.entry.value!r} is not a Modality class",
            where=where,
            fix="point it at a subclass of neurodsr.modalities.base.Modality",
        )
    if loaded.api_version != Modality.api_version:
        raise PluginError(
            f"written for modality API {loaded.api_version}, this is {Modality.api_version}",
            where=where,
            fix=f"install a version of {plugin.distribution} for this neurodsr",
        )
    return loaded
