"""From files to a recording: every stream of a run on one clock, masked, with notes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurodsr.data.recording import Recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.ingest.clean import drop_channels, observed_segments
from neurodsr.ingest.files import session_files
from neurodsr.ingest.join import (
    intersect,
    join_grids,
    join_streams,
    sources_of,
    unique_names,
    window,
)
from neurodsr.ingest.load_checked import load_checked
from neurodsr.ingest.session import OpenFiles, Session, load_session
from neurodsr.ingest.settle import Progress, Settler
from neurodsr.run_config import RunConfig
from neurodsr.storage.manifest import content_sha256


def ingest(
    config: RunConfig,
    *,
    root: Path,
    work: Path | None = None,
    n_workers: int = 1,
    progress: Progress | None = None,
) -> Recording:
    """Read every stream of a run and put it on the one grid.

    The grid is the one that the run asks for, or the time that all streams of a session share;
    several sessions are laid end to end. Channels that say nothing are dropped. Whatever was
    repaired or dropped is in the recording's notes.

    Parameters
    ----------
    root
        Folder that `config.file` is relative to: that of the configuration.
    work
        Folder for the parts of large signals that are done, from which an interrupted ingest
        goes on; the recording reads from it until it is saved. By default the whole recording is
        held in memory.
    n_workers
        Processes that read large signals side by side; they need `work`.
    progress
        Called as progress("ingest", streams done, streams in all).

    Raises
    ------
    DataError
        A file or a stream cannot be used as it is, or the streams share no time.
    IntegrityError
        A file is unsafe to read.
    PluginError
        A modality failed to load its stream, or gave what is not one.
    """
    paths = session_files(config.file, root=root)
    _refuse_truth_of_several(config, len(paths))
    settle = Settler(config, Path(root), work, n_workers, progress)
    sessions, read = [], {}
    for index, path in enumerate(paths):
        with OpenFiles(config, Path(root), index, path) as files:
            sessions.append(load_session(files, settle=settle))
            read |= {str(p): p for p in files.sources}
    names = unique_names([s.name for s in sessions], [p.stem for p in paths])
    checksums = {path.name: content_sha256(path) for path in read.values()}
    return _assemble(config, sessions, names, sources_of(checksums))


def load_stream(
    config: RunConfig, *, root: Path, name: str, session: int, grid: TimeGrid
) -> Stream:
    """One stream of one session on a given grid; a lazy one keeps its file open.

    What a worker process calls to read a part of a large signal.
    """
    path = session_files(config.file, root=root)[session]
    files = OpenFiles(config, Path(root), session, path)
    return load_checked(config.streams[name], files.stream(name), grid)


def _assemble(
    config: RunConfig,
    sessions: list[Session],
    names: tuple[str, ...],
    source: dict[str, str],
) -> Recording:
    grid, first_bins = join_grids([s.grid for s in sessions])
    streams: dict[str, Stream] = {}
    notes = _session_notes(sessions, names, grid, first_bins)
    for name, modality in config.streams.items():
        parts = [s.streams.get(name) for s in sessions]
        joined = _joined(name, parts, names, first_bins, shared=modality.shares_channels)
        streams[name], dropped = drop_channels(joined, name=name)
        notes += [f"{name}: {note}" for note in dropped]
    if config.inputs:
        notes.append("inputs are kept in the recording; training does not use them yet")
    segments, owners = _segments(sessions, streams, grid, first_bins)
    return Recording(
        id=", ".join(s.id for s in sessions),
        grid=grid,
        streams=streams,
        segments=segments,
        inputs=_joined_inputs(sessions, names, first_bins),
        sessions=tuple(names[k] for k in owners),
        notes=(*notes, *_gap_notes(segments, owners)),
        source=source,
        truth=sessions[0].truth,
    )


def _joined(
    name: str,
    parts: list[Stream | None],
    names: tuple[str, ...],
    first_bins: tuple[int, ...],
    *,
    shared: bool,
) -> Stream:
    if len(parts) == 1 and parts[0] is not None:
        return parts[0]
    if all(part is None for part in parts):
        raise DataError(
            f"none of the {len(parts)} sessions has the stream",
            where=f"stream {name!r}",
            fix="`neurodsr inspect FILE...` shows which file holds what",
        )
    return join_streams(name, parts, sessions=names, first_bins=first_bins, shared=shared)


def _joined_inputs(
    sessions: list[Session], names: tuple[str, ...], first_bins: tuple[int, ...]
) -> Stream | None:
    parts = [s.inputs for s in sessions]
    if all(part is None for part in parts):
        return None
    return _joined("inputs", parts, names, first_bins, shared=True)


def _segments(
    sessions: list[Session],
    streams: dict[str, Stream],
    grid: TimeGrid,
    first_bins: tuple[int, ...],
) -> tuple[Intervals, list[int]]:
    """The wanted stretches in which something was observed, and the session of each."""
    starts, stops, origins, owners = [], [], [], []
    for k, session in enumerate(sessions):
        own = [window(s, first_bins[k], first_bins[k + 1]) for s in streams.values()]
        kept = intersect(session.wanted, observed_segments(session.grid, own))
        shift = first_bins[k]
        starts += list(grid.edges[session.grid.index(kept.starts) + shift])
        stops += list(grid.edges[session.grid.index(kept.stops) + shift])
        origins += list(kept.starts)
        owners += [k] * len(kept.starts)
    if not starts:
        raise DataError(
            "no wanted segment has an observed bin",
            where="segments",
            fix="check segments.path and segments.where, or leave the section out",
        )
    columns = {"source_start": np.array(origins)} if len(sessions) > 1 else {}
    return Intervals(np.array(starts), np.array(stops), columns), owners


def _session_notes(
    sessions: list[Session],
    names: tuple[str, ...],
    grid: TimeGrid,
    first_bins: tuple[int, ...],
) -> list[str]:
    if len(sessions) == 1:
        return list(sessions[0].notes)
    notes = []
    for k, (session, name) in enumerate(zip(sessions, names, strict=True)):
        notes.append(
            f"{name}: its {session.grid.start:.6g} to {session.grid.stop:.6g} s are "
            f"{grid.edges[first_bins[k]]:.6g} to {grid.edges[first_bins[k + 1]]:.6g} s here"
        )
        notes += [f"{name}: {note}" for note in session.notes]
    return notes


def _gap_notes(segments: Intervals, owners: list[int]) -> tuple[str, ...]:
    steps = segments.starts[1:] - segments.stops[:-1]
    gaps = steps[(np.diff(owners) == 0) & (steps > 0)]
    if not len(gaps):
        return ()
    longest = f"the longest {gaps.max():.6g} s"
    return (f"nothing is observed in {len(gaps)} gaps, {longest}: segments end there",)


def _refuse_truth_of_several(config: RunConfig, n_sessions: int) -> None:
    if config.truth is not None and n_sessions > 1:
        raise DataError(
            f"a truth section with {n_sessions} sessions; it describes one simulated session",
            where="truth",
            fix="leave the truth section out, or run one session",
        )
