"""Which of the streams that were found a run would use, and what its configuration would say."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from neurodsr.ingest.fitting import is_too_short
from neurodsr.ingest.inspection import ColumnInspection, Inspection, StreamInspection
from neurodsr.ingest.names import is_label
from neurodsr.ingest.settings import observation_settings, remark_on, settings_of
from neurodsr.sources.nwb_pose import POSE

MIN_SHARED = 0.5
WIDE_BAND = 2500.0
MAX_STREAMS = 24

LACKS = {
    "calcium": "no indicator kinetics",
    "lfp": "no band power",
    "fmri": "no hemodynamic response",
}
"""What a plain signal leaves out that the modality which fits would have."""

# Within one optical recording the same ROIs come several times: the first that is there is taken.
TRACES = (
    r"dfoverf|df_?f\b",
    r"^(?!.*(neuropil|fneu|deconv|spike|spks|background)).*",
    r"deconv|spike|spks",
    r".*",
)


class Candidate(NamedTuple):
    """A stream that would fit, with its span in s, and the reasons of its configuration.

    `reasons` has a sentence for some fields of `config`. `members` are the paths of what it puts
    together, where it is more than one object.
    """

    path: str
    config: dict[str, Any]
    start: float
    stop: float
    reasons: Mapping[str, str] = MappingProxyType({})
    members: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of what the file lists of it."""
        return self.members or (self.path,)


def candidates(inspection: Inspection) -> list[Candidate]:
    """Everything that an installed modality would take, spikes first.

    Of the traces of the same ROIs only one is taken: dF/F before raw fluorescence, and neither
    the neuropil nor deconvolved traces unless there is nothing else. Electrical signals above
    2500 Hz (raw voltage; our own choice) are taken only where nothing else is there.
    """
    usable = [s for s in inspection.streams if s.usable]
    # Where --path names some, the others have no proposal, and compete for nothing.
    taken = one_trace_per_roi([s for s in usable if s.proposed])
    narrow = [s for s in taken if not (s.modality == "lfp" and s.rate > WIDE_BAND)]
    columns = [
        _column(s, c) for s in usable if s.kind == "intervals" for c in s.columns if c.proposed
    ]
    streams = _put_together(narrow or ([] if columns else taken))
    found = sorted([*streams, *columns], key=lambda c: c.config["kind"] != "spikes")
    return found[:MAX_STREAMS]


def overlapping(found: list[Candidate]) -> list[Candidate]:
    """Those that share time with the ones before them, the longest first; in their own order.

    A stream that would halve the time that is left, or worse, is left out (our own choice).
    """
    chosen: list[Candidate] = []
    start, stop = -math.inf, math.inf
    for candidate in sorted(found, key=_importance):
        first, last = max(start, candidate.start), min(stop, candidate.stop)
        left = last - first
        if left > 0 and not (chosen and left < MIN_SHARED * (stop - start)):
            start, stop = first, last
            chosen.append(candidate)
    return [c for c in found if c in chosen]


def one_trace_per_roi(streams: list[StreamInspection]) -> list[StreamInspection]:
    """All streams but, of optical traces of the same ROIs, only the one that is best to use."""
    best: dict[Any, StreamInspection] = {}
    for stream in streams:
        if stream.modality == "calcium":
            held = best.setdefault(_rois(stream), stream)
            if _trace_rank(stream.path) < _trace_rank(held.path):
                best[_rois(stream)] = stream
    kept = {s.path for s in best.values()}
    return [s for s in streams if s.modality != "calcium" or s.path in kept]


def _importance(candidate: Candidate) -> tuple[bool, float]:
    return candidate.config["kind"] != "spikes", candidate.start - candidate.stop


def _rois(stream: StreamInspection) -> tuple[object, ...]:
    """What traces of the same ROIs have in common: numbers in a path tell planes apart."""
    sources = stream.anatomy.sources if stream.anatomy else ()
    return stream.n_channels, sources, *re.findall(r"\d+", stream.path)


def _trace_rank(path: str) -> int:
    return next(i for i, pattern in enumerate(TRACES) if re.search(pattern, path.lower()))


def _put_together(streams: list[StreamInspection]) -> list[Candidate]:
    """A candidate for each stream, but one for all body parts of a pose."""
    poses: dict[Any, list[StreamInspection]] = {}
    for stream in streams:
        alone = stream.neurodata_type != POSE or stream.observation == "categorical"
        key = stream.path if alone else (
            stream.path.rpartition("/")[0], stream.n_samples, stream.start, stream.stop, stream.unit
        )  # fmt: skip
        poses.setdefault(key, []).append(stream)
    return [_candidate(p[0]) if len(p) == 1 else _pose(p) for p in poses.values()]


def _pose(parts: list[StreamInspection]) -> Candidate:
    container = parts[0].path.rpartition("/")[0]
    first = _candidate(parts[0])
    remark = f"all {len(parts)} body parts of the pose"
    together = "; ".join(filter(None, [first.reasons.get("kind"), remark]))
    return first._replace(
        path=container,
        config=first.config | {"path": container},
        reasons={**first.reasons, "kind": together},
        members=tuple(p.path for p in parts),
    )


def _candidate(stream: StreamInspection) -> Candidate:
    config: dict[str, Any] = {"kind": stream.proposed, "path": stream.path}
    reasons = {"kind": "; ".join(filter(None, [_plainness(stream), remark_on(stream)]))}
    for setting in settings_of(stream):
        config[setting.field], reasons[setting.field] = setting.value, setting.reason
    return Candidate(stream.path, config, float(stream.start), float(stream.stop), reasons)


def _column(table: StreamInspection, column: ColumnInspection) -> Candidate:
    config: dict[str, Any] = {"kind": column.proposed, "path": column.path}
    by_levels = column.levels and not is_label(column.path)
    reasons = {"kind": "its levels name what an animal does" if by_levels else ""}
    observation = column.observation or "categorical"
    for setting in observation_settings(column.proposed, observation):
        config[setting.field], reasons[setting.field] = setting.value, setting.reason
    return Candidate(column.path, config, float(table.start), float(table.stop), reasons)


def _plainness(stream: StreamInspection) -> str:
    """Why it is a plain signal, and what that leaves out; empty where its own modality takes it."""
    if stream.proposed == stream.modality:
        return ""
    if stream.kind == "events":
        return "the file does not say what happens"
    if is_too_short(stream):
        return (
            f"a plain signal: {stream.duration:.3g} s are too short for the hemodynamic response "
            f"of kind: {stream.modality}"
        )
    plain = "a plain signal" if stream.observation == "angle" else "a plain Gaussian signal"
    return f"{plain}; {LACKS.get(stream.modality, 'the file does not say what it is')}"
