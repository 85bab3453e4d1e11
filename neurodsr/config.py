"""The base of every configuration object: frozen, strict, nothing unknown, nothing infinite."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from neurodsr.errors import IntegrityError

AnyConfig = TypeVar("AnyConfig", bound="Config")

Stored = TypeVar("Stored", bound="Config")


class Config(BaseModel):
    """A frozen value object whose fields carry a description and a unit.

    Unknown keys, NaN, infinity and silent type coercion are refused, so that a typo or a
    string where a number belongs is an error and not a default.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True
    )

    @classmethod
    def from_plain(cls: type[AnyConfig], data: Any) -> AnyConfig:
        """Build from plain JSON-like data (dicts, lists, numbers, strings).

        Validated in JSON mode, where strictness still lets a list become a tuple.
        """
        return cls.model_validate_json(json.dumps(data))

    def to_plain(self) -> dict[str, Any]:
        """The same object as plain JSON-like data."""
        return self.model_dump(mode="json")


def parse_stored(model: type[Stored], data: Any, *, where: str) -> Stored:
    """Build a value from a document that neurodsr itself wrote.

    Raises
    ------
    IntegrityError
        The document does not fit, because another version wrote it or somebody changed it.
    """
    try:
        return model.from_plain(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise IntegrityError(
            f"{key or 'document'}: {first['msg']}",
            where=where,
            fix="read it with the neurodsr version that wrote it, or make it again",
        ) from error


def differing_keys(a: Any, b: Any, *, key: str = "") -> list[str]:
    """Dotted names at which two plain JSON-like values differ, sorted."""
    if isinstance(a, dict) and isinstance(b, dict):
        found = []
        for name in sorted(a.keys() | b.keys()):
            found += differing_keys(a.get(name), b.get(name), key=f"{key}.{name}".lstrip("."))
        return found
    return [] if a == b else [key]


def changed_keys(config: Config) -> set[str]:
    """Keys whose value is not the default; a file may well spell defaults out."""
    return {
        name
        for name, field in type(config).model_fields.items()
        if getattr(config, name) != field.get_default(call_default_factory=True)
    }
