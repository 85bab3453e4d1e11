"""Single files appear whole or not at all, also when the disk fails at any step."""

import errno
import os
import subprocess
import sys

import pytest

from neurodsr.errors import OutputError, ResourceError
from neurodsr.storage.files import fresh_sibling, settled, siblings, write_atomically

STEPS = ["fsync", "replace"]


def test_a_file_holds_exactly_the_bytes_given(tmp_path):
    write_atomically(tmp_path / "a.bin", b"first")
    write_atomically(tmp_path / "a.bin", b"\0second")
    assert (tmp_path / "a.bin").read_bytes() == b"\0second"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step, code):
    write_atomically(tmp_path / "a.bin", b"old")
    monkeypatch.setattr(os, step, _failing(code))
    with pytest.raises(ResourceError, match=r"free some space or quota") as caught:
        write_atomically(tmp_path / "a.bin", b"new")
    assert caught.value.exit_code == 7
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_what_else_the_system_says_is_an_output_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", _failing(errno.EROFS))
    with pytest.raises(OutputError, match="choose another output") as caught:
        write_atomically(tmp_path / "a.bin", b"new")
    assert caught.value.exit_code == 5


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"mkdir -p '.*/no/such'"):
        write_atomically(tmp_path / "no" / "such" / "a.bin", b"")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(OutputError, match="choose an output in a folder of your own"):
        write_atomically(tmp_path / "a.bin", b"")


def test_leftovers_of_a_dead_process_are_swept_and_those_of_a_living_one_kept(tmp_path):
    target = tmp_path / "a.bin"
    script = (
        "import os, sys; from neurodsr.storage import files\n"
        "os.replace = lambda *_: os._exit(9)\n"
        "files.write_atomically(sys.argv[1], b'half')\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(target)]).returncode == 9
    (dead,) = siblings(target, "tmp")
    living = fresh_sibling(target, "tmp")
    living.write_bytes(b"somebody is at work here")
    elsewhere = dead.with_name(dead.name[:-16] + "0" * 16)  # of another host
    elsewhere.write_bytes(b"who knows")
    write_atomically(target, b"whole")
    assert set(tmp_path.iterdir()) == {target, living, elsewhere}


def test_files_that_only_look_like_siblings_are_not_touched(tmp_path):
    names = ["a.bin.tmp-1", "a.bin.tmp-1-x", "xa.bin.tmp-1-" + "0" * 16, "a.bin.tmp"]
    for name in names:
        (tmp_path / name).write_bytes(b"mine")
    write_atomically(tmp_path / "a.bin", b"")
    assert sorted(os.listdir(tmp_path)) == sorted([*names, "a.bin"])


def test_a_path_is_settled_without_following_its_last_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert settled(tmp_path / "link") == tmp_path / "link"
    assert settled(tmp_path / "link" / "x") == tmp_path / "real" / "x"
    assert settled(tmp_path / "real" / "..") == tmp_path


def _failing(code):
    def fail(*_args, **_kwargs):
        raise OSError(code, os.strerror(code))

    return fail
