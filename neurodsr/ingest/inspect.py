"""Look into a file: what is there, what of it could be a stream, and what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from neurodsr.ingest.fitting import SIMULATION
from neurodsr.ingest.inspect_streams import MAX_MISSING, StreamLook
from neurodsr.ingest.inspection import InputInspection, Inspection, StreamInspection
from neurodsr.ingest.values import FALLBACK
from neurodsr.modalities.clock import ClockConfig
from neurodsr.modalities.registry import list_plugins
from neurodsr.run_config import TruthConfig
from neurodsr.sources.base import Source
from neurodsr.sources.open import open_source
from neurodsr.storage.manifest import content_sha256, content_size

MAX_HASHED = 2**30


def inspect_file(
    path: str | os.PathLike[str],
    *,
    clock: ClockConfig | None = None,
    only: Sequence[str] = (),
) -> Inspection:
    """Everything in a file that could become a stream, with its clock, anatomy and problems.

    Signals of up to 8 million values have been read, so that their problems are those of their
    values too; of those above 33 million, and of more than a hundred that are named alike, only
    what is written about them.

    Parameters
    ----------
    path
        A file or folder of any format that is understood.
    clock
        Rate or interval of the samples whose file does not say it.
    only
        Paths of the only streams to be proposed, whatever they are. They need not be listed: a
        table can turn its arrays, an image average its voxels.

    Raises
    ------
    DataError
        The file is missing, damaged or of a format that is not understood.
    IntegrityError
        The file is unsafe to read.
    """
    with open_source(path) as source:
        session = source.session()
        look = StreamLook(source, clock, frozenset(p.kind for p in list_plugins()))
        found = [look.at(entry) for entry in source.list_streams()]
        streams = _chosen(found, only, look) if only else _with_fallback(found, look.kinds)
        size = content_size(path)
        return Inspection(
            file=os.fspath(path),
            size=size,
            sha256=content_sha256(path) if size <= MAX_HASHED else "",
            identifier=session.identifier,
            session_start=session.started,
            subject=session.subject,
            species=session.species,
            streams=streams,
            inputs=tuple(_inputs(source)),
            truth=_truth(source, {s.path for s in streams if s.usable}),
            problems=tuple(f"warning: {w}" for w in session.warnings),
        )


def _chosen(
    streams: list[StreamInspection], only: Sequence[str], look: StreamLook
) -> tuple[StreamInspection, ...]:
    """All streams, but only those of the given paths proposed: by name if they are not listed."""
    wanted = {path.strip("/") for path in only}
    listed = {s.path for s in streams} | {c.path for s in streams for c in s.columns}
    unlisted = [look.named(path) for path in sorted(wanted - listed)]
    return tuple(_only(s, wanted) for s in (*streams, *unlisted))


def _only(stream: StreamInspection, wanted: set[str]) -> StreamInspection:
    columns = tuple(
        c.model_copy(update={"proposed": FALLBACK if c.path in wanted else ""})
        for c in stream.columns
    )
    proposed = ""
    if stream.path in wanted:
        proposed = stream.proposed or (FALLBACK if stream.kind != "intervals" else "")
    return stream.model_copy(update={"proposed": proposed, "columns": columns})


def _with_fallback(
    streams: list[StreamInspection], kinds: frozenset[str]
) -> tuple[StreamInspection, ...]:
    """Where no kind of stream is evident, the largest signal is proposed as a plain one.

    One with more channels than samples is not: its axes may be exchanged.
    """
    evident = any(s.proposed or any(c.proposed for c in s.columns) for s in streams)
    signals = [
        s
        for s in streams
        if s.kind == "series"
        and (s.usable or s.needs_clock)
        and s.n_samples >= s.n_channels
        and s.missing <= MAX_MISSING
        and not s.path.startswith(f"{SIMULATION}/")
    ]
    if evident or not signals or FALLBACK not in kinds:
        return tuple(streams)
    largest = max(signals, key=lambda s: s.n_samples * s.n_channels)
    chosen = largest.model_copy(update={"proposed": FALLBACK})
    return tuple(chosen if s is largest else s for s in streams)


def _inputs(source: Source) -> list[InputInspection]:
    found = []
    for plain in source.inputs():
        fields = {k: v for k, v in plain.items() if k not in ("name", "reason")}
        name = str(plain.get("name") or fields["path"].rsplit("/", 1)[-1])
        found.append(
            InputInspection.from_plain(
                {"name": name, "reason": str(plain.get("reason", "")), "config": fields}
            )
        )
    return found


def _truth(source: Source, paths: set[str]) -> TruthConfig | None:
    state, reference, exponent = (f"{SIMULATION}/{n}" for n in ("state", "reference", "exponent"))
    if not {state, reference, exponent} <= paths:
        return None
    value = float(source.series(exponent).values[0, 0])
    return TruthConfig(path=state, reference=reference, exponent=value)
