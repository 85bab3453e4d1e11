"""Where units and electrical channels lie: at which of their electrodes, and in which words."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from pynwb.ecephys import ElectricalSeries

from neurodsr.errors import DataError

PLACE = "general/extracellular_ephys/electrodes"


@pytest.fixture
def probed(write_nwb, opened):
    """A function that writes a probe of four electrodes with units on it, and opens the file."""

    def write(*electrodes, locations=("CA1", "CA1", "CA3", "DG"), lfp=None, change=None):
        def fill(nwbfile):
            device = nwbfile.create_device("probe")
            group = nwbfile.create_electrode_group(
                "shank", description="A shank.", location="Thalamus", device=device
            )
            for i, location in enumerate(locations):
                nwbfile.add_electrode(
                    x=10.0 * (i + 1), y=1.0, z=2.0, location=location, group=group, id=100 + i
                )
            for mine in electrodes:
                nwbfile.add_unit(spike_times=[0.1, 0.2], electrodes=list(mine))
            if lfp is not None:
                rows = nwbfile.create_electrode_table_region(list(lfp[0]), "Which.")
                nwbfile.add_acquisition(
                    ElectricalSeries(name="lfp", data=lfp[1], electrodes=rows, rate=10.0)
                )

        path = write_nwb(fill)
        if change is not None:
            with h5py.File(path, "a") as file:
                change(file)
        return opened(path)

    return write


def add_column(file, name, values):
    units = file["units"]
    units[name] = values
    units.attrs["colnames"] = np.append(units.attrs["colnames"], name)


def describe(file, text):
    for axis in "xyz":
        file[PLACE][axis].attrs["description"] = text


def test_a_unit_of_several_electrodes_lies_at_their_mean_in_the_region_of_most(probed):
    events = probed([0, 1, 2], [3]).events("units")
    assert events.channels.regions == ("CA1", "DG")
    assert events.channels.positions.tolist() == [[20, 1, 2], [40, 1, 2]]
    assert "electrodes of units in several regions: 0 (CA1, CA3)" in events.notes


def test_the_peak_channel_is_an_electrode_s_id_and_not_its_row(probed):
    source = probed(
        [0, 1, 2], [2, 3], change=lambda f: add_column(f, "peak_channel_id", [102, 103])
    )
    channels = source.events("units").channels
    assert channels.regions == ("CA3", "DG")
    assert channels.positions[:, 0].tolist() == [30, 40]


def test_a_peak_channel_elsewhere_is_noted_and_the_mean_taken(probed):
    source = probed([0, 1], [2, 3], change=lambda f: add_column(f, "peak_channel_id", [999, 103]))
    events = source.events("units")
    assert events.channels.positions[:, 0].tolist() == [15, 40]
    assert "1 units have a peak_channel_id that is none of their electrodes" in events.notes


def test_the_largest_mean_waveform_tells_the_electrode(probed):
    waveforms = np.zeros((2, 5, 2))
    waveforms[0, 2] = [-1.0, -4.0]
    waveforms[1, 2] = [-3.0, np.nan]
    source = probed([0, 2], [1, 3], change=lambda f: add_column(f, "waveform_mean", waveforms))
    channels = source.events("units").channels
    assert channels.regions == ("CA3", "CA1")
    assert channels.positions[:, 0].tolist() == [30, 20]


def test_the_unit_of_coordinates_is_what_the_columns_declare(probed):
    source = probed([0], change=lambda f: describe(f, "position, in micrometers"))
    events = source.events("units")
    assert events.channels.position_units == ("um",)
    assert not [n for n in events.notes if "no unit" in n]


def test_coordinates_without_a_unit_are_kept_and_doubted(probed):
    source = probed([0], change=lambda f: describe(f, "position"))
    events = source.events("units")
    assert events.channels.position_units == ("unknown",)
    assert events.channels.positions[0].tolist() == [10, 1, 2]
    (note,) = [n for n in events.notes if "no unit" in n]
    assert "(up to 40): kept as they are, unit unknown" in note


def test_coordinates_that_look_like_mm_are_said_to(probed):
    def shrink(file):
        describe(file, "position")
        file[PLACE]["x"][:] = [1.0, 2.0, 3.0, 4.0]

    (note,) = [n for n in probed([0], change=shrink).events("units").notes if "no unit" in n]
    assert "look like mm and are not taken for µm" in note


def test_channels_of_a_signal_lie_at_the_electrodes_it_names_in_its_order(probed):
    series = probed(lfp=([3, 0], np.zeros((20, 2)))).series("acquisition/lfp")
    assert series.channels.regions == ("DG", "CA1")
    assert series.channels.positions[:, 0].tolist() == [40, 10]
    assert series.channels.anatomy_sources == ("electrodes", "electrodes")


def test_a_signal_with_another_number_of_electrodes_is_refused(probed):
    source = probed(lfp=([0, 1, 2], np.zeros((3, 20))))
    with pytest.raises(DataError, match=r"20 channels but 3 electrodes\n  fix: .*first axis time"):
        source.series("acquisition/lfp")


def test_the_group_tells_the_region_where_electrodes_do_not(write_nwb, opened):
    def fill(nwbfile):
        device = nwbfile.create_device("probe")
        group = nwbfile.create_electrode_group(
            "shank", description="A shank.", location="Thalamus", device=device
        )
        nwbfile.add_electrode(x=0.0, y=0.0, z=0.0, location="unknown", group=group)
        nwbfile.add_unit(spike_times=[0.1], electrodes=[0], electrode_group=group)

    channels = opened(write_nwb(fill)).events("units").channels
    assert channels.regions == ("Thalamus",)
    assert channels.anatomy_sources == ("electrode group",)
    assert not channels.located.any()


def test_the_thalamic_units_of_the_real_session_say_where_they_lie(shared_file, opened):
    name = "opto/sub-anm00239123_ses-20170627T093549_ecephys+ogen.nwb"
    channels = opened(shared_file(name)).events("units").channels
    assert (set(channels.regions), set(channels.hemispheres)) == ({"Thalamus"}, {"left"})
    assert set(channels.position_units) == {"unknown"}
    assert all(raw.startswith("brain_region: Thalamus; ") for raw in channels.raw_regions)
