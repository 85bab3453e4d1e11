"""A manifest tells every change of a folder, and lists nothing outside it."""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodsr.errors import IntegrityError
from neurodsr.storage.documents import json_bytes
from neurodsr.storage.manifest import (
    MANIFEST,
    check_manifest,
    file_sha256,
    folder_digest,
    write_manifest,
)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.bin").write_bytes(bytes(range(200)))
    (folder / "deep" / "b.txt").write_text("spikes")
    (folder / "empty").write_bytes(b"")
    write_manifest(folder)
    return folder


def test_the_sha256_is_that_of_the_published_example(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert file_sha256(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_a_manifest_lists_every_file_but_itself(folder):
    document = json.loads((folder / MANIFEST).read_text())
    assert document["schema"] == "neurodsr/manifest/1"
    assert list(document["files"]) == ["a.bin", "deep/b.txt", "empty"]
    assert document["files"]["deep/b.txt"]["size"] == 6
    check_manifest(folder)


def test_writing_a_manifest_again_changes_no_byte(folder):
    first = (folder / MANIFEST).read_bytes()
    write_manifest(folder)
    assert (folder / MANIFEST).read_bytes() == first


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_every_flipped_bit_of_every_file_is_told(folder, data):
    name = data.draw(st.sampled_from(["a.bin", "deep/b.txt", MANIFEST]))
    whole = (folder / name).read_bytes()
    position = data.draw(st.integers(0, 8 * len(whole) - 1))
    flipped = bytearray(whole)
    flipped[position // 8] ^= 1 << position % 8
    (folder / name).write_bytes(flipped)
    try:
        with pytest.raises(IntegrityError):
            check_manifest(folder)
    finally:
        (folder / name).write_bytes(whole)


def test_a_missing_a_changed_and_an_extra_file_are_named(folder):
    (folder / "a.bin").unlink()
    (folder / "deep" / "b.txt").write_text("Spikes")
    (folder / "new").write_text("x")
    with pytest.raises(IntegrityError, match="restore it from a backup") as caught:
        check_manifest(folder)
    assert "1 missing ('a.bin'); 1 extra ('new'); 1 changed ('deep/b.txt')" in caught.value.what
    assert caught.value.exit_code == 8


def test_only_the_first_five_of_many_are_named(folder):
    for i in range(9):
        (folder / f"extra{i}").write_text("x")
    with pytest.raises(IntegrityError, match="remove the extra files") as caught:
        check_manifest(folder)
    assert "9 extra ('extra0'" in caught.value.what
    assert "'extra4', ...)" in caught.value.what
    assert "extra5" not in caught.value.what


def test_without_contents_only_names_and_sizes_are_compared(folder):
    (folder / "deep" / "b.txt").write_text("Spikes")
    check_manifest(folder, contents=False)
    (folder / "deep" / "b.txt").write_text("Spike")
    with pytest.raises(IntegrityError, match="restore it from a backup"):
        check_manifest(folder, contents=False)


@pytest.mark.parametrize("where", ["link", "deep/link"])
@pytest.mark.parametrize("target", ["/etc/hostname", "a.bin", "deep", "nowhere"])
def test_a_link_is_refused_wherever_it_points(folder, where, target):
    (folder / where).symlink_to(target)
    with pytest.raises(IntegrityError, match="put a copy of the file in its place"):
        check_manifest(folder)
    with pytest.raises(IntegrityError, match="put a copy of the file in its place"):
        write_manifest(folder)


def test_a_file_replaced_by_a_link_to_its_copy_is_refused(folder, tmp_path):
    (folder / "a.bin").rename(tmp_path / "copy")
    (folder / "a.bin").symlink_to(tmp_path / "copy")
    with pytest.raises(IntegrityError, match="put a copy of the file in its place"):
        check_manifest(folder)


def test_a_pipe_is_refused_and_not_waited_for(folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(IntegrityError, match="put a copy of the file in its place"):
        check_manifest(folder)


@pytest.mark.parametrize("name", ["/etc/hostname", "../other", "deep/../a.bin", "./a.bin", ""])
def test_a_member_outside_the_folder_is_refused(folder, name):
    edit(folder, lambda d: d["files"].update({name: d["files"]["a.bin"]}))
    with pytest.raises(IntegrityError, match="restore the folder from a backup"):
        check_manifest(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(files=[]),
        lambda d: d.pop("files"),
        lambda d: d.pop("schema"),
        lambda d: d.update(schema="neurodsr/surrogate/1"),
        lambda d: d["files"].update({"a.bin": 3}),
        lambda d: d["files"]["a.bin"].update(size="200"),
        lambda d: d["files"]["a.bin"].update(size=True),
        lambda d: d["files"]["a.bin"].update(sha256="00"),
        lambda d: d["files"]["a.bin"].update(sha256=None),
        lambda d: d["files"]["a.bin"].update(more=1),
    ],
)
def test_a_malformed_manifest_is_refused(folder, change):
    edit(folder, change)
    with pytest.raises(IntegrityError, match="restore the folder from a backup"):
        check_manifest(folder)


def test_a_manifest_of_a_newer_neurodsr_says_what_it_needs(folder):
    edit(folder, lambda d: d.update(schema="neurodsr/manifest/2"))
    with pytest.raises(IntegrityError, match="pip install -U neurodsr"):
        check_manifest(folder)


def test_a_folder_without_a_manifest_was_never_finished(folder):
    (folder / MANIFEST).unlink()
    for check in (check_manifest, folder_digest):
        with pytest.raises(IntegrityError, match="make it again with the command that wrote it"):
            check(folder)


def test_the_digest_of_a_folder_changes_with_its_files_only(folder):
    before = folder_digest(folder)
    write_manifest(folder)
    assert folder_digest(folder) == before
    (folder / "empty").write_bytes(b"\0")
    write_manifest(folder)
    assert folder_digest(folder) != before


def edit(folder, change):
    document = json.loads((folder / MANIFEST).read_text())
    change(document)
    (folder / MANIFEST).write_bytes(json_bytes(document))
