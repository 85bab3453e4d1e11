"""Turns everything that is wrong with a configuration into lines that say where and how to mend."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from neurodsr.errors import ConfigError, nearest
from neurodsr.modalities.registry import load_modality
from neurodsr.run_config import RunConfig
from neurodsr.yaml_source import KeyPath, YamlSource

FIX = "correct it there; `neurodsr schema` prints every key with its meaning"


def config_error(error: ValidationError, source: YamlSource) -> ConfigError:
    """One error listing all problems, each as `run.yaml:12:8: train.lr: message (got 'fast')`."""
    problems = [_problem(problem, source) for problem in error.errors(include_url=False)]
    problems.sort(key=lambda problem: _reading_order(problem[0]))
    if len(problems) == 1:
        (where, what) = problems[0]
        return ConfigError(what, where=where, fix=FIX)
    lines = "".join(f"\n  {where}: {what}" for where, what in problems)
    return ConfigError(f"{len(problems)} problems{lines}", where=source.name, fix=FIX)


def known_keys(data: Any, path: KeyPath) -> list[str]:
    """The keys that may stand below a path of a run configuration; [] where names are free."""
    model: type[BaseModel] | None = RunConfig
    if path[:1] == ("streams",) and len(path) > 1:
        kind = data["streams"][path[1]].get("kind", "")
        model, path = load_modality(str(kind)), path[2:]
    for step in path:
        model = _nested_model(model, step) if model else None
    return sorted(model.model_fields) if model else []


def _nested_model(model: type[BaseModel], step: str | int) -> type[BaseModel] | None:
    if step not in model.model_fields:
        return None
    annotation = model.model_fields[str(step)].annotation
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def unknown_name(name: str, known: list[str]) -> str:
    """What to say of a name that is not known: the closest ones, and all of them."""
    if not known:
        return "nothing is known here"
    close = nearest(name, known)
    everything = f"known: {', '.join(known)}"
    return everything if close == everything else f"{close} {everything}"


def _problem(problem: Any, source: YamlSource) -> tuple[str, str]:
    path = tuple(problem["loc"])
    where, what = _TEXTS.get(problem["type"], _invalid)(problem, path, source)
    name = ".".join(str(step) for step in path)
    return where, f"{name}: {what}" if name else what


def _reading_order(where: str) -> tuple[int, int]:
    line_and_column = re.search(r":(\d+):(\d+)$", where)
    if not line_and_column:
        return (sys.maxsize, 0)
    return int(line_and_column[1]), int(line_and_column[2])


def _invalid(problem: Any, path: KeyPath, source: YamlSource) -> tuple[str, str]:
    message = problem["msg"].removeprefix("Value error, ").replace("Input should", "should", 1)
    value = problem["input"]
    got = "" if isinstance(value, dict | list) and value else f" (got {_short(value)})"
    return source.place(path), message + got


def _unknown(problem: Any, path: KeyPath, source: YamlSource) -> tuple[str, str]:
    known = known_keys(source.data, path[:-1])
    return source.key_place(path), f"unknown key, {unknown_name(str(path[-1]), known)}"


def _missing(problem: Any, path: KeyPath, source: YamlSource) -> tuple[str, str]:
    return source.key_place(path[:-1]), "this key is missing"


def _unknown_kind(problem: Any, path: KeyPath, source: YamlSource) -> tuple[str, str]:
    return source.place((*path, "kind")), problem["msg"]


def _missing_kind(problem: Any, path: KeyPath, source: YamlSource) -> tuple[str, str]:
    return source.key_place(path), f"{problem['msg']}; `neurodsr plugins list` shows the known ones"


def _short(value: Any, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


_TEXTS: dict[str, Callable[[Any, KeyPath, YamlSource], tuple[str, str]]] = {
    "extra_forbidden": _unknown,
    "missing": _missing,
    "unknown_kind": _unknown_kind,
    "missing_kind": _missing_kind,
}
