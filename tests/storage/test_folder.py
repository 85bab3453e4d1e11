"""A folder stands only when it is complete, whatever happens while it is written."""

import errno
import os
import subprocess
import sys

import pytest

from neurodsr.errors import OutputError, ResourceError
from neurodsr.storage.folder import complete_folder
from neurodsr.storage.manifest import check_manifest

# Every call of the system by which a folder comes to stand; the child dies at the n-th of them.
DIE_AT = """
import os, sys
from neurodsr.storage.folder import complete_folder
target, n, force = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "force"
calls = 0
def dying(real):
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == n:
            os._exit(9)
        return real(*args, **kwargs)
    return call
for name in ("mkdir", "open", "fsync", "rename", "replace", "unlink", "rmdir"):
    setattr(os, name, dying(getattr(os, name)))
with complete_folder(target, force=force) as folder:
    os.mkdir(folder / "deep")
    (folder / "deep" / "b.txt").write_text("new b")
    (folder / "a.txt").write_text("new a")
"""


def write(path, text, *, force=False):
    with complete_folder(path, force=force) as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "b.txt").write_text(f"{text} b")
        (folder / "a.txt").write_text(f"{text} a")


def read(path):
    check_manifest(path)
    return (path / "a.txt").read_text(), (path / "deep" / "b.txt").read_text()


def test_a_folder_appears_with_its_manifest_and_nothing_beside_it(tmp_path):
    write(tmp_path / "out", "new")
    assert read(tmp_path / "out") == ("new a", "new b")
    assert os.listdir(tmp_path) == ["out"]


def test_nothing_has_the_final_name_while_it_is_written(tmp_path):
    with complete_folder(tmp_path / "out") as folder:
        assert folder.parent == tmp_path
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_nothing(tmp_path, error):
    with pytest.raises(error):
        _write_half_and_raise(tmp_path / "out", error)
    assert os.listdir(tmp_path) == []


def test_a_failure_leaves_the_old_folder_although_forced(tmp_path):
    write(tmp_path / "out", "old")
    with pytest.raises(ValueError), complete_folder(tmp_path / "out", force=True):
        raise ValueError
    assert read(tmp_path / "out") == ("old a", "old b")
    assert os.listdir(tmp_path) == ["out"]


def test_an_output_that_exists_is_refused_before_any_work(tmp_path):
    write(tmp_path / "out", "old")
    with pytest.raises(OutputError, match="pass --force to replace it") as caught:
        write(tmp_path / "out", "new")
    assert caught.value.exit_code == 5
    assert read(tmp_path / "out") == ("old a", "old b")


def test_an_output_that_came_to_exist_meanwhile_is_not_overwritten(tmp_path):
    with (
        pytest.raises(OutputError, match="pass --force to replace it"),
        complete_folder(tmp_path / "out"),
    ):
        (tmp_path / "out").mkdir()
    assert os.listdir(tmp_path) == ["out"]


def test_force_replaces_an_output_of_ours(tmp_path):
    write(tmp_path / "out", "old")
    write(tmp_path / "out", "new", force=True)
    assert read(tmp_path / "out") == ("new a", "new b")
    assert os.listdir(tmp_path) == ["out"]


def test_force_replaces_an_empty_folder(tmp_path):
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", "new", force=True)
    assert read(tmp_path / "out") == ("new a", "new b")


def test_force_does_not_replace_what_neurodsr_did_not_write(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    (tmp_path / "notes.txt").write_text("more of it")
    for name in ("thesis", "notes.txt"):
        with pytest.raises(OutputError, match="choose another name, or remove it yourself"):
            write(tmp_path / name, "new", force=True)
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "years of work"


def test_a_missing_parent_is_refused(tmp_path):
    with pytest.raises(OutputError, match="mkdir -p"):
        write(tmp_path / "no" / "out", "new")


def test_a_parent_that_cannot_be_written_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(OutputError, match="choose an output in a folder of your own"):
        write(tmp_path / "out", "new")
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_a_resource_error_and_leaves_nothing(tmp_path):
    with pytest.raises(ResourceError, match="free some space or quota") as caught:
        _write_half_and_raise(tmp_path / "out", OSError(errno.ENOSPC, "No space left on device"))
    assert caught.value.exit_code == 7
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_disk_that_fails_at_the_end_leaves_the_old_folder(tmp_path, monkeypatch, step):
    write(tmp_path / "out", "old")

    def fail(*_args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(ResourceError, match="free some space or quota"):
        write(tmp_path / "out", "new", force=True)
    monkeypatch.undo()
    assert read(tmp_path / "out") == ("old a", "old b")
    assert os.listdir(tmp_path) == ["out"]


def test_a_failing_second_rename_puts_the_old_folder_back(tmp_path, monkeypatch):
    write(tmp_path / "out", "old")
    real, calls = os.rename, []

    def fail_second(*args):
        calls.append(args)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(*args)

    monkeypatch.setattr(os, "rename", fail_second)
    with pytest.raises(ResourceError, match="free some space or quota"):
        write(tmp_path / "out", "new", force=True)
    assert read(tmp_path / "out") == ("old a", "old b")
    assert os.listdir(tmp_path) == ["out"]


def test_other_errors_of_the_system_pass_as_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), complete_folder(tmp_path / "out"):
        (tmp_path / "an input that is not there").read_text()


def test_the_second_of_two_writers_is_told_of_the_first(tmp_path):
    with (
        complete_folder(tmp_path / "out") as folder,
        pytest.raises(OutputError, match="wait until that process ends") as caught,
    ):
        write(tmp_path / "out", "second")
    assert caught.value.exit_code == 5
    assert str(os.getpid()) in caught.value.what
    assert not folder.exists()
    assert os.listdir(tmp_path) == ["out"]


def test_what_is_under_the_name_of_a_link_is_left_alone(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "mine").write_text("mine")
    (tmp_path / "out").symlink_to(tmp_path / "real")
    with pytest.raises(OutputError, match="remove it yourself"):
        write(tmp_path / "out", "new", force=True)
    assert (tmp_path / "real" / "mine").read_text() == "mine"


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9, 10, 12, 16, 17, 18, 20, 21])
def test_a_writer_killed_at_any_step_leaves_the_whole_folder_or_none(tmp_path, n):
    out = tmp_path / "out"
    code = _run_dying(out, n, "new")
    if out.exists():
        assert read(out) == ("new a", "new b")
    else:
        assert code == 9
    write(out, "again", force=True)
    assert read(out) == ("again a", "again b")
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("n", [2, 10, 17, 18, 19, 21, 22, 23, 24, 26])
def test_a_replacing_writer_killed_at_any_step_loses_neither_old_nor_new(tmp_path, n):
    out = tmp_path / "out"
    write(out, "old")
    _run_dying(out, n, "force")
    # The next writer first puts things in order, then finds a folder that stands.
    with pytest.raises(OutputError, match="pass --force"):
        write(out, "next")
    assert read(out) in {("old a", "old b"), ("new a", "new b")}
    assert os.listdir(tmp_path) == ["out"]


def _write_half_and_raise(path, error):
    with complete_folder(path) as folder:
        (folder / "half").write_text("half")
        raise error


def _run_dying(out, n, force):
    command = [sys.executable, "-c", DIE_AT, str(out), str(n), force]
    code = subprocess.run(command).returncode
    assert code in {0, 9}
    return code
