"""Compute blocks here or in several processes; which of them did it changes no byte."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodsr import errors
from neurodsr.data.streams import Stream
from neurodsr.errors import NeurodsrError, ResourceError
from neurodsr.ingest.stage_worker import Blocks, Record, StageJob, stage_block, write_block

if TYPE_CHECKING:  # dask takes a second to import, and most streams do not need it
    from distributed import Client, Future, LocalCluster

_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
_SETTINGS = {
    # A forked process would share HDF5's and zarr's state; a thread beside would crash HDF5.
    "distributed.worker.multiprocessing-method": "spawn",
    "distributed.nanny.pre-spawn-environ": _ONE_THREAD,
    # A block whose process dies is given to another one; the third time it is the block's fault.
    "distributed.scheduler.allowed-failures": 2,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


def compute_here(
    job: StageJob, stream: Stream, blocks: Blocks, indices: Sequence[int]
) -> Iterator[Record]:
    """The records of some blocks, computed one after the other."""
    for index in indices:
        yield write_block(stream, blocks, index, name=job.name)


def compute_in_processes(
    job: StageJob, blocks: Blocks, indices: Sequence[int], *, n_workers: int
) -> Iterator[Record]:
    """The same from several processes of one thread each, in the order in which they are done.

    Each process opens the input for itself: an opened HDF5 file can be shared by nobody.

    Raises
    ------
    NeurodsrError
        What came up in a process.
    ResourceError
        A block killed its process, again and again.
    """
    from distributed import as_completed

    with _cluster(min(n_workers, len(indices)), Path(blocks.folder) / "scratch") as client:
        futures = {_submit(client, job, blocks, index): index for index in indices}
        try:
            for future in as_completed(futures):
                yield _record(future, job, blocks, futures[future])
        finally:
            client.cancel(list(futures))


@contextmanager
def _cluster(n_workers: int, scratch: Path) -> Iterator[Client]:
    import dask
    from distributed import Client

    with (
        dask.config.set(_SETTINGS),
        _started(n_workers, scratch) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _started(n_workers: int, scratch: Path) -> LocalCluster:
    from distributed import LocalCluster, Security

    try:
        return LocalCluster(
            # What goes over the wire can run code, so only holders of this run's key may speak.
            security=Security.temporary(),
            n_workers=n_workers,
            processes=True,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            # Without a dashboard dask still takes port 8787, and warns where that is taken.
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            # The system itself says when memory runs out; dask counts mapped files as memory.
            memory_limit=0,
            local_directory=str(scratch),
            silence_logs=logging.CRITICAL,
            preload=["neurodsr.ingest.stage_worker"],
        )
    except (RuntimeError, OSError) as error:
        raise ResourceError(
            f"the processes that share the work do not start: {error}",
            where=str(scratch),
            fix="in a script of your own, call ingest below `if __name__ == '__main__':`, since "
            "each process imports the script; or use one process",
        ) from error


def _submit(client: Client, job: StageJob, blocks: Blocks, index: int) -> Future:
    return client.submit(stage_block, job, blocks, index, key=f"block-{index}", pure=False)


def _record(future: Future, job: StageJob, blocks: Blocks, index: int) -> Record:
    from distributed.scheduler import KilledWorker

    try:
        result: dict[str, Any] = future.result()
    except KilledWorker as error:
        raise _killed(job, blocks.bins(index)) from error
    if "error" in result:
        kind, what, where, fix = result["error"]
        raise getattr(errors, kind, NeurodsrError)(what, where=where, fix=fix)
    return Record(**result)


def _killed(job: StageJob, bins: slice) -> ResourceError:
    return ResourceError(
        f"reading bins {bins.start} to {bins.stop} of stream {job.name!r} ended its process "
        "several times",
        where=job.root,
        fix="if memory ran out use fewer --workers; if it happens with one too, the input file "
        "may crash its reader: try `neurodsr inspect` on it",
    )
