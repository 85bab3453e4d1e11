"""Killed, stopped or out of space at any moment: no half recording, and a rerun ends the same."""

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from neurodsr.data.store import open_recording
from neurodsr.storage.manifest import MANIFEST, folder_digest

sys.path.insert(0, str(Path(__file__).parent))  # processes import the fake by its name
import lazy_fake

N_BLOCKS = 20


@pytest.fixture(scope="module")
def start():
    """Starts a function of the fake in a fresh process, in which torch is not imported."""
    # Forked from a process that has the modules and no threads: a start takes milliseconds.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lazy_fake", "neurodsr.run_config"])

    def start(function, root, out, **options):
        process = context.Process(target=function, args=(root, out), kwargs=options)
        process.start()
        return process

    return start


@pytest.fixture(scope="module")
def straight(tmp_path_factory, start):
    """An uninterrupted recording, how it is counted, and its digest."""
    root, out = folders(tmp_path_factory.mktemp("straight"))
    finish(start(lazy_fake.make_and_die, root, out, at=-1))
    return int((root / "operations").read_text()), folder_digest(out)


def folders(base):
    (base / "root").mkdir()
    (base / "o").mkdir()
    return base / "root", base / "o" / "r.zarr"


def finish(process, *, code=0):
    process.join(100)
    assert process.exitcode == code


def assert_whole_or_absent(out):
    if os.path.lexists(out):
        assert (out / MANIFEST).is_file()
        open_recording(out)


def rerun(start, root, out, straight):
    """Run again what was stopped; nothing but the recording is left."""
    if not out.exists():
        finish(start(lazy_fake.make_recording, root, out))
    shutil.rmtree(f"{out}.work", ignore_errors=True)
    assert folder_digest(out) == straight[1]
    assert os.listdir(out.parent) == [out.name]


MOMENTS = [random.Random(7).random() for _ in range(20)]


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_operation_it_goes_on_to_the_same_bytes(tmp_path, start, straight, moment):
    root, out = folders(tmp_path)
    process = start(lazy_fake.make_and_die, root, out, at=int(moment * straight[0]))
    finish(process, code=-signal.SIGKILL)
    assert_whole_or_absent(out)
    rerun(start, root, out, straight)


@pytest.mark.parametrize("moment", MOMENTS[:8])
def test_terminated_at_any_operation_it_goes_on_to_the_same_bytes(
    tmp_path, start, straight, moment
):
    root, out = folders(tmp_path)
    at = int(moment * straight[0])
    finish(
        start(lazy_fake.make_and_die, root, out, at=at, number=signal.SIGTERM),
        code=-signal.SIGTERM,
    )
    assert_whole_or_absent(out)
    rerun(start, root, out, straight)


@pytest.mark.parametrize("n_workers", [1, 2])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_stop_ends_with_its_code_and_keeps_what_is_done(
    tmp_path, start, straight, number, code, n_workers
):
    root, out = folders(tmp_path)
    options = {"stop_after": 6, "number": number, "n_workers": n_workers}
    finish(start(lazy_fake.make_as_the_command_does, root, out, **options), code=code)
    assert not out.exists()
    (root / "log.txt").unlink()
    rerun(start, root, out, straight)
    assert len(lazy_fake.noted(root, "read")) <= N_BLOCKS - 6


SCRIPT = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import lazy_fake

def press(_name, done, _total):
    if done == 6:
        os.killpg(0, signal.SIGINT)

if __name__ == "__main__":
    root, out = Path(sys.argv[2]), Path(sys.argv[3])
    options = {"n_workers": 2, "n_input_bytes": 2**30, "progress": press}
    try:
        lazy_fake.make_recording(root, out, **options)
    except lazy_fake.NeurodsrError as error:
        sys.exit(error.exit_code)
"""


def test_ctrl_c_at_a_terminal_which_all_processes_get_is_answered_once(tmp_path):
    root, out = folders(tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, tmp_path / "script.py", Path(__file__).parent, root, out]
    done = subprocess.run(
        command, start_new_session=True, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_killed_with_processes_at_work_it_goes_on_to_the_same_bytes(tmp_path, start, straight):
    root, out = folders(tmp_path)
    options = {"stop_after": 6, "number": signal.SIGKILL, "n_workers": 2}
    finish(start(lazy_fake.make_as_the_command_does, root, out, **options), code=-signal.SIGKILL)
    assert not out.exists()
    rerun(start, root, out, straight)


@pytest.mark.parametrize("limit", [1_000, 20_000])
def test_a_full_disk_ends_with_7_and_leaves_no_half_recording(tmp_path, start, straight, limit):
    """The limits are met by a block, and by a shard of the recording."""
    root, out = folders(tmp_path)
    finish(start(lazy_fake.make_on_a_full_disk, root, out, limit=limit), code=7)
    assert "free some space" in (root / "said").read_text()
    assert not out.exists()
    assert {p.name for p in out.parent.iterdir()} == {f"{out.name}.work"}
    rerun(start, root, out, straight)


@pytest.mark.slow
def test_a_stream_of_1_GB_is_ingested_in_little_memory(tmp_path, start):
    """384 channels of 700,000 bins; what is held is a block, a shard and the libraries.

    250 MiB were measured, and as much for any longer stream.
    """
    root, out = folders(tmp_path)
    lazy_fake.tell_fake(root, n_channels=384)
    finish(start(lazy_fake.make_a_large_one, root, out, n_bins=700_000))
    assert float((root / "memory").read_text()) < 350
