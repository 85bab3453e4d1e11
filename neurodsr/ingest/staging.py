"""Large streams are computed block by block into files, which outlive an interrupted ingest."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from time import monotonic

import numpy as np

from neurodsr.data.lazy import blockwise
from neurodsr.data.plain import grid_from_plain
from neurodsr.data.store_arrays import EXPOSURE_TYPE
from neurodsr.data.streams import Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import InterruptedRunError, ResourceError
from neurodsr.ingest.stage_pool import compute_here, compute_in_processes
from neurodsr.ingest.stage_worker import (
    Blocks,
    Record,
    StageJob,
    file_stamp,
    load_job,
    require_same,
)
from neurodsr.storage.files import disk_errors, output_errors, write_atomically
from neurodsr.storage.lock import locked
from neurodsr.storage.manifest import file_sha256

__all__ = ["StageJob", "file_stamp", "stage_stream"]

Progress = Callable[[str, int, int], None]
# Starting processes takes some three seconds, in which one process reads this much.
LEAST_SHARED_BYTES = 64 * 2**20


def stage_stream(
    name: str,
    job: StageJob,
    folder: Path,
    *,
    stream: Stream | None = None,
    n_workers: int = 1,
    progress: Progress | None = None,
) -> Stream:
    """Compute a lazy stream into files, once, and give the stream that reads from them.

    Blocks that an interrupted call has finished are checked and kept, unless the input, the
    stream's configuration or the grid has changed since. Number of processes and interruptions
    change no byte.

    Parameters
    ----------
    name
        What messages and `progress` call the stream.
    job
        What it is made from.
    folder
        For the stream's files alone; removed by the caller when the recording is saved.
    stream
        The stream as `job` makes it, if it is at hand.
    n_workers
        Processes that work side by side on a stream that is large enough.
    progress
        Called as progress(name, blocks done, blocks in all).

    Raises
    ------
    DataError
        What reading raises: an input file was changed meanwhile, say.
    ResourceError
        The disk is full or too small, or a process died again and again.
    InterruptedRunError
        Ctrl-C; the finished blocks are kept.
    OutputError
        Another process is at work in the folder.
    """
    stream = load_job(job.text) if stream is None else stream
    blocks = Blocks.of(stream, folder / job.fingerprint[:32])
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder):
            _compute(name, job, stream, blocks, n_workers, progress or _silent)
    except KeyboardInterrupt as stop:
        raise InterruptedRunError(
            f"stopped by Ctrl-C; what was read of {name} is kept",
            where=str(folder),
            fix="run the same command again to go on",
        ) from stop
    return _staged(stream, blocks, grid_from_plain(job.grid))


def _compute(
    name: str,
    job: StageJob,
    stream: Stream,
    blocks: Blocks,
    n_workers: int,
    progress: Progress,
) -> None:
    _sweep(blocks)
    listed = _read_progress(blocks)
    done = {i: r for i, r in listed.items() if _is_good(blocks.path(i), r.sha256)}
    _keep_only(blocks, done)
    missing = [i for i in range(len(blocks)) if i not in done]
    progress(name, len(done), len(blocks))
    if not missing:
        return
    _require_space(blocks, len(missing))
    if n_workers == 1 or len(missing) == 1 or _is_small(job, blocks):
        records = compute_here(job, stream, blocks, missing)
    else:
        records = compute_in_processes(job, blocks, missing, n_workers=n_workers)
    # Closing the generator stops its processes, whatever ends this block.
    with closing(records), disk_errors(Path(blocks.folder)), _Progress(blocks) as log:
        for n, record in enumerate(records, start=len(done) + 1):
            if record.block in listed:
                before = listed[record.block].sha256
                require_same(before, record.sha256, record.block, name=name)
            log.add(record)
            progress(name, n, len(blocks))


def _staged(stream: Stream, blocks: Blocks, grid: TimeGrid) -> Stream:
    """The stream with its arrays from the files, one block of which is held in memory."""
    block, n_channels = lru_cache(maxsize=1)(blocks.read), blocks.shape[1]
    dtypes = (blocks.dtype, bool, EXPOSURE_TYPE)[: 3 if blocks.exposed else 2]

    def read(part: TimeGrid) -> list[np.ndarray]:
        first = part.first - grid.first
        wholes = [np.empty((part.n_bins, n_channels), dtype) for dtype in dtypes]
        for index in range(first // blocks.n_bins, -(-(first + part.n_bins) // blocks.n_bins)):
            bins = blocks.bins(index)
            a, b = max(first, bins.start), min(first + part.n_bins, bins.stop)
            for whole, own in zip(wholes, block(index), strict=True):
                whole[a - first : b - first] = own[a - bins.start : b - bins.start]
        return wholes

    def observed(part: TimeGrid) -> tuple[np.ndarray, np.ndarray]:
        values, mask, *_ = read(part)
        return values, mask

    def exposed(part: TimeGrid) -> tuple[np.ndarray, np.ndarray]:
        _, mask, exposure = read(part)
        return exposure, mask

    values, mask = blockwise(grid, observed, n_channels=n_channels, dtype=blocks.dtype)
    exposure = None
    if blocks.exposed:
        exposure, _ = blockwise(grid, exposed, n_channels=n_channels, dtype=EXPOSURE_TYPE)
    return replace(stream, values=values, mask=mask, exposure=exposure)


class _Progress:
    """The list of finished blocks, one line each, on the disk within a second or so."""

    def __init__(self, blocks: Blocks) -> None:
        self._file = open(_progress_path(blocks), "ab")  # noqa: SIM115  (closed on leaving)
        self._synced = monotonic()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._sync()
        self._file.close()

    def add(self, record: Record) -> None:
        """Append a block, whose file is on the disk already."""
        self._file.write(_line(record))
        self._file.flush()
        if monotonic() - self._synced > 1:
            self._sync()

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        self._synced = monotonic()


def _progress_path(blocks: Blocks) -> Path:
    return Path(blocks.folder) / "progress.jsonl"


def _read_progress(blocks: Blocks) -> dict[int, Record]:
    """The listed blocks; what a crash tore off the list is as if it had not been there."""
    path = _progress_path(blocks)
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    records = [record for line in lines for record in _parsed(line)]
    return {r.block: r for r in records if r.block in range(len(blocks))}


def _line(record: Record) -> bytes:
    return json.dumps(record._asdict()).encode() + b"\n"


def _parsed(line: bytes) -> Iterator[Record]:
    if line.endswith(b"\n"):
        try:
            yield Record(**json.loads(line))
        except (ValueError, TypeError):
            return


def _is_good(path: Path, sha256: str) -> bool:
    return path.is_file() and file_sha256(path) == sha256


def _sweep(blocks: Blocks) -> None:
    """Remove what another input or configuration left, and what killed processes did."""
    own = Path(blocks.folder)
    own.mkdir(exist_ok=True)
    for other in own.parent.iterdir():
        if other != own and re.fullmatch(r"[0-9a-f]{32}", other.name):
            shutil.rmtree(other, ignore_errors=True)
    shutil.rmtree(own / "scratch", ignore_errors=True)


def _keep_only(blocks: Blocks, done: Mapping[int, Record]) -> None:
    """Forget and remove what is not known to be good; a block is then written where none is."""
    progress = _progress_path(blocks)
    write_atomically(progress, b"".join(_line(record) for record in done.values()))
    keep = {blocks.path(i) for i in done} | {progress}
    for path in Path(blocks.folder).iterdir():
        if path not in keep:
            path.unlink()


def _require_space(blocks: Blocks, n_missing: int) -> None:
    """Refuse now a disk that would be full later."""
    item = np.dtype(blocks.dtype).itemsize + blocks.exposed * EXPOSURE_TYPE.itemsize
    needed = 1.3 * n_missing * blocks.n_bins * blocks.shape[1] * (item + 1 / 8)
    free = shutil.disk_usage(blocks.folder).free
    if needed > free:
        raise ResourceError(
            f"{needed / 2**30:.1f} GiB are needed for parts of a large signal, "
            f"{free / 2**30:.1f} GiB are free",
            where=blocks.folder,
            fix="free some space, or choose an output on another disk",
        )


def _is_small(job: StageJob, blocks: Blocks) -> bool:
    n_bytes = blocks.shape[0] * blocks.shape[1] * np.dtype(blocks.dtype).itemsize
    return max(job.n_input_bytes, n_bytes) < LEAST_SHARED_BYTES


def _silent(*_: object) -> None:
    """Progress that nobody watches."""
