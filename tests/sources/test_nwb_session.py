"""Who and when a file is about, and what is unusual about the file as a whole."""

from __future__ import annotations

from datetime import UTC, datetime

import h5py
import numpy as np
import pytest
from pynwb.file import Subject

from neurodsr.sources.nwb_session import NEWEST


def set_version(path, version):
    with h5py.File(path, "a") as file:
        file.attrs["nwb_version"] = version
    return path


def about_mouse(nwbfile):
    nwbfile.subject = Subject(subject_id="mouse-7", species="Mus musculus", sex="F", age="P90D")


def test_subject_species_identifier_and_start_are_told(write_nwb, opened):
    session = opened(write_nwb(about_mouse)).session()
    assert (session.subject, session.species) == ("mouse-7", "Mus musculus")
    assert session.identifier == "test-session"
    assert datetime.fromisoformat(session.started) == datetime(2025, 1, 15, 12, tzinfo=UTC)
    assert session.warnings == ()


def test_what_a_file_does_not_say_is_empty(write_nwb, opened):
    path = write_nwb()
    with h5py.File(path, "a") as file:
        del file["identifier"], file["session_start_time"]
    session = opened(path).session()
    assert (session.identifier, session.started, session.subject) == ("", "", "")


def test_a_newer_schema_is_a_warning(write_nwb, opened):
    path = set_version(write_nwb(about_mouse), f"{NEWEST[0]}.{NEWEST[1] + 1}.0")
    (warning,) = opened(path).session().warnings
    assert "newer than 2.11: what the newer schema adds is not read" in warning


@pytest.mark.parametrize("version", ["2.0.0", "2.2.5", "2.11.0", "2.x"])
def test_a_schema_that_is_known_is_no_warning(write_nwb, opened, version):
    assert opened(set_version(write_nwb(about_mouse), version)).session().warnings == ()


def add_foreign(path, *, described):
    with h5py.File(path, "a") as file:
        group = file.create_group("acquisition/thing")
        group.attrs.update({"neurodata_type": "LabThing", "namespace": "ndx-lab"})
        if described:
            spec = '{"groups": [{"neurodata_type_def": "LabThing", "neurodata_type_inc": "Time"}]}'
            file["specifications"].create_group("ndx-lab/0.1")["lab"] = spec
    return path


def test_an_extension_that_the_file_does_not_describe_is_named_with_what_to_install(
    write_nwb, opened
):
    (warning,) = opened(add_foreign(write_nwb(about_mouse), described=False)).session().warnings
    assert "'ndx-lab' is used but not described in the file" in warning
    assert "pip install ndx-lab" in warning


def test_an_extension_that_the_file_describes_is_no_warning(write_nwb, opened):
    path = add_foreign(write_nwb(about_mouse), described=True)
    assert opened(path).session().warnings == ()


def test_an_identifier_of_several_texts_is_its_first(write_nwb, opened):
    path = write_nwb()
    with h5py.File(path, "a") as file:
        del file["identifier"]
        file["identifier"] = np.array([b"first", b"second"])
    assert opened(path).session().identifier == "first"
