"""What names say of a stream, by names that labs use."""

from __future__ import annotations

import pytest

from neurodsr.data.channels import Channels
from neurodsr.ingest.names import (
    are_deeds,
    channels_named,
    find_indicator,
    is_deed,
    is_direction,
    is_label,
    is_nuisance,
    named_kind,
    names_a_deed,
    words,
)
from neurodsr.modalities.filters.kinetics import INDICATORS
from neurodsr.sources.base import StreamEntry


def events(path: str, *ids: str) -> StreamEntry:
    channels = Channels(ids) if ids else None
    return StreamEntry(
        path, "events", "Events", len(ids), 9, 0.0, 9.0, 0.0, "count", "", channels=channels
    )


@pytest.mark.parametrize(
    ("name", "some"),
    [("leftPaw", {"left", "paw"}), ("left_paw-2", {"left", "paw"}), ("fMRI", {"fmri"}),
     ("HeadDirection", {"head", "direction"}), ("", set())],
)  # fmt: skip
def test_words_are_found_in_every_spelling(name, some):
    assert some <= words(name)


def test_a_label_is_named_by_the_last_part_of_its_path_alone():
    assert is_label("trials/firstChoice")
    assert not is_label("choice/speed")


def test_a_direction_is_named_by_any_part_of_its_path():
    assert is_direction("processing/behavior/CompassDirection/x")
    assert not is_direction("processing/behavior/Position/x")


@pytest.mark.parametrize(
    ("path", "channel", "deed"),
    [
        ("acquisition/licks", "", True),
        ("acquisition/Events", "LickLeft", True),
        ("acquisition/Events", "go", False),
        ("acquisition/licks", "reward", False),
        ("acquisition/lick_ttl", "", True),
        ("processing/behavior/BehavioralEvents/rears", "rears", True),
        ("processing/behavior/BehavioralEvents/reward", "reward", False),
        ("acquisition/camera_frames", "", False),
        ("acquisition/pressure", "", False),
    ],
)
def test_the_most_specific_name_says_whether_an_animal_does_it(path, channel, deed):
    assert is_deed(path, channel) == deed


def test_events_are_deeds_if_one_of_their_channels_is():
    assert are_deeds(events("acquisition/Events", "tone", "lick"))
    assert not are_deeds(events("acquisition/Events", "tone", "reward"))
    assert are_deeds(events("licks"))


def test_a_level_can_name_a_deed():
    assert names_a_deed("early lick")
    assert not names_a_deed("non-performing")


@pytest.mark.parametrize(
    ("path", "file", "kind"),
    [
        ("BOLD_TR0p72", "x.npz", "fmri"),
        ("table", "data/sub-01_task-rest_bold.csv", "fmri"),
        ("table", "bold/sub-01.csv", ""),
        ("bold@labels.nii.gz", "x.nii.gz", "fmri"),
        ("acquisition/LFP", "x.nwb", "lfp"),
        ("dff", "x.mat", "calcium"),
        ("y.trials", "spikes-LFP.mat", ""),
        ("table", "eeg_fmri.csv", ""),
        ("test", "x.npz", ""),
    ],
)
def test_a_signal_is_named_by_its_path_and_the_one_table_of_a_file_by_the_file(path, file, kind):
    assert named_kind(path, file=file) == kind


def test_channels_are_those_that_are_called_by_a_word_for_the_modality():
    assert channels_named("fmri", ("bold", "events", "boldness")) == ("bold",)


@pytest.mark.parametrize(
    "name", ["WM", "Vent", "CSF", "white_matter", "global_signal", "framewise_displacement",
             "trans_x", "rot_z_derivative1"],
)  # fmt: skip
def test_tissue_and_motion_are_no_regions(name):
    assert is_nuisance(name)


@pytest.mark.parametrize("name", ["V1", "LPostPHG", "Brainstem", "Rotunda", "transverse", "GSM"])
def test_regions_are_no_nuisance(name):
    assert not is_nuisance(name)


@pytest.mark.parametrize("name", INDICATORS)
def test_a_known_indicator_is_found_however_it_is_spelled(name):
    assert find_indicator(f"dF/F; indicator {name}, plane P") == name
    assert find_indicator(f"the light of {name.removeprefix('j').upper()} cells") == name


def test_another_indicator_is_told_as_the_file_spells_it():
    assert find_indicator("traces; indicator OGB-1, plane P") == "OGB-1"
    assert find_indicator("indicator X") == "X"


@pytest.mark.parametrize(
    "description", ["", "indicator unknown, plane P", "indicator N/A, plane P", "an indicator of"]
)
def test_without_a_name_no_indicator_is_found(description):
    assert find_indicator(description) == ""
