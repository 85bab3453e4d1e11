"""kill -9 at any moment, run again: the same bytes as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from neurodsr.data.store import save_recording
from neurodsr.storage.manifest import folder_digest

SCRIPT = """
import json, sys
from pathlib import Path
from neurodsr.data.store import open_recording
from neurodsr.run_config import RunConfig
from neurodsr.training.train import train

folder = Path(sys.argv[1])
config = RunConfig.from_plain(json.loads((folder / "config.json").read_text()))
say = lambda stage, done, total: print(stage, done, flush=True)
surrogate = train(
    open_recording(folder / "recording"), config, work=folder / sys.argv[2], resume=True,
    n_workers=int(sys.argv[3]), progress=say,
)
surrogate.save(folder / f"{sys.argv[2]}.surrogate")
"""

SETTINGS = {
    "encoder": {"width": 8, "kernel": 11, "n_steps": 2400, "window": 60, "batch_size": 8},
    "dynamics": {
        # Many, for the compiled trainer takes some ten thousand of them a second.
        "latent_dim": 2, "hidden_dim": 16, "n_steps": 60_000, "window": 40, "batch_size": 8,
    },
    "ensemble": {"n_encoders": 2, "n_members": 2, "n_starts": 4, "n_bins": 2000},
}  # fmt: skip


def start(folder, name, n_workers=2, stderr=None):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), name, str(n_workers)],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def finish(process):
    process.stdout.read()
    assert process.wait() == 0


def wait_for(process, stage, at_least):
    for line in process.stdout:
        found, done = line.split()
        if found == stage and int(done) >= at_least:
            return
    raise AssertionError(f"the training ended before {stage} {at_least}")


def has_checkpoint(folder):
    return any(folder.rglob("step-*/MANIFEST.json"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small_recording, settings):
    path = tmp_path_factory.mktemp("resume")
    save_recording(small_recording, path / "recording")
    (path / "config.json").write_text(json.dumps(settings(**SETTINGS)))
    finish(start(path, "uninterrupted"))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "at_least"), [("encoders", 1600), ("members", 0), ("members", 30_000)]
)
def test_kill_and_resume_give_the_bytes_of_an_uninterrupted_training(folder, stage, at_least):
    name = f"killed-{stage}-{at_least}"
    process = start(folder, name)
    wait_for(process, stage, at_least)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / f"{name}.surrogate").exists()
    finish(start(folder, name))
    assert folder_digest(folder / f"{name}.surrogate") == folder_digest(
        folder / "uninterrupted.surrogate"
    )


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["encoders", "members"])
def test_a_training_goes_on_to_the_same_bytes_when_one_of_its_processes_is_killed(folder, stage):
    process = start(folder, f"one-killed-{stage}")
    wait_for(process, stage, 600)
    os.kill(_children(process.pid)[0], signal.SIGKILL)
    process.stdout.read()
    assert process.wait() == 0
    assert folder_digest(folder / f"one-killed-{stage}.surrogate") == folder_digest(
        folder / "uninterrupted.surrogate"
    )


@pytest.mark.slow
def test_a_training_whose_processes_are_killed_again_and_again_ends_with_a_fix(folder):
    process = start(folder, "all-killed", stderr=subprocess.PIPE)
    wait_for(process, "encoders", 200)
    while process.poll() is None:
        with suppress(FileNotFoundError, ProcessLookupError):  # it may end at any moment
            for worker in _children(process.pid):
                os.kill(worker, signal.SIGKILL)
    assert "use fewer --workers" in process.stderr.read()


@pytest.mark.slow
def test_a_parent_that_is_killed_alone_leaves_no_process_behind(folder):
    process = start(folder, "orphans")
    wait_for(process, "encoders", 200)
    workers = _children(process.pid)
    assert workers
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 30
    while any(_alive(pid) for pid in workers) and time.monotonic() < deadline:
        os.sched_yield()
    assert not any(_alive(pid) for pid in workers)


@pytest.mark.slow
def test_a_terminated_training_saves_a_checkpoint_and_goes_on_to_the_same_bytes(folder):
    process = start(folder, "terminated")
    wait_for(process, "encoders", 600)
    for worker in _children(process.pid):
        os.kill(worker, signal.SIGTERM)
    process.stdout.read()
    process.wait()
    assert has_checkpoint(folder / "terminated")
    finish(start(folder, "terminated"))
    assert folder_digest(folder / "terminated.surrogate") == folder_digest(
        folder / "uninterrupted.surrogate"
    )


def _children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_stopped_command_ends_with_its_code_and_resumes_to_the_same_bytes(
    folder, number, code, n_workers
):
    name = f"stopped-{code}-{n_workers}"
    (folder / "run.yaml").write_text((folder / "config.json").read_text())
    command = [
        sys.executable, "-m", "neurodsr", "train", str(folder / "run.yaml"),
        str(folder / "recording"), "-o", str(folder / name), "--workers", str(n_workers),
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not has_checkpoint(folder / f"{name}.work") and time.monotonic() < deadline:
        os.sched_yield()
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code, stderr
    assert "--resume" in stderr
    assert "Traceback" not in stderr
    assert not (folder / name).exists()
    subprocess.run([*command, "--resume"], check=True, capture_output=True)
    assert folder_digest(folder / name) == folder_digest(folder / "uninterrupted.surrogate")
