"""Plug-ins as packages announce them: by metadata alone, however damaged some of it is."""

import sys
from importlib import metadata

import pytest

from neurodsr.modalities.plugins import announced_plugins, canonical_name, list_plugins


def by_kind():
    return {p.kind: p for p in list_plugins()}


def test_the_built_ins_are_announced_like_any_other():
    found = by_kind()
    assert found["spikes"].distribution == found["behavior"].distribution == "neurodsr"


def test_a_plug_in_is_found_without_being_imported(install):
    install("lab-widefield", "raise RuntimeError('imported')")
    found = by_kind()["widefield"]
    assert (found.distribution, found.version) == ("lab-widefield", "1.2")
    assert (found.name, found.package) == ("lab-widefield:widefield", "lab-widefield 1.2")
    assert "lab_widefield" not in sys.modules


def test_the_announced_are_those_that_the_standard_library_finds(install):
    install("lab-widefield", "")
    found = metadata.entry_points(group="neurodsr.modalities")
    assert sorted((p.kind, p.entry.value) for p in announced_plugins()) == sorted(
        (e.name, e.value) for e in found
    )


@pytest.mark.parametrize("disabled", ["lab-widefield", "other, Lab_Widefield ,", "lab.widefield"])
def test_a_disabled_package_is_announced_and_not_listed(install, monkeypatch, disabled):
    install("lab-widefield", "")
    monkeypatch.setenv("NEURODSR_DISABLE_PLUGINS", disabled)
    assert "widefield" not in by_kind()
    assert "widefield" in {p.kind for p in announced_plugins()}


def test_the_built_ins_can_be_disabled_too(monkeypatch):
    monkeypatch.setenv("NEURODSR_DISABLE_PLUGINS", "neurodsr")
    assert "spikes" not in by_kind()


@pytest.mark.parametrize(
    "damage",
    [bytes(range(256)), b"[neurodsr.modalities]\nno entry\n", b""],
    ids=["no text", "no entry", "nothing"],
)
def test_a_package_with_damaged_entry_points_hides_no_other(announce, monkeypatch, damage):
    folder = announce("lab-widefield", "")
    (folder / "lab_widefield-1.2.dist-info" / "entry_points.txt").write_bytes(damage)
    monkeypatch.syspath_prepend(str(folder))
    found = by_kind()
    assert "widefield" not in found
    assert "spikes" in found


def test_a_package_without_a_name_is_listed_as_unknown(announce, monkeypatch):
    folder = announce("lab-widefield", "")
    (folder / "lab_widefield-1.2.dist-info" / "METADATA").unlink()
    monkeypatch.syspath_prepend(str(folder))
    assert by_kind()["widefield"].package == "unknown unknown"


def test_of_a_package_that_is_found_twice_the_first_counts(announce, monkeypatch, tmp_path):
    first = announce("lab-widefield", "")
    second = first.rename(tmp_path / "second")
    first = announce("lab-widefield", "", what="Newer")
    for folder in (second, first):
        monkeypatch.syspath_prepend(str(folder))
    (found,) = [p for p in list_plugins() if p.kind == "widefield"]
    assert found.entry.value == "lab_widefield:Newer"


def test_names_are_compared_as_installers_do():
    assert canonical_name(" Lab_Widefield..X ") == "lab-widefield-x"
