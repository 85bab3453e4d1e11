"""Look into a file: what is there, what of it could be a stream, and what is wrong with it."""

from __future__ import annotations

import math
import os
import re

import numpy as np

from neurodsr.data.streams import Events, Series
from neurodsr.errors import DataError
from neurodsr.ingest.inspection import (
    ColumnInspection,
    Inspection,
    Observation,
    StreamInspection,
)
from neurodsr.ingest.stillness import describe_stillness, moving_span
from neurodsr.run_config import TruthConfig
from neurodsr.sources.base import Source, StreamEntry
from neurodsr.sources.open import open_source
from neurodsr.storage.manifest import file_sha256

SIMULATION = "processing/simulation"
TRIALS = "intervals/trials"
LABEL_WORDS = frozenset({"choice", "choices", "response", "outcome", "decision", "correct"})
BEHAVIOR_TYPES = frozenset({"SpatialSeries", "PoseEstimationSeries"})
BEHAVIOR_PLACES = frozenset(
    {"behavior", "position", "compassdirection", "eyetracking", "pupiltracking",
     "behavioraltimeseries"}
)  # fmt: skip
MIN_LEVELS, MAX_LEVELS = 2, 12


def inspect_file(path: str | os.PathLike[str]) -> Inspection:
    """Everything in a file that could become a stream, with its clock, anatomy and problems.

    What is proposed has been read once, so its problems are those of its values too.

    Raises
    ------
    DataError
        The file is missing, damaged or of a format that is not understood.
    IntegrityError
        The file is unsafe to read.
    """
    with open_source(path) as source:
        session = source.session()
        streams = tuple(_inspect_stream(source, entry) for entry in source.list_streams())
        return Inspection(
            file=os.fspath(path),
            sha256=file_sha256(os.fspath(path)),
            identifier=session.identifier,
            session_start=session.started,
            subject=session.subject,
            species=session.species,
            streams=streams,
            truth=_truth(source, {s.path for s in streams if s.usable}),
            problems=tuple(f"warning: {w}" for w in session.warnings),
        )


def _inspect_stream(source: Source, entry: StreamEntry) -> StreamInspection:
    found = _plain(entry)
    if not found.usable or entry.path.startswith(f"{SIMULATION}/"):
        return found
    if entry.kind == "events":
        rate = _median_rate(source.events(entry.path), entry.stop - entry.start)
        return found.model_copy(update={"proposed": "spikes", "median_rate": rate})
    if entry.kind == "intervals":
        return found.model_copy(update={"columns": _columns(source, entry)})
    return _inspect_behavior(source, found) if _is_behavior(entry) else found


def _plain(entry: StreamEntry) -> StreamInspection:
    readable = math.isfinite(entry.start) and math.isfinite(entry.stop)
    return StreamInspection(
        path=entry.path,
        kind=entry.kind,
        neurodata_type=entry.neurodata_type,
        n_channels=entry.n_channels,
        n_samples=entry.n_samples,
        start=entry.start if readable else None,
        stop=entry.stop if readable else None,
        rate=entry.rate,
        unit=entry.unit,
        description=entry.description,
        regions=entry.regions,
        problems=entry.problems,
    )


def _is_behavior(entry: StreamEntry) -> bool:
    places = {part.lower() for part in entry.path.split("/")[:-1]}
    bare = entry.neurodata_type == "TimeSeries" and bool(places & BEHAVIOR_PLACES)
    return entry.neurodata_type in BEHAVIOR_TYPES or bare


def _inspect_behavior(source: Source, found: StreamInspection) -> StreamInspection:
    try:
        series = source.series(found.path)
    except DataError as error:
        problems = (*found.problems, f"error: {error.what}; fix: {error.fix}")
        return found.model_copy(update={"problems": problems})
    notes = [f"warning: {note}" for note in series.notes]
    observation = _observation(found.path, series)
    moving = moving_span(series) if observation == "gaussian" else None
    if moving is not None:
        notes.append(describe_stillness(series, moving))
    return found.model_copy(
        update={
            "proposed": "behavior",
            "observation": observation,
            "moving": moving,
            "problems": tuple(dict.fromkeys((*found.problems, *notes))),
        }
    )


def _observation(path: str, series: Series) -> Observation:
    """Labels if the name says so and the values are a few whole numbers; a signal otherwise."""
    if len(series.channels) != 1 or not _is_label(path):
        return "gaussian"
    values = np.unique(np.asarray(series.values)[np.asarray(series.valid)])
    whole = np.array_equal(values, np.round(values))
    return "categorical" if whole and MIN_LEVELS <= len(values) <= MAX_LEVELS else "gaussian"


def _is_label(path: str) -> bool:
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", path.split("/")[-1]).lower())
    return bool(LABEL_WORDS & set(words))


def _median_rate(events: Events, span: float) -> float:
    counts = np.diff(events.offsets)
    observed = np.full(len(counts), span)
    if events.observed is not None:
        observed = np.array([np.diff(o, axis=1).sum() for o in events.observed])
    return float(np.median(counts[observed > 0] / observed[observed > 0])) if span > 0 else 0.0


def _columns(source: Source, entry: StreamEntry) -> tuple[ColumnInspection, ...]:
    table = source.intervals(entry.path)
    found = []
    for name, values in table.columns.items():
        path = f"{entry.path}/{name}"
        levels = np.unique(values.astype(str))
        few = MIN_LEVELS <= len(levels) <= MAX_LEVELS and values.dtype.kind in "iuU"
        fits = few and entry.path == TRIALS and _is_label(path)
        found.append(
            ColumnInspection(
                path=path,
                levels=tuple(str(v) for v in levels[:MAX_LEVELS]),
                n_levels=len(levels),
                proposed="behavior" if fits else "",
            )
        )
    return tuple(found)


def _truth(source: Source, paths: set[str]) -> TruthConfig | None:
    state, reference, exponent = (f"{SIMULATION}/{n}" for n in ("state", "reference", "exponent"))
    if not {state, reference, exponent} <= paths:
        return None
    value = float(source.series(exponent).values[0, 0])
    return TruthConfig(path=state, reference=reference, exponent=value)
