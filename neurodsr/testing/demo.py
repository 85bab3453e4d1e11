"""The demo: simulate a session with known truth, write it as a lab would, and run everything."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from neurodsr.ingest.init_text import config_text
from neurodsr.ingest.inspect import inspect_file
from neurodsr.load_config import load_config
from neurodsr.storage.files import write_atomically
from neurodsr.testing.sessions import demo_config, demo_session

if TYPE_CHECKING:
    from neurodsr.pipeline.run import RunResult


def demo(
    out: Path,
    *,
    seed: int = 0,
    n_workers: int = 2,
    force: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> RunResult:
    """Do the whole job on a simulated session; what a user would bring lies beside the output.

    Parameters
    ----------
    out
        Folder of the run. The session's NWB file and its run.yaml go to `OUT-session`, where
        `neurodsr run` finds them like any lab's.
    seed
        Seed of the simulation and of the run.
    n_workers
        Processes that train side by side.
    force
        Replace a run of other content.
    progress
        Called as progress(stage, done, total).

    Returns
    -------
    What `pipeline.run.run` returns.
    """
    from neurodsr.pipeline.run import run

    config_path = write_demo(out.with_name(f"{out.name}-session"), seed=seed, progress=progress)
    return run(
        load_config(config_path),
        root=config_path.parent,
        out=out,
        # An interrupted demo, started again, goes on; its inputs are the same by construction.
        resume=True,
        force=force,
        n_workers=n_workers,
        command=shlex.join(["neurodsr", "demo", "--seed", str(seed), "-o", str(out)]),
        progress=progress,
    )


def write_demo(
    folder: Path, *, seed: int, progress: Callable[[str, int, int], None] | None = None
) -> Path:
    """Write the simulated session and its commented run.yaml; returns the path of the latter.

    A session of this seed that lies there is kept: the same seed gives the same file.
    """
    from neurodsr.testing.write_nwb import write_session

    folder.mkdir(parents=True, exist_ok=True)
    recording, config = folder / f"demo-seed-{seed}.nwb", folder / f"run-seed-{seed}.yaml"
    if progress:
        progress("simulate", 0, 1)
    if not recording.is_file():
        write_session(recording, demo_session(seed=seed))
    proposed = demo_config(file=recording.name, seed=seed)
    write_atomically(config, config_text(proposed, inspect_file(recording)).encode("utf-8"))
    if progress:
        progress("simulate", 1, 1)
    return config
