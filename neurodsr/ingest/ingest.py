"""From a file to a recording: every stream of a run on one clock, masked, with notes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from neurodsr.data.recording import Recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import NeurodsrError, PluginError
from neurodsr.ingest.clean import drop_channels, observed_segments
from neurodsr.ingest.spans import choose_grid, stream_spans
from neurodsr.ingest.truth import load_truth
from neurodsr.modalities.base import Modality
from neurodsr.run_config import RunConfig
from neurodsr.sources.base import SessionInfo, Source
from neurodsr.sources.open import open_source
from neurodsr.storage.manifest import file_sha256

Progress = Callable[[str, int, int], None]


def ingest(config: RunConfig, *, root: Path, progress: Progress | None = None) -> Recording:
    """Read every stream of a run and put it on the one grid.

    The grid is the one that the run asks for, or the time that all streams share. Channels that
    say nothing are dropped. Whatever was repaired or dropped is in the recording's notes.

    Parameters
    ----------
    root
        Folder that `config.file` is relative to: that of the configuration.
    progress
        Called as progress("ingest", streams done, streams in all).

    Raises
    ------
    DataError
        The file or a stream cannot be used as it is, or the streams share no time.
    IntegrityError
        The file is unsafe to read.
    PluginError
        A plug-in's modality failed to load its stream.
    """
    path = Path(root) / config.file
    streams: dict[str, Stream] = {}
    notes: list[str] = []
    with open_source(path) as source:
        session, sha256 = source.session(), file_sha256(path)
        grid = choose_grid(config.grid, stream_spans(source, config.streams), where=str(path))
        for name, modality in config.streams.items():
            _tell(progress, len(streams), len(config.streams))
            loaded = _load(modality, source, grid, name=name)
            streams[name], dropped = drop_channels(loaded, name=name)
            notes += [f"{name}: {note}" for note in (*loaded.notes, *dropped)]
        truth = None if config.truth is None else load_truth(source, config.truth, grid)
    _tell(progress, len(streams), len(config.streams))
    segments = observed_segments(grid, streams.values())
    return Recording(
        id=session.identifier or path.stem,
        grid=grid,
        streams=streams,
        segments=segments,
        sessions=(_session_name(session, path),) * len(segments.starts),
        notes=(*notes, *_gap_notes(segments)),
        source={"name": path.name, "sha256": sha256},
        truth=truth,
    )


def _load(modality: Modality, source: Source, grid: TimeGrid, *, name: str) -> Stream:
    """Load a stream; a plug-in that fails in its own way is named."""
    if type(modality).__module__.startswith("neurodsr."):
        return modality.load(source, grid)
    try:
        return modality.load(source, grid)
    except NeurodsrError:
        raise
    except Exception as error:
        raise PluginError(
            f"loading stream {name!r} failed: {type(error).__name__}: {error}",
            where=f"modality {modality.kind!r} ({type(modality).__module__})",
            fix="report it to the plug-in's authors, or leave the stream out",
        ) from error


def _session_name(session: SessionInfo, path: Path) -> str:
    name = session.identifier or path.stem
    return f"{session.subject}/{name}" if session.subject else name


def _gap_notes(segments: Intervals) -> tuple[str, ...]:
    gaps = segments.starts[1:] - segments.stops[:-1]
    if not len(gaps):
        return ()
    longest = f"the longest {gaps.max():.6g} s"
    return (f"nothing is observed in {len(gaps)} gaps, {longest}: segments end there",)


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress("ingest", done, total)
