"""A configuration file for people: the proposed run, each value with its reason beside it."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from neurodsr.ingest.inspection import ColumnInspection, Inspection, StreamInspection
from neurodsr.ingest.propose import BOLD_BIN_WIDTH, choose

SCHEMA = ".neurodsr/run.json"
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})
EXPLAIN = "# `neurodsr schema` explains every field; those not written here keep their defaults."
MAX_COMMENT = 600
MAX_LEFT_OUT = 40
MAX_LIST = 72
WIDTH = 100

KeyPath = tuple[str, ...]


def config_text(proposed: Mapping[str, Any], *inspections: Inspection) -> str:
    """The commented YAML of a proposed run; it parses back to the same data.

    Parameters
    ----------
    proposed
        What `propose_config` gave, possibly edited.
    inspections
        What was found in the files; the comments quote it.
    """
    lines = [f"# yaml-language-server: $schema={SCHEMA}", *_heading(inspections)]
    comments = _comments(proposed, inspections)
    for key, value in proposed.items():
        if isinstance(value, Mapping):
            lines.append("")
        lines += _lines(key, value, path=(key,), comments=comments)
        if key == "grid" and "start" not in value:
            lines.append(f"  # start, stop: {_span_hint(proposed, inspections)}")
        if key == "streams":
            lines += _left_out(proposed, inspections)
    return "\n".join(lines) + "\n"


def describe(stream: StreamInspection) -> str:
    """One line on a stream: type, size, time, unit, regions, problems."""
    size = f"{_count(stream.n_channels, 'channel')}, {_count(stream.n_samples, 'sample')}"
    parts = [f"{stream.neurodata_type}, {size}"]
    if stream.start is not None:
        parts.append(f"{stream.start:.6g} to {stream.stop:.6g} s")
    if stream.unit:
        parts.append(f"in {stream.unit}")
    if stream.regions:
        parts.append(f"regions {', '.join(stream.regions)}")
    if stream.needs_clock and stream.clock is None:
        parts.append("used once --rate or --interval is given")
    return "; ".join([*parts, *stream.problems])


def _heading(inspections: Sequence[Inspection]) -> list[str]:
    lines = []
    for found in inspections:
        facts = {
            "session": found.identifier,
            "started": found.session_start,
            "subject": found.subject,
            "species": found.species,
        }
        said = "; ".join(f"{k} {v}" for k, v in facts.items() if v)
        name = f"{found.file}: " if len(inspections) > 1 else ""
        lines += [
            *_wrapped(f"{name}{said or 'the file names neither session nor subject'}"),
            f"# sha256 {found.sha256 or 'not computed: more than 1 GiB'}",
            *(line for p in found.problems for line in _wrapped(p)),
        ]
    explain = (
        "# `neurodsr schema` explains every field; those not written here keep their defaults."
    )
    return [*lines, explain]


def _lines(
    key: str, value: Any, *, path: KeyPath, comments: Mapping[KeyPath, str]
) -> Iterator[str]:
    indent = "  " * (len(path) - 1)
    comment = comments.get(path, "")
    if isinstance(value, Mapping):
        yield from _commented(f"{indent}{_scalar(key)}:", comment)
        for inner, item in value.items():
            yield from _lines(inner, item, path=(*path, inner), comments=comments)
    elif isinstance(value, list) and sum(len(_scalar(v)) for v in value) > MAX_LIST:
        yield from _commented(f"{indent}{_scalar(key)}:", comment)
        yield from (f"{indent}  - {_scalar(item)}" for item in value)
    else:
        yield from _commented(f"{indent}{_scalar(key)}: {_scalar(value)}", comment)


def _commented(line: str, comment: str) -> Iterator[str]:
    """A line with its comment behind it, or above it where it is too long for that."""
    short = f"{line}  # {_plain(comment)}"
    if not comment or len(short) <= WIDTH:
        yield short if comment else line
        return
    yield from _wrapped(comment, indent=line[: len(line) - len(line.lstrip())])
    yield line


def _wrapped(comment: str, *, indent: str = "") -> Iterator[str]:
    """Comment lines; text from the file can neither end a comment nor disguise itself."""
    for part in textwrap.wrap(_plain(comment), WIDTH - len(indent) - 2):
        yield f"{indent}# {part}"


def _plain(text: str) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean[:MAX_COMMENT] + ("..." if len(clean) > MAX_COMMENT else "")


def _comments(proposed: Mapping[str, Any], inspections: Sequence[Inspection]) -> dict[KeyPath, str]:
    short = "bins; the recording is short"
    several = "; one file a session" if len(inspections) > 1 else ""
    comments: dict[KeyPath, str] = {
        ("file",): f"relative to this file{several}",
        ("grid", "bin_width"): f"s; {_why_width(inspections)}",
        ("grid", "start"): "s; behavior stands still outside: was the tracker off?",
        ("grid", "stop"): "s",
        ("streams",): "names are yours to choose",
        ("inputs",): "what acts on the brain from outside, in physical units",
        ("encoder", "window"): short,
        ("dynamics", "window"): short,
        ("dynamics", "latent_dim"): "dimension of the latent state, 1 to 512",
        ("truth",): "known of this simulated session: judges the result, never trains it",
        ("truth", "exponent"): "1/s",
        ("seed",): "the same seed gives the same result",
    }
    reasons = {i.name: i.reason for found in inspections for i in found.inputs}
    for name in proposed.get("inputs", {}):
        comments[("inputs", name)] = reasons.get(name, "")
    return comments | _stream_comments(proposed, inspections)


def _why_width(inspections: Sequence[Inspection]) -> str:
    """What decided the width of a bin; see `propose_bin_width`."""
    used = {path for c in choose(inspections) for path in c.paths}
    streams = [s for i in inspections for s in i.streams if s.path in used and s.usable]
    kinds = {s.proposed for s in streams}
    rates = [s.median_rate for s in streams if s.proposed == "spikes" and s.kind == "events"]
    why = f"the median neuron fires at {max(rates):.3g} Hz" if rates else "at least a sample a bin"
    if kinds == {"lfp"}:
        why = "power changes more slowly than its signal"
    return f"{why}; at least {BOLD_BIN_WIDTH:g} s beside BOLD" if kinds > {"fmri"} else why


def _stream_comments(
    proposed: Mapping[str, Any], inspections: Sequence[Inspection]
) -> dict[KeyPath, str]:
    comments: dict[KeyPath, str] = {}
    by_path = _first(s for i in inspections for s in i.streams)
    columns = _first(c for i in inspections for s in i.streams for c in s.columns)
    chosen = {c.path: c for c in choose(inspections)}
    for name, stream in proposed["streams"].items():
        at, path = ("streams", name), stream["path"]
        listed = chosen[path].paths[0] if path in chosen else path
        if listed in by_path:
            comments[(*at, "path")] = describe(by_path[listed]) + _held_by(listed, inspections)
        elif path in columns:
            comments[(*at, "path")] = _column(columns[path])
        if path in chosen:
            comments |= {(*at, field): reason for field, reason in chosen[path].reasons.items()}
    return comments


def _column(column: ColumnInspection) -> str:
    if not column.levels:
        return f"{_count(column.n_levels, 'time')} in the rows"
    return f"levels: {', '.join(column.levels)}"


def _first(found: Iterator[Any]) -> dict[str, Any]:
    by_path: dict[str, StreamInspection | ColumnInspection] = {}
    for item in found:
        by_path.setdefault(item.path, item)
    return by_path


def _held_by(path: str, inspections: Sequence[Inspection]) -> str:
    if len(inspections) == 1:
        return ""
    holding = sum(any(s.path == path and s.usable for s in i.streams) for i in inspections)
    return f"; in {holding} of {len(inspections)} files"


def _span_hint(proposed: Mapping[str, Any], inspections: Sequence[Inspection]) -> str:
    if len(inspections) > 1:
        return "s on each file's clock; default: where the streams of a session overlap"
    paths = {stream["path"] for stream in proposed["streams"].values()}
    chosen = [c for c in choose(inspections) if c.path in paths]
    start = max((c.start for c in chosen), default=math.nan)
    stop = min((c.stop for c in chosen), default=math.nan)
    return f"s on the file's clock; default: where the streams overlap, {start:.6g} to {stop:.6g}"


def _left_out(proposed: Mapping[str, Any], inspections: Sequence[Inspection]) -> Iterator[str]:
    used = {stream["path"] for stream in proposed["streams"].values()}
    used |= {path for c in choose(inspections) if c.path in used for path in c.paths}
    used |= {given["path"] for given in proposed.get("inputs", {}).values()}
    for found in inspections:
        if found.truth is not None:
            used |= {found.truth.path, found.truth.reference}
    streams = _first(s for i in inspections for s in i.streams).values()
    whole = any(s.path in used and s.neurodata_type == "table" for s in streams)
    unused = [
        s
        for s in streams
        if not {s.path, *(c.path for c in s.columns)} & used
        and not (whole and s.neurodata_type == "column")  # it is used as part of its table
    ]
    for stream in unused[:MAX_LEFT_OUT]:
        yield from _wrapped(f"not used: {stream.path} ({describe(stream)})", indent="  ")
    if len(unused) > MAX_LEFT_OUT:
        yield f"  # not used: {len(unused) - MAX_LEFT_OUT} more; `neurodsr inspect` lists them"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        bare = PLAIN.fullmatch(value) and value.lower() not in WORDS
        return value if bare else _quoted(value)
    if isinstance(value, list):
        return f"[{', '.join(_scalar(item) for item in value)}]"
    return json.dumps(value)


def _quoted(text: str) -> str:
    """A YAML double-quoted string: as JSON's, with every odd character written as a number."""
    return "".join(
        c if c.isprintable() else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"
        for c in json.dumps(text, ensure_ascii=False)
    )
