"""A lazy stream of known numbers that misbehaves on demand; processes load it by this name."""

import itertools
import json
import os
import resource
import shutil
import signal
import sys
from pathlib import Path

import numpy as np

from neurodsr.data.channels import Channels
from neurodsr.data.lazy import blockwise
from neurodsr.data.recording import Recording
from neurodsr.data.store import save_recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError, NeurodsrError, PreemptedError
from neurodsr.ingest.staging import StageJob, stage_stream

OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link"}
LOADER = "lazy_fake:load_stream"
GRID = TimeGrid(start=0.5, bin_width=0.01, n_bins=5000)
CONFIG = {
    "schema_version": 1,
    "file": "fake.nwb",
    "grid": {"bin_width": 0.01},
    "streams": {"lfp": {"kind": "behavior", "path": "lfp"}},
}


def make_job(root, *, grid=GRID, **changes):
    """The job of a fake stream; `root` says in fake.json how it misbehaves."""
    plain = {"start": grid.start, "bin_width": grid.bin_width, "n_bins": grid.n_bins}
    fields = {"config": CONFIG, "root": str(root), "name": "lfp", "session": 0, "grid": plain}
    return StageJob(**fields | {"loader": LOADER} | changes)


def known_numbers(part, *, n_channels=3):
    """Values and mask of some bins, whichever bins are asked for at once."""
    bins = (part.first + np.arange(part.n_bins))[:, None]
    channels = np.arange(n_channels)
    mask = (bins + 3 * channels) % 7 != 0
    values = ((bins * 2654435761 + channels * 40503) % 100_003) / 100_003 - 0.5
    return np.where(mask, values, 0), mask


def load_stream(config, *, root, name, session, grid):
    """What `neurodsr.ingest.ingest.load_stream` is to a real file."""
    assert name in config.streams
    how = json.loads((root / "fake.json").read_text()) if (root / "fake.json").exists() else {}
    n_channels = how.get("n_channels", 3)
    note(root, f"load {os.environ.get('OMP_NUM_THREADS')} {'torch' in sys.modules}")

    def read(part):
        note(root, f"read {part.first}")
        misbehave(how, root, part)
        values, mask = known_numbers(part, n_channels=n_channels)
        if how.get("random"):
            values = values + mask * np.random.default_rng().random()
        return values, mask

    values, mask = blockwise(grid, read, n_channels=n_channels, dtype=np.float64)
    ids = tuple(f"c{i}" for i in range(n_channels))
    return Stream(values, mask, Channels(ids), "V", notes=("2 samples were lost",))


def note(root, text):
    """One line for each thing that a process did; appends of this length are not torn."""
    with open(root / "log.txt", "a") as log:
        log.write(f"{os.getpid()} {text}\n")


def noted(root, what):
    """The lines of a kind, without the process."""
    path = root / "log.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.split(" ", 2)[2] for line in lines if line.split(" ", 2)[1] == what]


def misbehave(how, root, part):
    """Die or fail at the bin that the fake is told to."""
    first = part.first
    if how.get("fail_at") == first:
        raise DataError("the file was modified while it was read", where="fake.nwb", fix="wait")
    if how.get("bug_at") == first:
        raise ZeroDivisionError("a bug")
    if how.get("die_at") == first:
        os.kill(os.getpid(), signal.SIGKILL)
    if how.get("die_once_at") == first:
        try:
            (root / "died").touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


def tell_fake(root, **how):
    """Say how the fake of a folder shall misbehave."""
    Path(root, "fake.json").write_text(json.dumps(how))


# ---- staging and saving as a whole, in a process that may be killed


def make_recording(root, out, *, n_workers=1, progress=None, grid=GRID, **changes):
    """What `neurodsr ingest` does with a large stream: stage it, save it, clear the stage."""
    job = make_job(root, grid=grid, **changes)
    work = out.with_name(f"{out.name}.work")
    stream = stage_stream("lfp", job, work, n_workers=n_workers, progress=progress)
    whole = Intervals(grid.edges[:1], grid.edges[-1:], {})
    save_recording(Recording("fake", grid, {"lfp": stream}, whole), out)
    shutil.rmtree(work)


def make_and_die(root, out, *, at, number=signal.SIGKILL):
    """The same, with a signal to ourselves at the `at`-th thing done to a file in the folder.

    How often that is is written to `root`/operations when nothing stops it.
    """
    count = itertools.count()

    def watch(event, args):
        if event in OPERATIONS and str(args[0]).startswith(f"{out.parent}/") and next(count) == at:
            os.kill(os.getpid(), number)

    sys.addaudithook(watch)
    make_recording(root, out)
    (root / "operations").write_text(str(next(count)))


def make_as_the_command_does(root, out, *, stop_after, number, n_workers):
    """The same, with the command's answer to SIGTERM and a signal after some blocks."""

    def preempt(*_):
        raise PreemptedError("stopped by SIGTERM")

    def progress(_name, done, _total):
        if done == stop_after:
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, preempt)
    try:
        make_recording(root, out, n_workers=n_workers, n_input_bytes=2**30, progress=progress)
    except NeurodsrError as error:
        sys.exit(error.exit_code)


def make_on_a_full_disk(root, out, *, limit):
    """The same where no file may be longer than `limit` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        make_recording(root, out)
    except NeurodsrError as error:
        (root / "said").write_text(str(error))
        sys.exit(error.exit_code)


def make_a_large_one(root, out, *, n_bins):
    """A recording of many bins; the largest memory held, in MiB, is written to `root`/memory."""
    make_recording(root, out, grid=TimeGrid(0.0, 0.001, n_bins))
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    (root / "memory").write_text(str(used))
