"""Localizations of neurons themselves, sorted units and cells of a plane, win over all else."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from neurodsr.sources.nwb import NwbSource

TEXT = h5py.string_dtype()


def typed(group, kind, **attributes):
    group.attrs.update({"neurodata_type": kind, "namespace": "core"} | attributes)
    return group


def add_traces(file):
    cells = typed(file.create_group("processing/ophys/cells"), "PlaneSegmentation")
    cells["id"] = np.array([7, 8])
    cells["RoiCentroid"] = np.array([[1.0, 2.0], [3.0, 4.0]])
    series = typed(file.create_group("processing/ophys/F"), "RoiResponseSeries")
    series["data"] = np.ones((20, 2))
    series["rois"] = np.array([1, 0])
    series["rois"].attrs["table"] = cells.ref
    series["starting_time"] = 0.0
    series["starting_time"].attrs["rate"] = 10.0
    return cells


def add_units(file):
    units = typed(file.create_group("units"), "Units", colnames=np.array(["spike_times"], TEXT))
    units["id"] = np.array([7, 8])
    units["spike_times"], units["spike_times_index"] = np.array([0.1, 0.2]), np.array([1, 2])
    return units


def localize(file, table, rows):
    place = typed(file.create_group("general/localization"), "Localization")
    space = typed(place.create_group("ccf"), "AllenCCFv3Space")
    found = typed(place.create_group("places"), "AnatomicalCoordinatesTable")
    found["space"] = h5py.SoftLink(space.name)
    found["localized_entity"] = np.array(rows)
    found["localized_entity"].attrs["table"] = table.ref
    for axis, shift in zip("xyz", (1000.0, 2000.0, 3000.0), strict=True):
        found[axis] = shift + np.arange(len(rows))
    found["brain_region"] = np.array(["VISp1", "VISp2"][: len(rows)], dtype=TEXT)


@pytest.fixture
def written(tmp_path):
    """A function that writes a table with `add`, localizes some of its rows, and opens the file."""
    sources = []

    def write(add, rows):
        path = tmp_path / "localized.nwb"
        with h5py.File(path, "w") as file:
            typed(file, "NWBFile", nwb_version="2.7.0")
            file["identifier"], file["session_start_time"] = "x", "2025-01-15T12:00:00+00:00"
            localize(file, add(file), rows)
        sources.append(NwbSource(path))
        return sources[-1]

    yield write
    for source in sources:
        source.close()


def test_units_lie_where_their_own_localization_says(written):
    channels = written(add_units, [1, 0]).events("units").channels
    assert channels.regions == channels.raw_regions == ("VISp2", "VISp1")
    assert channels.positions[:, 0].tolist() == [1001, 1000]
    assert channels.spaces == ("AllenCCFv3",) * 2
    assert channels.position_units == ("um",) * 2
    assert channels.anatomy_sources == ("localization",) * 2


def test_cells_lie_where_their_own_localization_says_the_others_in_their_plane(written):
    channels = written(add_traces, [0]).series("processing/ophys/F").channels
    assert channels.ids == ("8", "7")
    assert channels.positions.tolist() == [[3, 4, 0], [1000, 2000, 3000]]
    assert channels.position_units == ("pixel", "um")
    assert channels.spaces == ("imaging plane", "AllenCCFv3")
    assert channels.regions == ("", "VISp1")
