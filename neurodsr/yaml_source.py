"""Reads a YAML 1.2 or JSON text safely, and remembers where every key and value stands."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from neurodsr.errors import ConfigError

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_BYTES = 2**20
MAX_DEPTH = 64

KeyPath = tuple[str | int, ...]

# The core schema of YAML 1.2.2, section 10.3.2: `no` is a word and 1e-3 is a number, in contrast
# to YAML 1.1.
_INT = re.compile(r"[-+]?[0-9]{1,400}|0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


@dataclass
class YamlSource:
    """Plain data with the place (`run.yaml:12:8`) of every key and of every value.

    Parameters
    ----------
    name
        How the text is called in messages.
    data
        Dicts, lists, strings, numbers, True, False, None.
    keys, values
        Place of each key and value, by its path in the data.
    """

    name: str
    data: Any = None
    keys: dict[KeyPath, str] = field(default_factory=dict)
    values: dict[KeyPath, str] = field(default_factory=dict)

    def place(self, path: KeyPath) -> str:
        """Where the value at a path stands, or what encloses it most closely."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, self.name)

    def key_place(self, path: KeyPath) -> str:
        """Where the key at a path stands."""
        return self.keys.get(path) or self.place(path)


def read_yaml(path: str | Path) -> YamlSource:
    """Read a file, or standard input for "-", and parse it.

    Raises
    ------
    ConfigError
        The file is missing, larger than 1 MiB, not UTF-8, or not plain YAML 1.2.
    """
    name = "<stdin>" if str(path) == "-" else str(path)
    content = _read_bytes(path, name)
    if content.startswith(HDF5_SIGNATURE):
        raise ConfigError(
            "this is a recording, not a configuration",
            where=name,
            fix=f"make a configuration for it first: neurodsr init '{name}'",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"not UTF-8 text (byte {error.start} is 0x{error.object[error.start]:02x})",
            where=name,
            fix="save the file as UTF-8",
        ) from error
    return parse_yaml(text, name)


def _read_bytes(path: str | Path, name: str) -> bytes:
    if str(path) == "-":
        content = sys.stdin.buffer.read(MAX_BYTES + 1)
    elif not Path(path).is_file():
        raise ConfigError(
            "is not a file" if Path(path).exists() else "no such file",
            where=name,
            fix="check the path; `neurodsr init FILE.nwb -o run.yaml` writes a configuration",
        )
    else:
        try:
            with Path(path).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except PermissionError as error:
            raise ConfigError(
                "may not be read", where=name, fix="give yourself permission to read it"
            ) from error
    if len(content) > MAX_BYTES:
        raise ConfigError(
            f"larger than {MAX_BYTES} bytes", where=name, fix="this is not a run configuration"
        )
    return content


def parse_yaml(text: str, name: str) -> YamlSource:
    """Plain data of a YAML 1.2 (or JSON) text: one document, no anchors, aliases or tags."""
    source = YamlSource(name)
    try:
        builder = _Builder(source, YAML(typ="safe", pure=True).parse(text))
        source.data = builder.document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise ConfigError(
            f"not valid YAML: {error.problem or error.context}",
            where=where,
            fix="check indentation, brackets, quotes and the space after each colon",
        ) from error
    except (YAMLError, RecursionError, ValueError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigError(
            f"not valid YAML: {first}", where=name, fix="keep to plain printable text"
        ) from error
    return source


class _Builder:
    """Turns parser events into plain data; its recursion is bounded by MAX_DEPTH."""

    def __init__(self, source: YamlSource, events: Iterator[Event]) -> None:
        self.source, self.events = source, events

    def document(self) -> Any:
        next(self.events)
        start = next(self.events)
        if isinstance(start, StreamEndEvent):
            raise ConfigError("is empty", where=self.source.name, fix="write at least one key")
        if isinstance(start, DocumentStartEvent) and (start.version or start.tags):
            raise _refusal("a YAML directive", self._where(start), "remove the line with the %")
        data = self._value(next(self.events), ())
        next(self.events)
        more = next(self.events)
        if not isinstance(more, StreamEndEvent):
            raise _refusal("a second document", self._where(more), "keep one document a file")
        return data

    def _value(self, event: Event, path: KeyPath) -> Any:
        where = self._where(event)
        self.source.values[path] = where
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            raise _refusal("an anchor or alias (& or *)", where, "write the value out, or quote it")
        if getattr(event, "ctag", None):
            raise _refusal(f"a tag ({event.ctag})", where, "remove the !tag, or quote the value")
        if len(path) > MAX_DEPTH:
            raise _refusal(f"nesting deeper than {MAX_DEPTH}", where, "flatten the structure")
        if isinstance(event, MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(path)
        return _plain(event.value) if event.implicit[0] else _text(event.value)

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            where = self._where(event)
            if not isinstance(event, ScalarEvent) or event.anchor or event.ctag:
                raise _refusal("a key that is not a plain word", where, "use a word as the key")
            key = _text(event.value)
            if key in data:
                first = self.source.keys[(*path, key)]
                raise _refusal(f"key {key!r} twice (first at {first})", where, "keep one of them")
            self.source.keys[(*path, key)] = where
            data[key] = self._value(next(self.events), (*path, key))
        return data

    def _sequence(self, path: KeyPath) -> list[Any]:
        data: list[Any] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            data.append(self._value(event, (*path, len(data))))
        return data

    def _where(self, event: Event) -> str:
        mark = event.start_mark
        return f"{self.source.name}:{mark.line + 1}:{mark.column + 1}"


def _refusal(what: str, where: str, fix: str) -> ConfigError:
    return ConfigError(f"{what} is not allowed in a configuration", where=where, fix=fix)


def _text(text: str) -> str:
    # JSON writes characters beyond U+FFFF as surrogate pairs; a lone half is an error.
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        # A leading zero is decimal in YAML 1.2; int(text, 0) would refuse it.
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text
