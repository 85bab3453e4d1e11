"""A loaded stream made independent of its file: staged on the disk, or held in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurodsr.data.lazy import LazyArray
from neurodsr.data.plain import grid_to_plain
from neurodsr.data.streams import Stream
from neurodsr.data.time import TimeGrid
from neurodsr.ingest.files import session_files, stream_file
from neurodsr.ingest.staging import StageJob, file_stamp, stage_stream
from neurodsr.run_config import RunConfig
from neurodsr.storage.files import size_on_disk

Progress = Callable[[str, int, int], None]
BLOCK = 4096
"""Bins of a lazy stream that are computed at a time."""


@dataclass
class Settler:
    """What becomes of the streams of a run, one after the other, with one progress.

    Parameters
    ----------
    work
        Folder for the parts of large signals; None: they are held in memory.
    n_workers
        Processes that read them side by side.
    progress
        Called as progress("ingest", streams done, streams in all), and under a large stream's own
        name for its parts.
    """

    config: RunConfig
    root: Path
    work: Path | None
    n_workers: int
    progress: Progress | None
    done: int = 0

    def settle(self, name: str, session: int, grid: TimeGrid, stream: Stream) -> Stream:
        """The stream, for which its file need not be open any more."""
        if isinstance(stream.values, LazyArray):
            if self.work is None:
                return _held(stream)
            return self._staged(name, session, grid, stream)
        return stream

    def tell(self, n_done: int) -> None:
        """Say that some more streams are done."""
        self.done += n_done
        if self.progress is not None:
            n_sessions = len(session_files(self.config.file, root=self.root))
            self.progress("ingest", self.done, len(self.config.streams) * n_sessions)

    def _staged(self, name: str, session: int, grid: TimeGrid, stream: Stream) -> Stream:
        modality = self.config.streams[name]
        default = session_files(self.config.file, root=self.root)[session]
        path = stream_file(modality, session, default=default, root=self.root)
        job = StageJob(
            config=self.config.to_plain(),
            root=str(self.root.resolve()),
            name=name,
            session=session,
            grid=grid_to_plain(grid),
            stamp=file_stamp([path, default]),
            n_input_bytes=size_on_disk(path),
        )
        index = list(self.config.streams).index(name)
        folder = self.work / f"session-{session}" / f"stream-{index}"
        return stage_stream(
            name, job, folder, stream=stream, n_workers=self.n_workers, progress=self.progress
        )


def _held(stream: Stream) -> Stream:
    """A lazy stream with all its bins in memory, read block by block."""
    held = stream.transform(lambda array: np.empty(array.shape, dtype=array.dtype))
    for first in range(0, stream.n_bins, BLOCK):
        rows = slice(first, first + BLOCK)
        held.values[rows], held.mask[rows] = stream.values[rows], stream.mask[rows]
        if stream.exposure is not None:
            held.exposure[rows] = stream.exposure[rows]
    return held
