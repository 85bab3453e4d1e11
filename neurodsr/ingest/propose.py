"""A run that fits what was found in files: streams, clock and model size to start from."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from neurodsr.errors import DataError
from neurodsr.ingest.candidates import Candidate, candidates, overlapping
from neurodsr.ingest.inspection import Inspection, StreamInspection
from neurodsr.modalities.hrf import HrfConfig
from neurodsr.run_config import DynamicsConfig, SplitConfig
from neurodsr.sources.table import WHOLE

BIN_WIDTHS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
BOLD_BIN_WIDTH = 0.5
"""Shortest bin beside BOLD, s: the encoder's two convolutions of 21 bins then look 10 s ahead."""
POWER_BIN_WIDTH = 0.1
"""Bin for band power alone, s; our own choice, a tenth of what a band of 4 Hz needs for a value."""
ULPS = 4
"""What two divisions may lose, in the last place of a float."""
FAST, MODERATE = 5.0, 1.5
MIN_LATENTS, MAX_LATENTS = 3, 12
MIN_WINDOW = 5


def propose_config(*inspections: Inspection, root: Path | None = None) -> dict[str, Any]:
    """The plain data of a RunConfig that uses what was found; a start, to be edited.

    Each stream gets the modality that fits it, such as spikes, calcium or BOLD; position and other
    behavior becomes a signal, an angle, labels or events; a signal whose modality is not installed
    becomes a plain one. Streams that share little time with the others are left out. For the bins
    see `propose_bin_width`. The latent dimension is the square root of the number of channels, from
    3 to 12 (our own choice), or that of the true state where it is known. Several files are the
    sessions of one run: a stream that one of them lacks is used.

    Parameters
    ----------
    root
        Folder of the configuration file to be; the recordings' paths are made relative to it.

    Raises
    ------
    DataError
        Nothing in the files can be a stream.
    """
    chosen = choose(inspections)
    if not chosen:
        raise _nothing(inspections)
    used = _used(inspections, {path for c in chosen for path in c.paths})
    files = [os.path.relpath(i.file, root) if root else i.file for i in inspections]
    grid = propose_grid(used, one_clock=len(files) == 1)
    proposed: dict[str, Any] = {
        "schema_version": 1,
        "file": files[0] if len(files) == 1 else files,
        "grid": grid,
        "streams": dict(zip(stream_names(chosen), (c.config for c in chosen), strict=True)),
    }
    proposed |= _proposed_inputs(inspections)
    dynamics = {"latent_dim": _latent_dim(inspections[0], chosen, used)}
    window = propose_window(chosen, grid)
    if window is not None:
        proposed["encoder"] = {"window": window}
        dynamics["window"] = window
    proposed["dynamics"] = dynamics
    if len(inspections) == 1 and inspections[0].truth is not None:
        proposed["truth"] = inspections[0].truth.to_plain()
    return proposed | {"seed": 0}


def choose(inspections: Sequence[Inspection]) -> list[Candidate]:
    """The streams to use, each once; one that does not fit in with the others anywhere is out."""
    found: dict[str, Candidate] = {}
    unfit: set[str] = set()
    for inspection in inspections:
        possible = candidates(inspection)
        kept = {c.path for c in overlapping(possible)}
        unfit |= {c.path for c in possible} - kept
        for candidate in possible:
            found.setdefault(candidate.path, candidate)
    return [c for path, c in found.items() if path not in unfit]


def propose_grid(used: list[StreamInspection], *, one_clock: bool = True) -> dict[str, float]:
    """Bin width, and the time left when signals stand still at their ends (a tracker was off)."""
    moving = [s.moving for s in used if s.moving is not None and one_clock]
    start, stop = max((m[0] for m in moving), default=0), min((m[1] for m in moving), default=0)
    grid = {"bin_width": propose_bin_width(used)}
    return grid | ({"start": start, "stop": stop} if start < stop else {})


def propose_bin_width(used: list[StreamInspection]) -> float:
    """Width of a bin, s: by the units' median rate, else one sample or more in every bin.

    It is 0.02 s where the median unit fires at 5 Hz or more, 0.05 s from 1.5 Hz, 0.1 s below (our
    own choice: about one spike in every tenth bin). Other events decide only where there are no
    signals. Volumes of BOLD need not fill every bin, so they decide where they are alone; but
    beside them bins are of 0.5 s or more, or the encoder would not see as far as the peak of the
    hemodynamic response. Band power alone gets 0.1 s: power changes more slowly than its signal.
    """
    shortest = _shortest_bin({s.proposed for s in used})
    bold = [s for s in used if s.proposed == "fmri"]
    spikes = [s for s in used if s.proposed == "spikes" and s.kind == "events"]
    series = [s for s in used if s.kind == "series" and s not in bold] or bold
    events = spikes or ([] if series else [s for s in used if s.kind == "events"])
    if events:
        rate = max(s.median_rate for s in events)
        return max(shortest, 0.02 if rate >= FAST else 0.05 if rate >= MODERATE else 0.1)
    return _bin_of_samples(series, shortest)


