"""One session of a run: its files opened, its streams on its own grid, its inputs and stretches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.data.truth import Truth
from neurodsr.errors import NeurodsrError
from neurodsr.ingest.clocks import Affine, Reclocked, declared_affine
from neurodsr.ingest.files import stream_file
from neurodsr.ingest.inputs import load_inputs
from neurodsr.ingest.invalid import mask_bins, touched_bins
from neurodsr.ingest.load_checked import load_checked
from neurodsr.ingest.segments import choose_segments
from neurodsr.ingest.settle import Settler
from neurodsr.ingest.spans import Span, choose_grid, holds, overlap_notes, stream_span
from neurodsr.ingest.sync import ClockFit, fit_clock
from neurodsr.ingest.truth import load_truth
from neurodsr.modalities.clock import ClockConfig
from neurodsr.run_config import RunConfig
from neurodsr.sources.base import DeclaredClock, Source
from neurodsr.sources.open import open_source


@dataclass(frozen=True)
class Session:
    """What one session gives: streams on its own grid, the stretches wanted, notes by stream."""

    id: str
    name: str
    grid: TimeGrid
    streams: Mapping[str, Stream]
    wanted: Intervals
    inputs: Stream | None
    truth: Truth | None
    notes: tuple[str, ...]


@dataclass
class OpenFiles:
    """The files of one session, each opened once, with the clock of each stream known.

    A context manager: leaving it closes them.
    """

    config: RunConfig
    root: Path
    index: int
    path: Path
    sources: dict[Path, Source] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> OpenFiles:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    @property
    def main(self) -> Source:
        """The run's own file of this session."""
        return self.open(self.path)

    def open(self, path: Path) -> Source:
        """A file, opened once."""
        if path not in self.sources:
            self.sources[path] = self.stack.enter_context(open_source(path))
        return self.sources[path]

    def stream(self, name: str) -> Source:
        """The file that holds a stream, with its times on the run's clock."""
        modality = self.config.streams[name]
        path = stream_file(modality, self.index, default=self.path, root=self.root)
        return self._reclocked(self.open(path), modality.clock, modality.path, name=name)

    def input(self, name: str) -> Source:
        """The file that holds an input, with its times on the run's clock."""
        given = self.config.inputs[name]
        return self._reclocked(self.main, given.clock, given.path, name=name)

    def _reclocked(self, source: Source, clock: ClockConfig, path: str, *, name: str) -> Source:
        if clock.is_default:
            return source
        affine = self._affine(source, clock, name)
        declared = None
        if clock.sample_interval is not None or clock.times is not None:
            declared = DeclaredClock(clock.sample_interval, clock.times)
        return Reclocked(source, affine, declared, path=path)

    def _affine(self, source: Source, clock: ClockConfig, name: str) -> Affine:
        if clock.sync is None:
            return declared_affine(clock)
        fit = self._fit(source, clock.sync)
        note = f"{name}: {fit.describe()}"
        declared = declared_affine(clock)
        if declared != Affine():
            note += "; the declared offset and drift were used"
        if note not in self.notes:
            self.notes.append(note)
        return fit.affine if declared == Affine() else declared

    def _fit(self, source: Source, paths: tuple[str, str]) -> ClockFit:
        own, reference = source.events(paths[0]), self.main.events(paths[1])
        return fit_clock(own.times, reference.times, where=f"{paths[0]} and {paths[1]}")


def load_session(files: OpenFiles, *, settle: Settler) -> Session:
    """Put every stream, input and stretch of one session on its own grid.

    A stream that the session lacks is left out; whether that may be is for the caller to say.

    Parameters
    ----------
    settle
        What is done with a stream before its file is closed.
    """
    config = files.config
    spans = session_spans(files)
    grid = choose_grid(config.grid, spans, where=str(files.path))
    bad = touched_bins(grid, files.main.invalid())
    streams: dict[str, Stream] = {}
    notes = list(overlap_notes(config.grid, spans))
    settle.tell(0)
    for name in config.streams:
        if name in spans:
            with naming(name):
                loaded = load_checked(config.streams[name], files.stream(name), grid)
                loaded = settle.settle(name, files.index, grid, loaded)
            streams[name] = mask_bins(loaded, bad)
            notes += [f"{name}: {note}" for note in loaded.notes]
        settle.tell(1)
    if bad.any():
        notes.append(f"{int(bad.sum())} bins lie in the file's invalid_times: masked everywhere")
    inputs, input_notes = _inputs(files, grid)
    whole = Intervals(grid.edges[:1], grid.edges[-1:], {})
    wanted, segment_notes = choose_segments(files.main, config.segments, grid, whole)
    about = files.main.session()
    identifier = about.identifier or files.path.stem
    return Session(
        id=identifier,
        name=f"{about.subject}/{identifier}" if about.subject else identifier,
        grid=grid,
        streams=streams,
        wanted=wanted,
        inputs=inputs,
        truth=None if config.truth is None else load_truth(files.main, config.truth, grid),
        notes=(*files.notes, *notes, *input_notes, *segment_notes),
    )


def session_spans(files: OpenFiles) -> dict[str, Span]:
    """When each of the streams that the session has was recorded, on the run's clock."""
    alone = not _several(files.config)
    spans = {}
    for name, modality in files.config.streams.items():
        with naming(name):
            source = files.stream(name)
            if alone or holds(source, modality.path):
                spans[name] = stream_span(source, modality.path)
    return spans


@contextmanager
def naming(stream: str) -> Iterator[None]:
    """Let an error that comes up inside say which stream of the configuration it is about."""
    try:
        yield
    except NeurodsrError as error:
        where = f"stream {stream!r}, {error.where}".removesuffix(", ")
        raise type(error)(error.what, where=where, fix=error.fix) from error


def _several(config: RunConfig) -> bool:
    return not isinstance(config.file, str) or any(c in config.file for c in "*?[")


def _inputs(files: OpenFiles, grid: TimeGrid) -> tuple[Stream | None, tuple[str, ...]]:
    if not files.config.inputs:
        return None, ()
    sources = {name: files.input(name) for name in files.config.inputs}
    loaded = load_inputs(sources, files.config.inputs, grid)
    return loaded, tuple(f"inputs: {note}" for note in loaded.notes)
