"""The modality as a configuration: frozen, strict, described, the same after JSON."""

from __future__ import annotations

import json
from typing import Literal, get_args, get_origin

from pydantic import ValidationError

from neurodsr.modalities.base import Modality
from neurodsr.modalities.plugins import announced_plugins
from neurodsr.testing.conformance.case import Case
from neurodsr.testing.conformance.verdict import ContractError, require

CONFIG = "Config (neurodsr/config.py) and Modality"


def check_kind_is_a_literal(case: Case) -> None:
    """`kind` is declared as one literal text, the default, and the name of the entry point."""
    cls, kind = type(case.modality), case.modality.kind
    field = cls.model_fields["kind"]
    literal = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    require(
        literal == (field.default,) == (kind,),
        expected=f'kind: Literal["{kind}"] = Field("{kind}", description=...)',
        found=f"{field.annotation} with default {field.default!r}",
        contract=f"{CONFIG}: the kind says which class a stream's fields are for",
        fix="declare it so, with the name of the entry point",
    )
    value = f"{cls.__module__}:{cls.__qualname__}"
    names = {p.kind for p in announced_plugins() if p.entry.value == value}
    require(
        names <= {kind},
        expected=f"the entry point of {value} to be called {kind!r}, like its kind",
        found=f"{', '.join(sorted(names))}",
        contract="entry points of the group neurodsr.modalities",
        fix="give entry point and kind the same name in pyproject.toml and in the class",
    )


def check_fields_are_described(case: Case) -> None:
    """Every field says what it means, with its unit."""
    bare = [n for n, f in type(case.modality).model_fields.items() if not f.description]
    require(
        not bare,
        expected="a description of every field",
        found=f"none of {', '.join(bare)}",
        contract=f"{CONFIG}: descriptions become the JSON Schema and `plugins show`",
        fix='Field(default, description="What it is, unit.")',
    )


def check_fields_survive_json(case: Case) -> None:
    """The fields written as JSON and read again are the same, and so is their JSON Schema."""
    modality = case.modality
    plain = modality.to_plain()
    again = type(modality).from_plain(json.loads(json.dumps(plain))).to_plain()
    changed = [name for name in plain if again.get(name) != plain[name]]
    require(
        not changed,
        expected="the same fields after to_plain, JSON and from_plain",
        found=f"{', '.join(f'{n}: {plain[n]!r} became {again.get(n)!r}' for n in changed)}",
        contract=f"{CONFIG}: stored with every run, and sent to worker processes",
        fix="use fields of plain types, and let a validator leave alone what it has made itself",
    )
    json.dumps(type(modality).model_json_schema())


def check_object_is_frozen(case: Case) -> None:
    """Fields cannot be changed once the object is made."""
    modality = case.modality.model_copy()
    try:
        modality.weight = modality.weight + 1.0
    except ValidationError:
        return
    raise ContractError(
        expected="an error where a field is set",
        found=f"weight changed to {modality.weight:g}",
        contract=f"{CONFIG}: a frozen value",
        fix="do not override model_config without frozen=True",
    )


def check_unknown_fields_are_refused(case: Case) -> None:
    """A misspelled field is an error and not ignored."""
    plain = case.modality.to_plain() | {"no_such_field": 1}
    try:
        type(case.modality).from_plain(plain)
    except ValidationError:
        return
    raise ContractError(
        expected="an error for the field no_such_field",
        found="that it was accepted",
        contract=f"{CONFIG}: nothing unknown, so that a typo is not a default",
        fix='do not override model_config without extra="forbid"',
    )


def check_api_version_is_ours(case: Case) -> None:
    """The class is written for this version of the contract."""
    found = type(case.modality).api_version
    require(
        found == Modality.api_version,
        expected=f"api_version {Modality.api_version!r}",
        found=f"{found!r}",
        contract="Modality.api_version, which the registry checks before use",
        fix="do not set api_version; require the version of neurodsr that you wrote it for",
    )
