"""Write the report, and write it again from a finished run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError

from neurodsr.data.store import open_recording
from neurodsr.errors import DataError
from neurodsr.evaluation.results import Evaluation
from neurodsr.report.build import build_report
from neurodsr.report.model import Provenance, Report
from neurodsr.report.render import render_html
from neurodsr.storage.documents import read_json, write_json
from neurodsr.storage.files import write_atomically
from neurodsr.storage.tensors import read_arrays

_Value = TypeVar("_Value")
_NEEDED = ("config.json", "run.json", "recording", "evaluation/evaluation.json")


def write_report(report: Report, arrays: Mapping[str, np.ndarray], path: str | Path) -> None:
    """Write one self-contained HTML page, and the same numbers as JSON beside it.

    Parameters
    ----------
    report
        All results.
    arrays
        What the figures are drawn from, by name; where one is missing, its section says so.
        "attractor/data" (the true system's orbit where the configuration names a truth),
        "attractor/generated" [time, 3]; "spectrum/frequency" [frequency] (Hz),
        "spectrum/data", "spectrum/generated" [frequency, dim]; "lyapunov/time" [step] (s),
        "lyapunov/running" [step, latent] (1/s); "raster/time" [time] (s), and for each stream
        "raster/STREAM/values", "raster/STREAM/mask", "raster/STREAM/predicted" [time, channel];
        "forecast/horizon" [step] (s), "forecast/gain", "forecast/shuffled" [step] (nats per bin).
    path
        The .html file; the JSON takes its name. Both are replaced atomically.

    Raises
    ------
    OutputError
        The folder is missing or cannot be written.
    """
    path = Path(path)
    html = render_html(report, arrays)
    write_json(path.with_suffix(".json"), report.to_plain())
    write_atomically(path, html.encode("utf-8"))


def report_folder(out: str | Path, target: str | Path | None = None) -> Path:
    """Write the report of a finished run folder again, and return where it is.

    Parameters
    ----------
    out
        The run folder, as `neurodsr run` made it.
    target
        The .html file; default: report.html in the folder.

    Raises
    ------
    DataError
        The folder lacks a part of a finished run, or a part does not hold what it should.
    """
    out = Path(out)
    _require_parts(out)
    config = read_json(out / "config.json")
    report = build_report(
        config,
        open_recording(out / "recording"),
        _optional_json(out / "surrogate" / "history.json"),
        _parsed(out / "evaluation" / "evaluation.json", Evaluation.from_plain),
        _parsed(out / "run.json", lambda run: _provenance(run, config)),
    )
    path = out / "report.html" if target is None else Path(target)
    write_report(report, _optional_arrays(out / "evaluation" / "arrays.safetensors"), path)
    return path


def _require_parts(out: Path) -> None:
    absent = [part for part in _NEEDED if not (out / part).exists()]
    if absent:
        raise DataError(
            f"this is not the folder of a finished run: it lacks {', '.join(absent)}",
            where=str(out),
            fix=f"finish the run first: neurodsr run CONFIG -o '{out}' --resume",
        )


def _parsed(path: Path, parse: Callable[[Any], _Value]) -> _Value:
    try:
        return parse(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"{field}: {first['msg']}",
            where=str(path),
            fix="the file was changed, or another version wrote it: run the evaluation again",
        ) from error


def _provenance(run: Mapping[str, Any], config: Mapping[str, Any]) -> Provenance:
    known = {key: run[key] for key in Provenance.model_fields if key in run}
    defaults = {"versions": {}, "file": str(config.get("file", "")), "sha256": "", "command": ""}
    return Provenance.from_plain({**defaults, "seed": config.get("seed", 0), **known})


def _optional_json(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}


def _optional_arrays(path: Path) -> dict[str, np.ndarray]:
    return read_arrays(path) if path.is_file() else {}
