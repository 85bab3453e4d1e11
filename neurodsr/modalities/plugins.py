"""Which modalities installed packages announce: read from their metadata, nothing imported."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib.metadata import distributions
from typing import Any

GROUP = "neurodsr.modalities"
DISABLE = "NEURODSR_DISABLE_PLUGINS"
"""Environment variable with the names of packages, comma-separated, whose plug-ins are left out."""
UNKNOWN = "unknown"

# What reading the metadata of a damaged package raises: bytes that are no text, lines that are no
# entries, fields that are missing.
_DAMAGE = (ValueError, TypeError, KeyError, AttributeError, OSError)


@dataclass(frozen=True)
class Plugin:
    """An installed modality as its package announces it, not imported."""

    kind: str
    distribution: str
    version: str
    # An EntryPoint: that of importlib.metadata, or of its backport once dask has imported it.
    entry: Any

    @property
    def name(self) -> str:
        """The name that is never taken by another: distribution:kind."""
        return f"{self.distribution}:{self.kind}"

    @property
    def package(self) -> str:
        """The package with its version, as messages name it."""
        return f"{self.distribution} {self.version}"


def announced_plugins() -> list[Plugin]:
    """All announced modalities, by kind, whether or not they are disabled.

    A package whose metadata cannot be read announces nothing; that must not hide the others.
    Where a package is found twice on the path, the first counts, as it does for imports.
    """
    found: dict[str, list[Plugin]] = {}
    for distribution in distributions():
        plugins = _plugins_of(distribution)
        if plugins:
            found.setdefault(canonical_name(plugins[0].distribution), plugins)
    everything = (plugin for plugins in found.values() for plugin in plugins)
    return sorted(everything, key=lambda p: (p.kind, p.distribution))


def list_plugins() -> list[Plugin]:
    """The announced modalities, by kind, but for those of packages that are disabled."""
    names = {canonical_name(n) for n in os.environ.get(DISABLE, "").split(",")}
    return [p for p in announced_plugins() if canonical_name(p.distribution) not in names]


def canonical_name(name: str) -> str:
    """A package's name as installers compare it: `Lab_Calcium` is `lab-calcium`."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _plugins_of(distribution: Any) -> list[Plugin]:
    try:
        # Nearly all packages announce nothing to us, and need not be parsed.
        if GROUP not in (distribution.read_text("entry_points.txt") or ""):
            return []
        entries = [e for e in distribution.entry_points if e.group == GROUP]
    except _DAMAGE:
        return []
    name, version = _field(distribution, "Name"), _field(distribution, "Version")
    return [Plugin(entry.name, name, version, entry) for entry in entries]


def _field(distribution: Any, name: str) -> str:
    try:
        return distribution.metadata[name] or UNKNOWN
    except _DAMAGE:
        return UNKNOWN
