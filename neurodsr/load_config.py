"""Reads a run configuration; whatever is wrong with it is said at once, with its place."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError

from neurodsr.config_errors import config_error
from neurodsr.errors import ConfigError
from neurodsr.overrides import apply_sets
from neurodsr.run_config import RunConfig
from neurodsr.yaml_source import YamlSource, read_yaml

SCHEMA_VERSION = 1


def load_config(path: str | Path, *, sets: Iterable[str] = ()) -> RunConfig:
    """The run configuration in a YAML 1.2 or JSON file, with single values changed.

    Parameters
    ----------
    path
        The file; "-" is standard input.
    sets
        Changes such as `dynamics.latent_dim=4`; they win over the file.

    Returns
    -------
    The validated configuration. Its `file` is relative to the folder of `path`.

    Raises
    ------
    ConfigError
        Names every wrong key and value with file, line and column, and the known keys.
    PluginError
        A stream's kind is installed but cannot be imported.
    """
    source = read_yaml(path)
    _check_mapping(source)
    _check_version(source)
    source = apply_sets(source, sets)
    try:
        # JSON mode: strict about types, yet a list may become a tuple.
        return RunConfig.model_validate_json(json.dumps(source.data))
    except ValidationError as error:
        raise config_error(error, source) from error


def _check_mapping(source: YamlSource) -> None:
    streams = source.data.get("streams") if isinstance(source.data, dict) else None
    ok = isinstance(source.data, dict) and (
        streams is None
        or (isinstance(streams, dict) and all(isinstance(s, dict) for s in streams.values()))
    )
    if not ok:
        raise ConfigError(
            "a configuration is a mapping of keys to values, and so are `streams` and each stream",
            where=source.place(("streams",) if isinstance(source.data, dict) else ()),
            fix="write `streams:` and below it, indented, `probe: {kind: spikes, path: units}`",
        )


def _check_version(source: YamlSource) -> None:
    found = source.data.get("schema_version")
    if isinstance(found, int) and found > SCHEMA_VERSION:
        raise ConfigError(
            f"schema_version {found} is newer than this neurodsr {version('neurodsr')}, "
            f"which reads up to {SCHEMA_VERSION}",
            where=source.place(("schema_version",)),
            fix=f"install a neurodsr that reads schema_version {found}: "
            "pip install --upgrade neurodsr",
        )
