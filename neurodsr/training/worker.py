"""A training process: reads jobs from stdin, one JSON line each; reports on stdout likewise.

Run as `python -m neurodsr.training.worker WORKSPACE`. It saves a checkpoint and ends on SIGTERM,
and ends at once when its parent is gone, so that a killed run leaves nobody writing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from neurodsr.errors import NeurodsrError
from neurodsr.training.jobs import Job, run_job
from neurodsr.training.loop import StopRequestedError, Watch
from neurodsr.training.workspace import open_workspace


def main(path: str) -> None:
    """Serve jobs until stdin closes or a stop is asked for."""
    parent, stopping = os.getppid(), []
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))

    def stop() -> bool:
        if os.getppid() != parent:
            os._exit(137)
        return bool(stopping)

    workspace = open_workspace(Path(path))
    _say(ready=True)
    for line in sys.stdin:
        job = Job.from_plain(json.loads(line))
        watch = Watch(lambda step, name=job.name: _say(job=name, step=step), stop)
        try:
            run_job(workspace, job, watch)
        except StopRequestedError:
            return
        except NeurodsrError as error:
            kind = type(error).__name__
            _say(job=job.name, error=[kind, error.what, error.where, error.fix])
            return
        except Exception as error:  # a bug: the parent keeps its traceback in the log
            _say(job=job.name, bug=[repr(error), traceback.format_exc()])
            return
        _say(job=job.name, done=True)


def _say(**message: Any) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
