"""What labs write into an electrodes table: aliases, coordinates in a space, doubled ids."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from neurodsr.errors import DataError

PLACE = "general/extracellular_ephys/electrodes"
CCF = (
    "anterior_posterior_ccf_coordinate",
    "dorsal_ventral_ccf_coordinate",
    "left_right_ccf_coordinate",
)


@pytest.fixture
def electrodes(write_nwb, opened):
    """A function that writes two electrodes with a unit on each, and gives the units' channels."""

    def write(locations=("CA1", "CA3"), change=None):
        def fill(nwbfile):
            device = nwbfile.create_device("probe")
            group = nwbfile.create_electrode_group(
                "shank", description="A shank.", location="unknown", device=device
            )
            for i, location in enumerate(locations):
                nwbfile.add_electrode(
                    x=30.0 * (i + 1), y=1.0, z=2.0, location=location, group=group
                )
                nwbfile.add_unit(spike_times=[0.1], electrodes=[i])

        path = write_nwb(fill)
        if change is not None:
            with h5py.File(path, "a") as file:
                change(file[PLACE])
        return opened(path).events("units")

    return write


@pytest.mark.parametrize("name", ["brain_area", "structure_acronym", "allen_acronym"])
def test_other_names_of_the_column_are_known_where_location_is_silent(electrodes, name):
    def add(table):
        table[name] = np.array(["VISp", "LP"], dtype=object)

    channels = electrodes(("unknown", "N/A"), add).channels
    assert channels.regions == channels.raw_regions == ("VISp", "LP")


def test_the_schema_s_own_column_comes_first(electrodes):
    def add(table):
        table["brain_area"] = np.array(["VISp", "LP"], dtype=object)

    assert electrodes(change=add).channels.regions == ("CA1", "CA3")


def test_numbers_of_the_allen_ontology_are_regions_too(electrodes):
    def add(table):
        table["allen_id"] = np.array([385, 218])

    assert electrodes(("none", "n/a"), add).channels.regions == ("385", "218")


def test_what_a_lab_writes_for_unknown_stays_as_the_raw_text(electrodes):
    channels = electrodes(("unknown", "CA3")).channels
    assert channels.regions == ("", "CA3")
    assert channels.raw_regions == ("unknown", "CA3")
    assert channels.anatomy_sources == ("electrodes", "electrodes")


def test_coordinates_in_the_allen_space_win_over_those_in_none(electrodes):
    def add(table):
        for i, name in enumerate(CCF):
            table[name] = np.array([1000.0 + i, np.nan])
            table[name].attrs["description"] = f"{name} (um)"

    channels = electrodes(change=add).channels
    assert channels.positions.tolist() == [[1000, 1001, 1002], [0, 0, 0]]
    assert channels.located.tolist() == [True, False]
    assert channels.spaces[0] == "AllenCCFv3"
    assert channels.position_units[0] == "um"


def test_coordinates_in_the_allen_space_that_are_all_missing_do_not_count(electrodes):
    def add(table):
        for name in CCF:
            table[name] = np.full(2, np.nan)

    channels = electrodes(change=add).channels
    assert channels.positions[:, 0].tolist() == [30, 60]
    assert channels.spaces == ("unknown",) * 2


def test_doubled_electrode_ids_are_refused(electrodes):
    def double(table):
        table["id"][:] = 4

    with pytest.raises(DataError, match=r"more than once: 4\n  fix: give every electrode an id"):
        electrodes(change=double)


def test_the_doubt_on_units_names_the_largest_coordinate(electrodes):
    (note,) = electrodes().notes
    assert note.startswith("the file declares no unit for the electrodes' coordinates (up to 60)")
