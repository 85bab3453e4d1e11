"""Provenance names the package of every kind that a run uses, and of no other."""

import pytest

from neurodsr.pipeline.provenance import versions
from neurodsr.run_config import RunConfig

PUPIL = """\
from typing import Literal
from neurodsr.modalities.behavior import Behavior
class Pupil(Behavior):
    kind: Literal["pupil"] = "pupil"
"""


def config(kind):
    return RunConfig.from_plain(
        {
            "schema_version": 1,
            "file": "a.nwb",
            "grid": {"bin_width": 0.02},
            "streams": {"eye": {"kind": kind, "path": "eye"}},
        }
    )


def test_a_built_in_kind_is_of_neurodsr():
    assert {"python", "neurodsr", "torch", "numpy"} <= set(versions(config("behavior")))


def test_the_package_of_a_kind_that_is_used_is_recorded_with_its_version(install):
    install("lab-pupil", PUPIL, kind="pupil", what="Pupil")
    assert versions(config("pupil"))["lab-pupil"] == "1.2"


def test_a_package_that_is_not_used_is_not_recorded(install):
    install("lab-pupil", PUPIL, kind="pupil", what="Pupil")
    assert "lab-pupil" not in versions(config("behavior"))


@pytest.fixture
def tied(install):
    """The configuration of a kind that two packages offer, one of them chosen."""
    install("lab-pupil", "raise RuntimeError('never asked for')", kind="pupil", what="Pupil")
    install("rival-pupil", PUPIL, kind="pupil", what="Pupil")
    return config("rival-pupil:pupil")


def test_of_two_packages_of_one_kind_the_chosen_one_is_recorded(tied):
    found = versions(tied)
    assert "rival-pupil" in found
    assert "lab-pupil" not in found


def test_the_choice_survives_storing_the_configuration(tied):
    plain = tied.to_plain()
    assert plain["streams"]["eye"]["kind"] == "rival-pupil:pupil"
    again = RunConfig.from_plain(plain)
    assert type(again.streams["eye"]).__module__ == "rival_pupil"
    assert again == tied
