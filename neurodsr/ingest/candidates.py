"""Which of the streams that were found a run would use, and what its configuration would say."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

from neurodsr.ingest.inspection import ColumnInspection, Inspection, StreamInspection

MIN_SHARED = 0.5
WIDE_BAND = 2500.0
MAX_STREAMS = 24
POSE = "PoseEstimationSeries"

LACKS = {
    "calcium": "no indicator kinetics",
    "lfp": "no band power",
    "fmri": "no hemodynamic response",
}
"""What a plain signal leaves out that the modality which fits would have."""

# Within one optical recording the same ROIs come several times: the first that is there is taken.
TRACES = (r"dfoverf|df_?f\b", r"^(?!.*(neuropil|fneu|deconv|spike|spks|background)).*", r".*")
ACCEPTED = frozenset({"accepted", "iscell", "is_cell"})
TRUTHS = {"1": 1, "True": True}


class Candidate(NamedTuple):
    """A stream that would fit, with its span in s, and a remark on the choice.

    `members` are the paths of what it puts together, where it is more than one object.
    """

    path: str
    config: dict[str, Any]
    start: float
    stop: float
    remark: str = ""
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
    taken = [s for s in one_trace_per_roi(usable) if s.proposed]
    narrow = [s for s in taken if not (s.modality == "lfp" and s.rate > WIDE_BAND)]
    columns = [
        Candidate(c.path, {"kind": c.proposed, "path": c.path, "observation": "categorical"},
                  float(s.start), float(s.stop))
        for s in usable if s.kind == "intervals"
        for c in s.columns if c.proposed
    ]  # fmt: skip
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
    return first._replace(
        path=container,
        config=first.config | {"path": container},
        remark="; ".join(filter(None, [first.remark, f"all {len(parts)} body parts of the pose"])),
        members=tuple(p.path for p in parts),
    )


def _candidate(stream: StreamInspection) -> Candidate:
    config: dict[str, Any] = {"kind": stream.proposed, "path": stream.path}
    remarks = []
    if stream.observation == "categorical":
        config["observation"] = "categorical"
    if stream.proposed != stream.modality:
        lacks = LACKS.get(stream.modality, "the file does not say what it is")
        remarks.append(f"a plain Gaussian signal; {lacks}")
    if stream.clock is not None:
        config["clock"] = stream.clock.model_dump(mode="json", exclude_defaults=True)
    if stream.modality == "calcium" and (column := _accepted(stream.columns)) is not None:
        config["where"] = {column.path.rsplit("/", 1)[-1]: _truth(column)}
    return Candidate(
        stream.path, config, float(stream.start), float(stream.stop), "; ".join(remarks)
    )


def _accepted(columns: tuple[ColumnInspection, ...]) -> ColumnInspection | None:
    """The column that says which ROIs are cells, where some of them are and some are not."""
    for column in columns:
        name = column.path.rsplit("/", 1)[-1].lower()
        if name in ACCEPTED and column.n_levels == 2 and set(column.levels) & TRUTHS.keys():
            return column
    return None


def _truth(column: ColumnInspection) -> int | bool:
    return next(TRUTHS[level] for level in column.levels if level in TRUTHS)
