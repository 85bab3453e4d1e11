"""A run that fits what was found in a file: streams, clock and model size to start from."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from neurodsr.errors import DataError
from neurodsr.ingest.inspection import Inspection, StreamInspection

BIN_WIDTHS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
FAST, MODERATE = 5.0, 1.5
MIN_LATENTS, MAX_LATENTS = 3, 12


class Candidate(NamedTuple):
    """A stream that would fit, with its span in s."""

    path: str
    config: dict[str, Any]
    start: float
    stop: float


def propose_config(inspection: Inspection, *, root: Path | None = None) -> dict[str, Any]:
    """The plain data of a RunConfig that uses what was found; a start, to be edited.

    Units become spikes; position and other behavior becomes a signal or labels. Streams that
    share no time with the ones before them are left out. Bins are 0.02 s where the median neuron
    fires at 5 Hz or more, 0.05 s from 1.5 Hz, 0.1 s below (our own choice: about one spike in
    every tenth bin); the latent dimension is the square root of the number of channels, from 3
    to 12 (our own choice), or that of the true state where it is known.

    Parameters
    ----------
    root
        Folder of the configuration file to be; the recording's path is made relative to it.

    Raises
    ------
    DataError
        Nothing in the file can be a stream.
    """
    chosen = overlapping(candidates(inspection))
    if not chosen:
        found = "; ".join(_why_not(s) for s in inspection.streams[:4])
        raise DataError(
            f"nothing that a built-in modality takes; found: {found or 'no streams at all'}",
            where=inspection.file,
            fix="`neurodsr inspect` shows the problems; a plug-in can take other kinds of streams",
        )
    used = {c.path for c in chosen}
    proposed: dict[str, Any] = {
        "schema_version": 1,
        "file": os.path.relpath(inspection.file, root) if root else inspection.file,
        "grid": propose_grid([s for s in inspection.streams if s.path in used]),
        "streams": dict(zip(stream_names(chosen), (c.config for c in chosen), strict=True)),
        "dynamics": {"latent_dim": _latent_dim(inspection, used)},
    }
    if inspection.truth is not None:
        proposed["truth"] = inspection.truth.to_plain()
    return proposed | {"seed": 0}


def candidates(inspection: Inspection) -> list[Candidate]:
    """Everything that a built-in modality would take, spikes first."""
    found = []
    for stream in inspection.streams:
        if not stream.usable:
            continue
        span = (float(stream.start), float(stream.stop))
        if stream.proposed:
            config = {"kind": stream.proposed, "path": stream.path}
            if stream.observation == "categorical":
                config["observation"] = "categorical"
            found.append(Candidate(stream.path, config, *span))
        for column in stream.columns:
            if column.proposed:
                config = {
                    "kind": column.proposed,
                    "path": column.path,
                    "observation": "categorical",
                }
                found.append(Candidate(column.path, config, *span))
    return sorted(found, key=lambda c: c.config["kind"] != "spikes")


def overlapping(found: list[Candidate]) -> list[Candidate]:
    """Those that share some time with all chosen before them."""
    chosen: list[Candidate] = []
    start, stop = -math.inf, math.inf
    for candidate in found:
        if min(stop, candidate.stop) > max(start, candidate.start):
            start, stop = max(start, candidate.start), min(stop, candidate.stop)
            chosen.append(candidate)
    return chosen


def propose_grid(used: list[StreamInspection]) -> dict[str, float]:
    """Bin width, and the time left when signals stand still at their ends (a tracker was off)."""
    moving = [s.moving for s in used if s.moving is not None]
    start, stop = max((m[0] for m in moving), default=0), min((m[1] for m in moving), default=0)
    grid = {"bin_width": propose_bin_width(used)}
    return grid | ({"start": start, "stop": stop} if start < stop else {})


def propose_bin_width(used: list[StreamInspection]) -> float:
    """Width of a bin, s: by the units' median rate, else one sample or more in every bin."""
    rates = [s.median_rate for s in used if s.kind == "events"]
    if rates:
        rate = max(rates)
        return 0.02 if rate >= FAST else 0.05 if rate >= MODERATE else 0.1
    sampled = [s.n_samples / (s.stop - s.start) for s in used if s.kind == "series"]
    slowest = min(sampled, default=1.0)
    return next((w for w in BIN_WIDTHS if w * slowest >= 1), BIN_WIDTHS[-1])


def stream_names(chosen: list[Candidate]) -> list[str]:
    """Short names from the ends of the paths, such as "position", each one once."""
    names: list[str] = []
    for candidate in chosen:
        slug = re.sub(r"[^a-z0-9]+", "-", candidate.path.split("/")[-1].lower()).strip("-")
        name, n = slug or "stream", 1
        while name in names:
            n += 1
            name = f"{slug or 'stream'}-{n}"
        names.append(name)
    return names


def _why_not(stream: StreamInspection) -> str:
    errors = [p for p in stream.problems if p.startswith("error")]
    return f"{stream.path} ({errors[0] if errors else stream.neurodata_type})"


def _latent_dim(inspection: Inspection, used: set[str]) -> int:
    by_path = {s.path: s for s in inspection.streams}
    if inspection.truth is not None:
        return by_path[inspection.truth.path].n_channels
    n = sum(by_path[p].n_channels if p in by_path else 1 for p in used)
    return min(MAX_LATENTS, max(MIN_LATENTS, round(math.sqrt(n))))
