"""What a staging process does: load the stream again, compute one block of it, write it down."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neurodsr.data.plain import grid_from_plain
from neurodsr.data.store_arrays import sound, sound_exposure
from neurodsr.data.streams import Stream
from neurodsr.errors import IntegrityError, NeurodsrError
from neurodsr.storage.documents import json_bytes
from neurodsr.storage.manifest import file_sha256
from neurodsr.storage.tensors import read_arrays, write_arrays

BLOCK_BINS, LEAST_BLOCK_BINS, BLOCK_BYTES = 4096, 256, 16 * 2**20
# Enough blocks that a few processes end at about the same time, also of few bins.
N_BLOCKS = 32


@dataclass(frozen=True)
class StageJob:
    """All that another process needs to make a lazy stream again, as plain JSON-like values.

    Parameters
    ----------
    config
        The run's configuration, plain.
    root
        Folder that its files are relative to.
    name
        The stream's name in it.
    session
        Which of the run's files.
    grid
        The session's grid, plain.
    stamp
        A text that changes when an input file does, such as that of `file_stamp`.
    n_input_bytes
        About how much has to be read; small streams are not worth starting processes for.
    loader
        "module:function" that makes the stream, called as `neurodsr.ingest.ingest.load_stream`.
    """

    config: dict[str, Any]
    root: str
    name: str
    session: int
    grid: dict[str, float | int]
    stamp: str = ""
    n_input_bytes: int = 0
    loader: str = "neurodsr.ingest.ingest:load_stream"

    @property
    def text(self) -> str:
        """The job as one JSON text, the same for equal jobs."""
        return json.dumps(asdict(self), sort_keys=True, allow_nan=False)

    @property
    def fingerprint(self) -> str:
        """What the blocks depend on, as hexadecimal: input, stream, grid and neurodsr itself.

        Other parts of the configuration may change between an interruption and the resume.
        """
        about = {
            "stream": self.config["streams"][self.name],
            "session": self.session,
            "grid": self.grid,
            "stamp": self.stamp,
            "loader": self.loader,
            "version": version("neurodsr"),
        }
        return hashlib.sha256(json_bytes(about)).hexdigest()


@dataclass(frozen=True)
class Blocks:
    """How a stream is cut into files, a function of its shape alone, and where they lie.

    Parameters
    ----------
    folder
        Holds one file for each block.
    shape
        (time, channel) of the whole stream.
    dtype
        Type of the values, by name.
    exposed
        Whether the stream has an exposure.
    """

    folder: str
    shape: tuple[int, int]
    dtype: str
    exposed: bool = False

    @classmethod
    def of(cls, stream: Stream, folder: Path) -> Blocks:
        """The blocks of a stream; numbers other than integers become float32."""
        dtype = stream.values.dtype
        name = dtype.name if dtype.kind in "biu" else "float32"
        return cls(str(folder), stream.values.shape, name, stream.exposure is not None)

    @property
    def n_bins(self) -> int:
        """Bins in a block, the last one excepted: 4096, or fewer to have 32 blocks or 16 MiB."""
        aimed = min(BLOCK_BINS, max(LEAST_BLOCK_BINS, -(-self.shape[0] // N_BLOCKS)))
        return max(1, min(aimed, BLOCK_BYTES // (4 * max(1, self.shape[1]))))

    def __len__(self) -> int:
        return -(-self.shape[0] // self.n_bins)

    def bins(self, index: int) -> slice:
        """The bins of a block."""
        return slice(index * self.n_bins, min((index + 1) * self.n_bins, self.shape[0]))

    def path(self, index: int) -> Path:
        """The file of a block."""
        return Path(self.folder) / f"{index:08d}.safetensors"

    def read(self, index: int) -> tuple[np.ndarray, ...]:
        """Values, mask, and exposure if there is one, of a block that was written."""
        try:
            arrays = read_arrays(self.path(index))
        except NeurodsrError as error:
            raise IntegrityError(
                f"a finished part of a stream was lost: {error.what}",
                where=str(self.path(index)),
                fix="run the same command again, which computes that part again",
            ) from error
        values = arrays["values"]
        mask = np.unpackbits(arrays["mask"], count=values.size).reshape(values.shape).astype(bool)
        return (values, mask, arrays["exposure"]) if self.exposed else (values, mask)


class Record(NamedTuple):
    """What is known of a written block; `low` and `high` are the extremes of its values."""

    block: int
    sha256: str
    n_masked: int
    low: float
    high: float


def write_block(stream: Stream, blocks: Blocks, index: int, *, name: str) -> Record:
    """Compute a block and write its file, which appears whole or not at all.

    Raises
    ------
    AssertionError
        The block was computed before with another result, or holds what no stream may.
    """
    bins, path = blocks.bins(index), blocks.path(index)
    values = np.asarray(stream.values[bins])
    mask = np.asarray(stream.mask[bins], dtype=bool)
    values = sound(values, mask, np.dtype(blocks.dtype), name=name)
    before = file_sha256(path) if path.exists() else None
    arrays = {"values": values, "mask": np.packbits(mask)}
    if stream.exposure is not None:
        arrays["exposure"] = sound_exposure(np.asarray(stream.exposure[bins]), mask, name=name)
    write_arrays(path, arrays)
    sha256 = file_sha256(path)
    require_same(before, sha256, index, name=name)
    low, high = (values.min().item(), values.max().item()) if values.size else (0, 0)
    return Record(index, sha256, int(mask.size - mask.sum()), low, high)


def require_same(before: str | None, now: str, index: int, *, name: str) -> None:
    """Stop at a block whose content depends on when or where it is computed."""
    if before not in (None, now):
        raise AssertionError(
            f"block {index} of stream {name!r} was computed twice with different results "
            f"(sha256 {before[:12]} and {now[:12]})"
        )


def stage_block(job: StageJob, blocks: Blocks, index: int) -> dict[str, Any]:
    """What a process is asked to do: one block.

    Returns
    -------
    The block's record, or the NeurodsrError that came up, which crosses processes only as plain
    values.
    """
    try:
        record = write_block(load_job(job.text), blocks, index, name=job.name)
    except NeurodsrError as error:
        return {"error": [type(error).__name__, error.what, error.where, error.fix]}
    return record._asdict()


def dask_setup(_worker: object) -> None:
    """What dask calls in a process that it has started: Ctrl-C is for the parent to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@lru_cache(maxsize=4)
def load_job(text: str) -> Stream:
    """The lazy stream of a job, with file handles of this process; the last few stay open."""
    from neurodsr.run_config import RunConfig

    job = StageJob(**json.loads(text))
    module, _, function = job.loader.partition(":")
    return getattr(import_module(module), function)(
        RunConfig.from_plain(job.config),
        root=Path(job.root),
        name=job.name,
        session=job.session,
        grid=grid_from_plain(job.grid),
    )


def file_stamp(paths: Iterable[Path]) -> str:
    """A text that changes when one of some files does: its size and its times of change.

    Parameters
    ----------
    paths
        Files, or folders with all the files in them.
    """
    stamps = []
    for path in paths:
        members = sorted(path.rglob("*")) if path.is_dir() else [path]
        for member in members:
            about = member.stat()
            stamps.append([str(member), about.st_size, about.st_mtime_ns, about.st_ctime_ns])
    return hashlib.sha256(json_bytes(stamps)).hexdigest()
