"""`--set dynamics.latent_dim=4`: single values of a configuration changed at the command line."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from neurodsr.config_errors import known_keys, unknown_name
from neurodsr.errors import ConfigError
from neurodsr.yaml_source import KeyPath, YamlSource, parse_yaml


def apply_sets(source: YamlSource, sets: Iterable[str]) -> YamlSource:
    """The same configuration with `a.b=value` strings applied; values are read as YAML 1.2.

    What is wrong with such a value is reported at the `--set` it came from.

    Raises
    ------
    ConfigError
        A string without "=", a path that does not exist, or a value that is not YAML.
    """
    changed = YamlSource(
        source.name, copy.deepcopy(source.data), dict(source.keys), dict(source.values)
    )
    for text in sets:
        path, value = _parse(text)
        _assign(changed.data, path, value, where=f"--set {text}")
        for places in (changed.keys, changed.values):
            for old in [p for p in places if p[: len(path)] == path]:
                del places[old]
            places[path] = f"--set {text}"
    return changed


def _parse(text: str) -> tuple[tuple[str, ...], Any]:
    name, equals, value = text.partition("=")
    path = tuple(name.strip().split("."))
    if not equals or not all(path):
        raise ConfigError(
            f"{text!r} is not of the form key=value",
            where=f"--set {text}",
            fix="write for example --set dynamics.latent_dim=4",
        )
    if not value.strip():
        return path, None
    return path, parse_yaml(value, f"--set {text}").data


def _assign(data: Any, path: tuple[str, ...], value: Any, *, where: str) -> None:
    for depth, step in enumerate(path):
        known = _options(data, path[:depth])
        if step not in known:
            name = ".".join(path[: depth + 1])
            raise ConfigError(
                f"unknown path {name}: {unknown_name(step, known)}",
                where=where,
                fix="name an existing key; deeper values are set as a whole, e.g. a.b='{c: 1}'",
            )
    target = data
    for step in path[:-1]:
        if not isinstance(target.get(step), dict):
            target[step] = {}
        target = target[step]
    target[path[-1]] = value


def _options(data: Any, path: KeyPath) -> list[str]:
    if path == ("streams",):
        return sorted(data.get("streams") or {})
    return known_keys(data, path)
