"""The sections of the page: what each one shows, as plain values for its template."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodsr.report.crossing import crossing
from neurodsr.report.excerpts import read_excerpts
from neurodsr.report.figures.dynamics import forecast_picture, lyapunov_picture, spectra_picture
from neurodsr.report.figures.orbits import attractor_picture
from neurodsr.report.figures.streams import fit_picture, raster_picture
from neurodsr.report.figures.training import training_picture
from neurodsr.report.interactive import orbit_figure
from neurodsr.report.model import Report
from neurodsr.report.tables import fit_rows, health, measure_rows
from neurodsr.report.text import plain_text

Arrays = Mapping[str, np.ndarray]
_STAGES = ("recording", "surrogate", "evaluation")


@dataclass(frozen=True)
class Section:
    """One part of the page; its template has the same name as its `id`."""

    id: str
    title: str
    build: Callable[[Report, Arrays], dict[str, Any]]


def sections() -> tuple[Section, ...]:
    """All sections in the order in which a scientist reads them."""
    return (
        Section("verdict", "Verdict", _verdict),
        Section("data", "Data", _data),
        Section("training", "Training and ensemble", _training),
        Section("attractor", "Attractor", _attractor),
        Section("spectra", "Power spectra", _spectra),
        Section("lyapunov", "Lyapunov exponents", _lyapunov),
        Section("measures", "Measures", _measures),
        Section("fit", "Fit of each stream", _fit),
        Section("crossing", "From one stream to another", _crossing),
        Section("forecast", "Forecast", _forecast),
        Section("notes", "Notes", _notes),
        Section("provenance", "Provenance", _provenance),
        Section("methods", "Methods", _methods),
    )


def _missing(arrays: Arrays, *names: str) -> str | None:
    """Why a figure cannot be drawn, or None if all of its arrays are there."""
    absent = [n for n in names if n not in arrays]
    if absent:
        return f"The run did not save {', '.join(absent)}, so there is nothing to draw."
    empty = [n for n in names if arrays[n].size == 0]
    return f"{', '.join(empty)} hold no numbers, so there is nothing to draw." if empty else None


def _verdict(report: Report, arrays: Arrays) -> dict[str, Any]:
    return {"verdict": report.evaluation.verdict, "warnings": report.warnings}


def _data(report: Report, arrays: Arrays) -> dict[str, Any]:
    excerpts = read_excerpts(report.recording, arrays)
    return {
        "recording": report.recording,
        "picture": raster_picture(excerpts) if excerpts else None,
        "missing": "The run saved no excerpt of the data (raster/time, raster/STREAM/values).",
    }


def _training(report: Report, arrays: Arrays) -> dict[str, Any]:
    training, members = report.training, report.evaluation.members
    trained = bool(training.encoders or training.members)
    return {
        "encoders": training.encoders,
        "members": [(member, health(member)) for member in members],
        "picture": training_picture(training, members) if trained else None,
        "missing": "The run saved no training history, so there are no losses to draw.",
    }


def _attractor(report: Report, arrays: Arrays) -> dict[str, Any]:
    names = ("attractor/data", "attractor/generated")
    if missing := _missing(arrays, *names):
        return {"picture": None, "missing": missing, "interactive": None}
    data, generated = (_columns(arrays[name]) for name in names)
    # Where the truth is known, evaluation compares with it, and not with the encoded data.
    reference = "True system" if report.config.get("truth") else "Data, encoded"
    return {
        "picture": attractor_picture(data, generated, reference=reference),
        "missing": "",
        "interactive": orbit_figure(data, generated, reference=reference),
    }


def _spectra(report: Report, arrays: Arrays) -> dict[str, Any]:
    names = ("spectrum/frequency", "spectrum/data", "spectrum/generated")
    if missing := _missing(arrays, *names):
        return {"picture": None, "missing": missing}
    frequency, data, generated = (arrays[name] for name in names)
    return {
        "picture": spectra_picture(frequency, _columns(data), _columns(generated)),
        "missing": "",
    }


def _lyapunov(report: Report, arrays: Arrays) -> dict[str, Any]:
    found, truth = report.evaluation, report.config.get("truth") or {}
    unknown = _missing(arrays, "lyapunov/time", "lyapunov/running")
    running = None if unknown else _columns(arrays["lyapunov/running"])
    picture = None
    if found.exponents:
        picture = lyapunov_picture(
            found.exponents,
            found.exponents_sd,
            time=arrays.get("lyapunov/time"),
            running=running,
            true_exponent=truth.get("exponent"),
        )
    spread = found.exponents_sd or (None,) * len(found.exponents)
    return {
        "picture": picture,
        "missing": "Evaluation computed no Lyapunov exponents; its notes say why.",
        "convergence_missing": unknown,
        "exponents": list(zip(found.exponents, spread, strict=True)),
    }


def _measures(report: Report, arrays: Arrays) -> dict[str, Any]:
    return {"rows": measure_rows(report.evaluation.measures)}


def _fit(report: Report, arrays: Arrays) -> dict[str, Any]:
    excerpts = [e for e in read_excerpts(report.recording, arrays) if e.predicted is not None]
    return {
        "rows": fit_rows(report.evaluation.streams),
        "pictures": [fit_picture(e) for e in excerpts],
        "missing": "The run saved no prediction of hidden bins (raster/STREAM/predicted).",
    }


def _crossing(report: Report, arrays: Arrays) -> dict[str, Any]:
    several = len(report.recording.streams) > 1
    return {"matrix": crossing(report.evaluation.cross_modal if several else ())}


def _forecast(report: Report, arrays: Arrays) -> dict[str, Any]:
    if missing := _missing(arrays, "forecast/horizon", "forecast/gain"):
        return {"picture": None, "missing": missing}
    horizon, gain = arrays["forecast/horizon"], arrays["forecast/gain"]
    return {
        "picture": forecast_picture(horizon, gain, arrays.get("forecast/shuffled")),
        "missing": "",
    }


def _notes(report: Report, arrays: Arrays) -> dict[str, Any]:
    groups = [
        ("Ingest repaired or dropped", report.recording.notes),
        *((f"Stream {s.name}", s.notes) for s in report.recording.streams),
        ("Evaluation could not compute", report.evaluation.notes),
    ]
    return {"groups": [(title, notes) for title, notes in groups if notes]}


def _provenance(report: Report, arrays: Arrays) -> dict[str, Any]:
    seconds = report.provenance.seconds
    known = [stage for stage in _STAGES if stage in seconds]
    stages = known + sorted(set(seconds) - set(known))
    return {
        "provenance": report.provenance,
        "versions": sorted(report.provenance.versions.items()),
        "stages": [(stage, seconds[stage]) for stage in stages],
        "config": json.dumps(_shown(report.config), indent=2, sort_keys=True, ensure_ascii=False),
    }


def _shown(value: Any) -> Any:
    # Names in a configuration come from files; a megabyte of one would swell the page.
    if isinstance(value, dict):
        return {plain_text(str(key)): _shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    return plain_text(value, limit=1000) if isinstance(value, str) else value


def _methods(report: Report, arrays: Arrays) -> dict[str, Any]:
    return {"paragraphs": report.methods, "references": report.references}


def _columns(values: np.ndarray) -> np.ndarray:
    return values[:, None] if values.ndim == 1 else values
