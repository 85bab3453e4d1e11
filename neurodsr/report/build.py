"""Build the report's plain value from the parts of a finished run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from neurodsr.config import Config
from neurodsr.data.recording import Recording
from neurodsr.data.streams import Stream
from neurodsr.evaluation.results import Evaluation
from neurodsr.report.methods import methods_text, references
from neurodsr.report.model import (
    EncoderRun,
    MemberRun,
    Provenance,
    RecordingSummary,
    Report,
    StreamSummary,
    Training,
)
from neurodsr.report.text import count_of, format_percent, plain_text

_BLOCK = 65_536  # bins read at once, so that a long lazy stream is never held in memory
_MAX_POINTS = 1000  # of a loss curve; more cannot be seen


def build_report(
    config: Config | Mapping[str, Any],
    recording: Recording,
    surrogate_summary: Mapping[str, Any],
    evaluation: Evaluation,
    provenance: Provenance,
) -> Report:
    """Everything a run found, as one plain value.

    Parameters
    ----------
    config
        The run's configuration, or its plain form.
    recording
        The aligned data; lazy streams are read once, in blocks.
    surrogate_summary
        Plain content of surrogate/history.json: "encoders" and "members" with their losses.
        Either may be missing.
    evaluation
        What evaluation found.
    provenance
        Versions, file, seed and command.
    """
    plain = config.to_plain() if isinstance(config, Config) else dict(config)
    summary = summarize_recording(recording, plain)
    training = summarize_training(surrogate_summary)
    return Report(
        title=f"Dynamical surrogate of {provenance.file or recording.id}",
        config=plain,
        recording=summary,
        training=training,
        evaluation=evaluation,
        provenance=provenance,
        methods=methods_text(plain, summary),
        references=references(),
        warnings=_warnings(summary, training, evaluation),
    )


def summarize_recording(recording: Recording, config: Mapping[str, Any]) -> RecordingSummary:
    """The aligned data in numbers: streams, coverage, rates, regions, segments, notes."""
    grid, segments = recording.grid, recording.segments
    kinds = {name: str(s.get("kind", "")) for name, s in config.get("streams", {}).items()}
    return RecordingSummary(
        id=recording.id,
        bin_width=grid.bin_width,
        n_bins=grid.n_bins,
        duration=grid.bin_width * grid.n_bins,
        segments=tuple(
            (float(a), float(b)) for a, b in zip(segments.starts, segments.stops, strict=True)
        ),
        streams=tuple(
            _summarize_stream(name, kinds.get(name, ""), stream, grid.bin_width)
            for name, stream in recording.streams.items()
        ),
        notes=tuple(recording.notes),
    )


def _summarize_stream(name: str, kind: str, stream: Stream, bin_width: float) -> StreamSummary:
    n_levels = len(stream.channels.levels)
    total, observed, of_level = 0.0, 0, np.zeros(n_levels)
    for start in range(0, stream.n_bins, _BLOCK):
        values = np.asarray(stream.values[start : start + _BLOCK], dtype=float)
        mask = np.asarray(stream.mask[start : start + _BLOCK], dtype=bool)
        total += float(values[mask].sum())
        observed += int(mask.sum())
        of_level += [np.count_nonzero(values[mask] == code) for code in range(n_levels)]
    size = stream.n_bins * stream.n_channels
    counts = stream.unit == "count"
    mean = total / observed / (bin_width if counts else 1.0) if observed else None
    return StreamSummary(
        name=name,
        kind=kind,
        n_channels=stream.n_channels,
        unit=stream.unit,
        observed=observed / size if size else None,
        mean=None if n_levels else mean,
        mean_unit="1/s" if counts else stream.unit,
        regions=dict(sorted(Counter(stream.channels.regions).items(), key=_unknown_last)),
        channel_ids=tuple(stream.channels.ids),
        channel_regions=tuple(stream.channels.regions),
        levels={
            level: float(n / max(observed, 1))
            for level, n in zip(stream.channels.levels, of_level, strict=True)
        },
        notes=tuple(stream.notes),
    )


def _unknown_last(item: tuple[str, int]) -> tuple[bool, str]:
    return item[0] == "", item[0]


def summarize_training(history: Mapping[str, Any]) -> Training:
    """The loss curves of both stages, thinned, with numbers that are not finite left out."""
    return Training(
        encoders=tuple(
            EncoderRun(
                seed=int(e["seed"]),
                held_out=_finite(e.get("held_out")),
                kept=bool(e.get("kept", False)),
                **_curve(e),
            )
            for e in history.get("encoders", ())
        ),
        members=tuple(
            MemberRun(
                seed=int(m["seed"]),
                encoder=int(m["encoder"]),
                alpha=float(m["alpha"]),
                **_curve(m),
            )
            for m in history.get("members", ())
        ),
    )


def _curve(run: Mapping[str, Any]) -> dict[str, Any]:
    points = list(zip(run.get("step", ()), run.get("loss", ()), strict=False))
    thinned = points[:: math.ceil(len(points) / _MAX_POINTS) or 1]
    return {
        "step": tuple(float(step) for step, _ in thinned),
        "loss": tuple(_finite(loss) for _, loss in thinned),
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _warnings(
    recording: RecordingSummary, training: Training, evaluation: Evaluation
) -> tuple[str, ...]:
    found = []
    sparse = [s for s in recording.streams if s.observed is not None and s.observed < 0.5]
    for stream in sparse:
        found.append(
            f"Stream {plain_text(stream.name)!r} was observed in {format_percent(stream.observed)} "
            "of its bins only; what is said of it rests on little data."
        )
    dead = [m for m in evaluation.members if m.dead > 0]
    if dead:
        found.append(
            f"{len(dead)} of {count_of(len(evaluation.members), 'ensemble member')} die in long "
            "free runs from at least one start; they are listed under Training and not chosen "
            "while a living one exists."
        )
    if evaluation.members and evaluation.members[0].dead > 0:
        found.append(
            f"The chosen member itself dies from {format_percent(evaluation.members[0].dead)} of "
            "the starts: its free-running measures describe a transient."
        )
    if not training.members:
        found.append("No training history was found; the loss curves are missing.")
    return tuple(found)
