"""A configuration file for people: the proposed run, each value with its reason beside it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from neurodsr.ingest.inspection import Inspection, StreamInspection

SCHEMA = ".neurodsr/run.json"
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})
MAX_COMMENT = 160

KeyPath = tuple[str, ...]


def config_text(proposed: Mapping[str, Any], inspection: Inspection) -> str:
    """The commented YAML of a proposed run; it parses back to the same data.

    Parameters
    ----------
    proposed
        What `propose_config` gave, possibly edited.
    inspection
        What was found in the file; the comments quote it.
    """
    lines = [f"# yaml-language-server: $schema={SCHEMA}", *_heading(inspection)]
    comments = _comments(proposed, inspection)
    for key, value in proposed.items():
        if isinstance(value, Mapping):
            lines.append("")
        lines += _lines(key, value, path=(key,), comments=comments)
        if key == "grid" and "start" not in value:
            lines.append(f"  # start, stop: {_span_hint(proposed, inspection)}")
        if key == "streams":
            lines += _left_out(proposed, inspection)
    return "\n".join(lines) + "\n"


def _heading(inspection: Inspection) -> list[str]:
    facts = {
        "session": inspection.identifier,
        "started": inspection.session_start,
        "subject": inspection.subject,
        "species": inspection.species,
    }
    said = "; ".join(f"{k} {v}" for k, v in facts.items() if v)
    return [
        _comment(said or "the file names neither session nor subject"),
        f"# sha256 {inspection.sha256}",
        "# `neurodsr schema` explains every field; those not written here keep their defaults.",
        *(_comment(p) for p in inspection.problems),
    ]


def _lines(
    key: str, value: Any, *, path: KeyPath, comments: Mapping[KeyPath, str]
) -> Iterator[str]:
    indent = "  " * (len(path) - 1)
    comment = f"  {_comment(comments[path])}" if path in comments else ""
    if isinstance(value, Mapping):
        yield f"{indent}{_scalar(key)}:{comment}"
        for inner, item in value.items():
            yield from _lines(inner, item, path=(*path, inner), comments=comments)
    else:
        yield f"{indent}{_scalar(key)}: {_scalar(value)}{comment}"


def _comments(proposed: Mapping[str, Any], inspection: Inspection) -> dict[KeyPath, str]:
    rates = [s.median_rate for s in inspection.streams if s.kind == "events" and s.usable]
    why = f"the median neuron fires at {max(rates):.3g} Hz" if rates else "at least a sample a bin"
    comments: dict[KeyPath, str] = {
        ("file",): "relative to this file",
        ("grid", "bin_width"): f"s; {why}",
        ("grid", "start"): "s; behavior stands still outside: was the tracker off?",
        ("grid", "stop"): "s",
        ("streams",): "names are yours to choose",
        ("dynamics", "latent_dim"): "dimension of the latent state, 1 to 512",
        ("truth",): "known of this simulated session: judges the result, never trains it",
        ("truth", "exponent"): "1/s",
        ("seed",): "the same seed gives the same result",
    }
    by_path = {s.path: s for s in inspection.streams}
    columns = {c.path: c for s in inspection.streams for c in s.columns}
    for name, stream in proposed["streams"].items():
        at, path = ("streams", name), stream["path"]
        if path in by_path:
            comments[(*at, "path")] = _describe(by_path[path])
        if path in columns:
            comments[(*at, "path")] = f"levels: {', '.join(columns[path].levels)}"
        if "observation" in stream:
            comments[(*at, "observation")] = "labels; gaussian for a continuous signal"
    return comments


def _describe(stream: StreamInspection) -> str:
    parts = [f"{stream.neurodata_type}, {stream.n_channels} channels, {stream.n_samples} samples"]
    if stream.usable:
        parts.append(f"{stream.start:.6g} to {stream.stop:.6g} s")
    if stream.unit:
        parts.append(f"in {stream.unit}")
    if stream.regions:
        parts.append(f"regions {', '.join(stream.regions)}")
    return "; ".join([*parts, *stream.problems])


def _span_hint(proposed: Mapping[str, Any], inspection: Inspection) -> str:
    paths = {stream["path"] for stream in proposed["streams"].values()}
    spans = [
        (s.start, s.stop)
        for s in inspection.streams
        if s.usable and (s.path in paths or paths & {c.path for c in s.columns})
    ]
    start = max((s[0] for s in spans), default=math.nan)
    stop = min((s[1] for s in spans), default=math.nan)
    return f"s on the file's clock; default: where the streams overlap, {start:.6g} to {stop:.6g}"


def _left_out(proposed: Mapping[str, Any], inspection: Inspection) -> Iterator[str]:
    used = {stream["path"] for stream in proposed["streams"].values()}
    if inspection.truth is not None:
        used |= {inspection.truth.path, inspection.truth.reference}
    for stream in inspection.streams:
        columns = {c.path for c in stream.columns}
        if stream.path not in used and not columns & used:
            yield f"  {_comment(f'not used: {stream.path} ({_describe(stream)})')}"


def _comment(text: str) -> str:
    """One comment line; text from the file can neither end the comment nor disguise itself."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return f"# {clean[:MAX_COMMENT]}{'...' if len(clean) > MAX_COMMENT else ''}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        bare = PLAIN.fullmatch(value) and value.lower() not in WORDS
        return value if bare else _quoted(value)
    return json.dumps(value)


def _quoted(text: str) -> str:
    """A YAML double-quoted string: as JSON's, with every odd character written as a number."""
    return "".join(
        c if c.isprintable() else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"
        for c in json.dumps(text, ensure_ascii=False)
    )
