"""Places in a declared space win over what the electrodes say, and keep it where silent."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from neurodsr.errors import DataError

ELECTRODES = "general/extracellular_ephys/electrodes"
ALLEN = {"neurodata_type": "AllenCCFv3Space"}
OWN = {
    "neurodata_type": "Space", "space_name": "Paxinos", "units": "mm", "orientation": "ras",
}  # fmt: skip


@pytest.fixture
def localized(write_nwb, opened):
    """A function that writes three units on three electrodes, and a localization of these."""

    def fill(nwbfile):
        device = nwbfile.create_device("probe")
        group = nwbfile.create_electrode_group(
            "shank", description="A shank.", location="CA1", device=device
        )
        for i in range(3):
            nwbfile.add_electrode(x=1.0 + i, y=2.0, z=3.0, location=f"site {i}", group=group)
        for i in range(3):
            nwbfile.add_unit(spike_times=[0.1, 0.2], electrodes=[i])

    def write(*, names=("ccf",), **columns):
        path = write_nwb(fill)
        for name in names:
            add_table(path, f"general/localization/{name}", **columns)
        return opened(path).events("units")

    return write


def add_table(path, name, *, rows=(2, 0), space=ALLEN, regions=("VISp", ""), **columns):
    xyz = {axis: 100.0 * (k + 1) + np.arange(len(rows)) for k, axis in enumerate("xyz")}
    with h5py.File(path, "a") as file:
        table = file.create_group(name)
        table.attrs["neurodata_type"] = "AnatomicalCoordinatesTable"
        table["localized_entity"] = np.asarray(rows)
        table["localized_entity"].attrs["table"] = file[ELECTRODES].ref
        table["brain_region"] = list(regions)
        for axis, values in (xyz | columns).items():
            if values is not None:
                table[axis] = values
        table.create_group("space").attrs.update(space)


def test_positions_regions_unit_and_space_are_the_localization_s(localized):
    channels = localized().channels
    assert channels.positions[2].tolist() == [100, 200, 300]
    assert (channels.regions[2], channels.spaces[2]) == ("VISp", "AllenCCFv3")
    assert (channels.position_units[2], channels.anatomy_sources[2]) == ("um", "localization")


def test_a_row_without_a_region_keeps_the_electrode_s(localized):
    channels = localized().channels
    assert channels.positions[0].tolist() == [101, 201, 301]
    assert channels.regions[0] == "site 0"


def test_an_electrode_that_is_not_localized_keeps_all_that_it_says(localized):
    channels = localized().channels
    assert channels.positions[1].tolist() == [2, 2, 3]
    assert (channels.regions[1], channels.anatomy_sources[1]) == ("site 1", "electrodes")
    assert channels.spaces[1] == "unknown"


def test_a_space_of_its_own_is_told_with_its_directions_and_unit(localized):
    channels = localized(space=OWN).channels
    assert channels.spaces[2] == "Paxinos (RAS)"
    assert channels.position_units[2] == "mm"


def test_a_space_that_declares_nothing_is_unknown(localized):
    channels = localized(space={"neurodata_type": "Space"}).channels
    assert (channels.spaces[2], channels.position_units[2]) == ("unknown", "unknown")


def test_a_position_that_is_no_number_leaves_the_electrode_s_but_takes_the_region(localized):
    channels = localized(x=[np.nan, 5.0]).channels
    assert channels.positions[2].tolist() == [3, 2, 3]
    assert channels.regions[2] == "VISp"


def test_a_row_that_is_localized_twice_is_noted(localized):
    events = localized(rows=(2, 2), regions=("VISp", "CA3"))
    assert events.channels.regions[2] == "CA3"
    assert "1 rows are localized more than once: the last place was used" in events.notes


def test_of_several_localizations_the_first_by_name_is_used_and_noted(localized):
    events = localized(names=("b", "a"))
    assert "several localizations (a, b): the first was used" in events.notes


@pytest.mark.parametrize("wrong", [None, np.zeros(1), [b"1", b"2"]])
def test_coordinates_that_were_cut_are_refused(localized, wrong):
    with pytest.raises(DataError, match=r"y of 2 localized rows has .*\n  fix: write the local"):
        localized(y=wrong)


def test_a_localization_of_a_row_that_is_not_there_is_refused(localized):
    with pytest.raises(DataError, match=r"names row 9 .*\n  fix: the column holds row numbers"):
        localized(rows=(0, 9))
