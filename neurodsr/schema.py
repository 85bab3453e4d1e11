"""JSON Schemas (draft 2020-12) of every file a user writes or reads, generated from the models."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from neurodsr.evaluation.results import Evaluation
from neurodsr.modalities.registry import list_plugins, load_modality
from neurodsr.report.model import Report
from neurodsr.run_config import RunConfig

BUILT_IN = "neurodsr"


def built_in_kinds() -> list[str]:
    """The modality kinds that neurodsr itself brings."""
    return [p.kind for p in list_plugins() if p.distribution == BUILT_IN]


def installed_kinds() -> list[str]:
    """The modality kinds of neurodsr and of every installed plug-in."""
    return sorted({p.kind for p in list_plugins()})


def build_schemas(kinds: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Every schema by its file name; streams may be of the given kinds.

    Parameters
    ----------
    kinds
        Modality kinds; each also gets a schema of its own, `modality/<kind>.json`.
    """
    modalities = {kind: _modality_schema(kind) for kind in kinds}
    schemas = {
        "run.json": _run_schema(modalities),
        "evaluation.json": _titled(Evaluation.model_json_schema()),
        "report.json": _titled(Report.model_json_schema()),
    }
    for kind, schema in modalities.items():
        schemas[f"modality/{kind}.json"] = _titled(schema)
    return schemas


def schema_text(schema: dict[str, Any]) -> str:
    """The schema as the file holds it: sorted keys, so that equal models give equal bytes."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_schemas(folder: Path, *, kinds: Iterable[str] | None = None) -> list[Path]:
    """Write every schema below a folder.

    Parameters
    ----------
    folder
        Created if absent; files of the same names are replaced.
    kinds
        Modality kinds that streams may have; the built-in ones by default.

    Returns
    -------
    The files written, in order.
    """
    paths = []
    for name, schema in build_schemas(built_in_kinds() if kinds is None else kinds).items():
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


def _modality_schema(kind: str) -> dict[str, Any]:
    schema = load_modality(kind).model_json_schema()
    # The kind has a default in Python, where the class says it; in a file only it tells them apart.
    schema["required"] = sorted({"kind", *schema.get("required", [])})
    return schema


def _titled(schema: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}
