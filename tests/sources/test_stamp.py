"""A file that changes while it is read is noticed, whichever way it changes."""

from __future__ import annotations

import os

import pytest

from neurodsr.errors import DataError
from neurodsr.sources.stamp import refuse_changed, refuse_changed_files, stamp, stamp_files


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "session.nwb"
    path.write_bytes(b"some bytes")
    return path


def append(path):
    with open(path, "ab") as file:
        file.write(b"more")


def touch_later(path):
    found = os.stat(path)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1))


def replace_by_its_twin(path):
    found, twin = os.stat(path), path.with_name("twin")
    twin.write_bytes(path.read_bytes())
    os.utime(twin, ns=(found.st_atime_ns, found.st_mtime_ns))
    os.replace(twin, path)


def remove(path):
    path.unlink()


def test_a_file_that_stays_as_it_is_passes(file):
    before = stamp(str(file))
    file.read_bytes()
    refuse_changed(str(file), before)


@pytest.mark.parametrize("change", [append, touch_later, replace_by_its_twin, remove])
def test_a_file_that_is_written_replaced_or_removed_is_refused(file, change):
    before = stamp(str(file))
    change(file)
    with pytest.raises(DataError, match=r"was modified.*\n  fix: wait until the program") as caught:
        refuse_changed(str(file), before)
    assert caught.value.where == str(file)


def test_a_folder_changes_with_its_members(tmp_path, file):
    before = stamp(str(tmp_path))
    append(file)
    with pytest.raises(DataError, match="fix: wait until"):
        refuse_changed(str(tmp_path), before)


def test_a_folder_gains_a_member(tmp_path, file):
    before = stamp(str(tmp_path))
    (tmp_path / "other").write_bytes(b"")
    with pytest.raises(DataError, match="fix: wait until"):
        refuse_changed(str(tmp_path), before)


def test_files_that_belong_together_are_refused_by_the_name_of_the_whole(tmp_path, file):
    absent = tmp_path / "sidecar.json"
    before = stamp_files((file, absent))
    refuse_changed_files((file, absent), before, where="run 1")
    absent.write_text("{}")
    with pytest.raises(DataError, match="fix: wait until") as caught:
        refuse_changed_files((file, absent), before, where="run 1")
    assert caught.value.where == "run 1"
