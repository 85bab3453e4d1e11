"""One writer at a time, and a dead one holds nothing."""

import fcntl
import json
import os
import socket
import subprocess
import sys

import pytest

from neurodsr.errors import OutputError
from neurodsr.storage.lock import locked

HOLD = """
import sys
from neurodsr.storage.lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock until its standard input is closed."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_the_lock_file_stands_while_held_and_goes_after(tmp_path):
    with locked(tmp_path / "out"):
        told = json.loads((tmp_path / "out.lock").read_text())
        assert (told["pid"], told["host"]) == (os.getpid(), socket.gethostname())
    assert os.listdir(tmp_path) == []


def test_the_lock_goes_when_the_work_fails(tmp_path):
    with pytest.raises(ValueError), locked(tmp_path / "out"):
        raise ValueError
    with locked(tmp_path / "out"):
        pass


def test_a_second_process_is_told_host_pid_and_start_of_the_first(tmp_path, holder):
    started = json.loads((tmp_path / "out.lock").read_text())["started"]
    with (
        pytest.raises(OutputError, match="wait until that process ends") as caught,
        locked(tmp_path / "out"),
    ):
        pass
    assert caught.value.exit_code == 5
    assert caught.value.where == str(tmp_path / "out")
    assert f"process {holder.pid} on {socket.gethostname()}, since {started}" in caught.value.what


def test_the_lock_of_a_killed_process_is_free(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert (tmp_path / "out.lock").exists()
    with locked(tmp_path / "out"):
        assert json.loads((tmp_path / "out.lock").read_text())["pid"] == os.getpid()
    assert os.listdir(tmp_path) == []


def test_a_holder_that_has_not_signed_yet_is_still_a_holder(tmp_path):
    with locked(tmp_path / "out"):
        (tmp_path / "out.lock").write_text("")
        with (
            pytest.raises(OutputError, match="wait until that process ends") as caught,
            locked(tmp_path / "out"),
        ):
            pass
    assert "just starting" in caught.value.what


def test_a_lock_file_removed_between_open_and_lock_protects_nothing(tmp_path, monkeypatch):
    real, removed = fcntl.flock, []

    def remove_first(descriptor, operation):
        if not removed:
            removed.append(True)
            (tmp_path / "out.lock").unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with locked(tmp_path / "out"):
        monkeypatch.undo()
        with pytest.raises(OutputError, match="wait until"), locked(tmp_path / "out"):
            pass


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "out.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OutputError, match="choose another output"), locked(tmp_path / "out"):
        pass
    assert (tmp_path / "precious").read_text() == "precious"


def test_locks_of_different_outputs_do_not_meet(tmp_path):
    with locked(tmp_path / "one"), locked(tmp_path / "two"):
        assert sorted(os.listdir(tmp_path)) == ["one.lock", "two.lock"]
