"""JSON Schemas (draft 2020-12) of every file a user writes or reads, generated from the models."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from neurodsr.evaluation.results import Evaluation
from neurodsr.modalities.health import PluginHealth, look_at_plugin
from neurodsr.modalities.plugins import Plugin, list_plugins
from neurodsr.modalities.registry import load_modality
from neurodsr.report.model import Report
from neurodsr.run_config import RunConfig

BUILT_IN = "neurodsr"
TIMEOUT = 20.0
"""Longest that the schema of a plug-in is waited for, s."""


def built_in_kinds() -> list[str]:
    """The modality kinds that neurodsr itself brings."""
    return [p.kind for p in list_plugins() if p.distribution == BUILT_IN]


def plugin_schemas(
    *, timeout: float = TIMEOUT
) -> tuple[dict[str, dict[str, Any]], tuple[PluginHealth, ...]]:
    """What the plug-ins of other packages accept; each is imported in a process of its own.

    Parameters
    ----------
    timeout
        Longest time that the import of one may take, s.

    Returns
    -------
    The schema of each kind, named as a configuration must name it, and the plug-ins that are left
    out because they cannot be imported.
    """
    plugins = list_plugins()
    schemas, broken = {}, []
    for plugin in plugins:
        if plugin.distribution == BUILT_IN:
            continue
        health, schema = look_at_plugin(plugin, timeout=timeout)
        if health.broken:
            broken.append(health)
        else:
            name = _name_among(plugin, plugins)
            schema["properties"]["kind"] |= {"const": name, "default": name}
            schemas[name] = schema
    return schemas, tuple(broken)


def build_schemas(
    kinds: Iterable[str], *, plugins: Mapping[str, dict[str, Any]] | None = None
) -> dict[str, dict[str, Any]]:
    """Every schema by its file name; streams may be of the given kinds.

    Parameters
    ----------
    kinds
        Built-in modality kinds; each also gets a schema of its own, `modality/<kind>.json`.
    plugins
        Schemas of further kinds, from `plugin_schemas`.
    """
    built_in = {kind: load_modality(f"{BUILT_IN}:{kind}").model_json_schema() for kind in kinds}
    modalities = {
        kind: _with_kind_required(schema) for kind, schema in (built_in | (plugins or {})).items()
    }
    schemas = {
        "run.json": _run_schema(modalities),
        "evaluation.json": _titled(Evaluation.model_json_schema()),
        "report.json": _titled(Report.model_json_schema()),
    }
    for kind, schema in modalities.items():
        schemas[f"modality/{kind.replace(':', '/')}.json"] = _titled(schema)
    return schemas


def schema_text(schema: dict[str, Any]) -> str:
    """The schema as the file holds it: sorted keys, so that equal models give equal bytes."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_schemas(
    folder: Path, *, plugins: Mapping[str, dict[str, Any]] | None = None
) -> list[Path]:
    """Write every schema below a folder.

    Parameters
    ----------
    folder
        Created if absent; files of the same names are replaced.
    plugins
        Schemas of kinds that streams may have beside the built-in ones, from `plugin_schemas`.

    Returns
    -------
    The files written, in order.
    """
    paths = []
    for name, schema in build_schemas(built_in_kinds(), plugins=plugins).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(schema_text(schema), encoding="utf-8")
        paths.append(path)
    return paths


def _run_schema(modalities: dict[str, dict[str, Any]]) -> dict[str, Any]:
    schema = RunConfig.model_json_schema()
    # Pydantic only sees the abstract Modality; the registry knows what a stream may really be.
    definitions = {k: v for k, v in schema["$defs"].items() if k != "Modality"}
    for kind, modality in modalities.items():
        definitions |= modality.get("$defs", {})
        definitions[f"stream-{kind}"] = {k: v for k, v in modality.items() if k != "$defs"}
    schema["$defs"] = definitions
    schema["properties"]["streams"]["additionalProperties"] = {
        "oneOf": [{"$ref": f"#/$defs/stream-{kind}"} for kind in modalities]
    }
    return _titled(schema)


def _with_kind_required(schema: dict[str, Any]) -> dict[str, Any]:
    # The kind has a default in Python, where the class says it; in a file only it tells them apart.
    return schema | {"required": sorted({"kind", *schema.get("required", [])})}


def _name_among(plugin: Plugin, plugins: list[Plugin]) -> str:
    tied = sum(other.kind == plugin.kind for other in plugins) > 1
    return plugin.name if tied else plugin.kind


def _titled(schema: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}