def _shortest_bin(kinds: set[str]) -> float:
    if "fmri" in kinds:
        return BOLD_BIN_WIDTH
    return POWER_BIN_WIDTH if kinds == {"lfp"} else BIN_WIDTHS[0]


def _bin_of_samples(series: list[StreamInspection], shortest: float) -> float:
    """The shortest bin of at least some width, s, that holds a sample of every signal."""
    slowest = min((sampling_rate(s) for s in series), default=1.0)
    if series and all(s.rate for s in series):
        # Whole sample intervals: else bins would hold one sample more or less in turn.
        return _unrounded(max(1, math.ceil(shortest * slowest - 1e-9)) / slowest)
    slower = float(f"{max(shortest, 1 / slowest):.6g}")
    return next((w for w in BIN_WIDTHS if w >= shortest and w * slowest >= 1 - 1e-9), slower)


def _unrounded(width: float) -> float:
    """A width without the rounding that a rate and its inverse left: 1.89, not 1.8899999999999997.

    Never another number: samples lie on the edges of bins.
    """
    short = float(f"{width:.12g}")
    return short if math.isclose(short, width, rel_tol=ULPS * sys.float_info.epsilon) else width


def sampling_rate(stream: StreamInspection) -> float:
    """Samples per second of a series, on the average where they are irregular, Hz."""
    return stream.rate or max(stream.n_samples - 1, 1) / (stream.duration or 1.0)


def propose_window(chosen: list[Candidate], grid: dict[str, float]) -> int | None:
    """A shorter training window where the recording is too short for that of the defaults.

    Training windows of the encoder begin with the bins before them that a hemodynamic response
    reaches back to.
    """
    start = grid.get("start", max(c.start for c in chosen))
    stop = grid.get("stop", min(c.stop for c in chosen))
    trained = 1 - SplitConfig().validation - SplitConfig().test
    n_bins = int(trained * (stop - start) / grid["bin_width"])
    if any(c.config.get("kind") == "fmri" for c in chosen):
        n_bins -= math.ceil(HrfConfig().length / grid["bin_width"])
    if n_bins > 2 * DynamicsConfig().window:
        return None
    return max(MIN_WINDOW, n_bins // 2)


def stream_names(chosen: list[Candidate]) -> list[str]:
    """Short names from the ends of the paths, such as "position", each one once."""
    names: list[str] = []
    for candidate in chosen:
        # A table of a whole file has no name of its own.
        own = candidate.path.split("/")[-1] if candidate.path != WHOLE else candidate.config["kind"]
        slug = re.sub(r"[^a-z0-9]+", "-", own.lower()).strip("-")
        name, n = slug or "stream", 1
        while name in names:
            n += 1
            name = f"{slug or 'stream'}-{n}"
        names.append(name)
    return names


def _used(inspections: Iterable[Inspection], paths: set[str]) -> list[StreamInspection]:
    return [s for i in inspections for s in i.streams if s.path in paths and s.usable]


def _proposed_inputs(inspections: Sequence[Inspection]) -> dict[str, Any]:
    """The inputs that every file has."""
    common = set.intersection(*({i.name for i in found.inputs} for found in inspections))
    inputs = {
        i.name: i.config.model_dump(mode="json", exclude_defaults=True)
        for i in inspections[0].inputs
        if i.name in common
    }
    return {"inputs": inputs} if inputs else {}


def _nothing(inspections: Sequence[Inspection]) -> DataError:
    streams = [s for i in inspections for s in i.streams]
    waiting = [s for s in streams if s.needs_clock and s.proposed]
    found = "; ".join(_why_not(s) for s in (waiting or streams)[:4])
    where = ", ".join(i.file for i in inspections[:3])
    if waiting:
        return DataError(
            f"the file does not say when its samples were taken; found: {found}",
            where=where,
            fix="give --rate HZ (frames or samples per second) or --interval SECONDS (as a TR)",
        )
    return DataError(
        f"nothing that an installed modality takes; found: {found or 'no streams at all'}",
        where=where,
        fix="`neurodsr inspect` shows the problems; --path names a stream to use; a plug-in can "
        "take other kinds",
    )


def _why_not(stream: StreamInspection) -> str:
    graded = sorted(stream.problems, key=lambda p: not p.startswith("error"))
    return f"{stream.path} ({graded[0] if graded else stream.neurodata_type})"


def _latent_dim(first: Inspection, chosen: list[Candidate], used: list[StreamInspection]) -> int:
    if first.truth is not None:
        return next(s.n_channels for s in first.streams if s.path == first.truth.path)
    n_channels = {s.path: s.n_channels for s in used}
    n = sum(
        len(c.config.get("channels", ())) or sum(n_channels.get(path, 1) for path in c.paths)
        for c in chosen
    )
    return min(MAX_LATENTS, max(MIN_LATENTS, round(math.sqrt(n))))
