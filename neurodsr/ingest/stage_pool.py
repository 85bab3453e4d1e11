"""Compute blocks here or in several processes; which of them did it changes no byte."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
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
    # dask would blame whatever waited for a process that ended; here it is tried again alone.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}

_N_TRIES_ALONE = 2


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
        A block ended its process, even with no other beside it.
    """
    with _cluster(min(n_workers, len(indices)), Path(blocks.folder) / "scratch") as client:
        suspects = yield from _side_by_side(client, job, blocks, indices, 2 * n_workers)
        for index in suspects:
            yield _alone(client, job, blocks, index)


def _side_by_side(
    client: Client, job: StageJob, blocks: Blocks, indices: Sequence[int], n_at_once: int
) -> Generator[Record, None, list[int]]:
    """Yield the records; return the blocks that were with a process when it ended.

    A process that ends takes down those that wait for it too, so who is at fault is not known.
    """
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    waiting, suspects = iter(indices), []
    futures = {_submit(client, job, blocks, i): i for i in islice(waiting, n_at_once)}
    done = as_completed(list(futures))
    try:
        for future in done:
            index = futures.pop(future)
            for following in islice(waiting, 1):
                futures[added := _submit(client, job, blocks, following)] = following
                done.add(added)
            try:
                yield _record(future)
            except KilledWorker:
                suspects.append(index)
    finally:
        client.cancel(list(futures))
    return suspects


def _alone(client: Client, job: StageJob, blocks: Blocks, index: int) -> Record:
    """A block with the processes to itself: if one ends now, the block has ended it."""
    from distributed.scheduler import KilledWorker

    for _ in range(_N_TRIES_ALONE):
        try:
            return _record(_submit(client, job, blocks, index))
        except KilledWorker:
            continue
    raise _killed(job, blocks.bins(index))


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
    return client.submit(stage_block, job, blocks, index, pure=False)


def _record(future: Future) -> Record:
    result: dict[str, Any] = future.result()
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
