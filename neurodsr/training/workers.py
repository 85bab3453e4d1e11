"""Run jobs in several processes of one thread each, with one progress and one way to stop."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Queue
from typing import Any

from neurodsr import errors
from neurodsr.errors import NeurodsrError, ResourceError
from neurodsr.training.jobs import Job, run_job
from neurodsr.training.loop import Watch
from neurodsr.training.workspace import Workspace

Progress = Callable[[str, int, int], None]
SECONDS_TO_STOP = 25.0
MAX_RESTARTS = 2  # of one job: what a third process dies of is most likely the job itself


class Pool:
    """A few training processes on one workspace; with one process, the caller's own.

    A context manager: leaving it stops the processes, each after saving a checkpoint.
    """

    def __init__(self, workspace: Workspace, n_workers: int, progress: Progress) -> None:
        self._workspace, self._progress = workspace, progress
        self._n_workers = n_workers
        self._processes: list[subprocess.Popen[str]] = []
        self._messages: Queue[tuple[int, dict[str, Any] | None]] = Queue()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
            process.stdin.close()
        for process in self._processes:
            try:
                process.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def run(self, stage: str, jobs: list[Job]) -> None:
        """Run all jobs; the progress of a stage counts optimization steps.

        Raises
        ------
        NeurodsrError
            What a job raised.
        ResourceError
            The processes of one job were killed again and again, from outside or for memory.
        """
        steps = dict.fromkeys((job.name for job in jobs), 0)
        total = sum(job.n_steps(self._workspace) for job in jobs)

        def tell(name: str, step: int) -> None:
            steps[name] = step
            self._progress(stage, sum(steps.values()), total)

        self._progress(stage, 0, total)
        if self._n_workers == 1:
            for job in jobs:
                run_job(self._workspace, job, Watch(lambda k, name=job.name: tell(name, k)))
        else:
            self._serve(jobs, tell)
        self._progress(stage, total, total)

    def _serve(self, jobs: list[Job], tell: Callable[[str, int], None]) -> None:
        waiting, running, restarts = list(jobs), {}, dict.fromkeys((j.name for j in jobs), 0)
        while len(self._processes) < min(self._n_workers, len(jobs)):
            self._start(len(self._processes))
        for i in range(len(self._processes)):
            self._hand_out(i, waiting, running)
        while running:
            try:
                i, message = self._messages.get(timeout=1.0)
            except Empty:
                continue
            if message is None:
                if i in running:
                    self._restart(i, running[i], restarts)
                continue
            if "error" in message or "bug" in message:
                raise _as_raised(message)
            if "step" in message:
                tell(message["job"], message["step"])
            if "done" in message:
                tell(message["job"], running.pop(i).n_steps(self._workspace))
                self._hand_out(i, waiting, running)

    def _hand_out(self, i: int, waiting: list[Job], running: dict[int, Job]) -> None:
        if waiting:
            running[i] = waiting.pop(0)
            self._give(i, running[i])

    def _give(self, i: int, job: Job) -> None:
        # A process that is gone is noticed by its silence, see `_restart`.
        with suppress(BrokenPipeError):
            self._processes[i].stdin.write(json.dumps(job.to_plain()) + "\n")
            self._processes[i].stdin.flush()

    def _restart(self, i: int, job: Job, restarts: dict[str, int]) -> None:
        """Go on with the job of a killed process, from its checkpoint, in a new one.

        A process that ended by itself was asked to stop, and so is the training.
        """
        code = self._processes[i].wait()
        if code >= 0 or restarts[job.name] >= MAX_RESTARTS:
            raise self._death(i, code, job)
        restarts[job.name] += 1
        logging.getLogger(__name__).warning(
            "training process %d was killed by signal %d; job %s goes on from its checkpoint",
            i, -code, job.name,
        )  # fmt: skip
        self._start(i)
        self._give(i, job)

    def _start(self, i: int) -> None:
        """Start process i and a thread that forwards what it says."""
        command = [sys.executable, "-m", "neurodsr.training.worker", str(self._workspace.path)]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | threads,
        )
        self._processes[i : i + 1] = [process]
        threading.Thread(target=self._listen, args=(i, process), daemon=True).start()

    def _listen(self, i: int, process: subprocess.Popen[str]) -> None:
        for line in process.stdout:
            self._messages.put((i, json.loads(line)))
        self._messages.put((i, None))

    def _death(self, i: int, code: int, job: Job) -> NeurodsrError:
        return ResourceError(
            f"training process {i} ended with status {code} in job {job.name}",
            where=str(self._workspace.path),
            fix="if memory ran out use fewer --workers; then run again with --resume",
        )


def _as_raised(message: dict[str, Any]) -> Exception:
    """What a job raised in its process; of a bug, with the traceback from there."""
    if "error" in message:
        kind, what, where, fix = message["error"]
        return getattr(errors, kind, NeurodsrError)(what, where=where, fix=fix)
    said, trace = message["bug"]
    error = RuntimeError(f"in training job {message['job']}: {said}")
    error.add_note(trace)
    return error
