"""Cells of an imaging plane: their ids, regions, centers in the plane's unit, and columns."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile
from pynwb.ophys import Fluorescence, ImageSegmentation, OpticalChannel, RoiResponseSeries

from neurodsr.errors import DataError

F = "processing/ophys/Fluorescence/F"
PIXELS = [[(2, 4, 1.0), (4, 4, 1.0)], [(10, 0, 3.0), (14, 0, 1.0)], [(5, 5, 1.0)]]
"""Three cells, with centers (3, 4), (11, 0) and (5, 5)."""


@pytest.fixture
def imaged(tmp_path, opened):
    """A function that writes three cells of a plane and opens the file."""

    def write(*, rows=(0, 1, 2), data=None, plane=None, cells="pixels", columns=None):
        file = NWBFile("Imaging.", "imaging", datetime(2025, 1, 15, tzinfo=UTC))
        light = OpticalChannel(name="green", description="Green.", emission_lambda=520.0)
        about = {"location": "VISp", "indicator": "GCaMP6f", "imaging_rate": 10.0} | (plane or {})
        field = file.create_imaging_plane(
            name="plane", optical_channel=light, description="A plane.", excitation_lambda=920.0,
            device=file.create_device("scope"), **about,
        )  # fmt: skip
        segments = ImageSegmentation()
        table = segments.create_plane_segmentation("Cells.", field, name="cells")
        for i, mask in enumerate(PIXELS):
            image = np.zeros((20, 8))
            for x, y, weight in mask:
                image[x, y] = weight
            shape = {"pixel_mask": mask} if cells == "pixels" else {"image_mask": image}
            table.add_roi(id=100 + i, **shape)
        for name, values in (columns or {}).items():
            table.add_column(name=name, description=name, data=values)
        module = file.create_processing_module("ophys", "Imaging.")
        module.add(segments)
        region = table.create_roi_table_region("Which.", region=list(rows))
        data = np.arange(12.0 * len(rows)).reshape(12, len(rows)) if data is None else data
        series = RoiResponseSeries(name="F", data=data, rois=region, unit="n.a.", rate=10.0)
        module.add(Fluorescence(roi_response_series=series))
        with NWBHDF5IO(tmp_path / "imaging.nwb", "w") as io:
            io.write(file)
        return opened(tmp_path / "imaging.nwb")

    return write


def test_cells_are_named_by_their_ids_and_lie_in_the_region_of_their_plane(imaged):
    channels = imaged().series(F).channels
    assert channels.ids == ("100", "101", "102")
    assert channels.regions == channels.raw_regions == ("VISp",) * 3


@pytest.mark.parametrize("cells", ["pixels", "images"])
def test_centers_are_pixels_times_the_grid_spacing_in_its_unit(imaged, cells):
    plane = {"grid_spacing": [2.0, 3.0], "grid_spacing_unit": "micrometers"}
    channels = imaged(cells=cells, plane=plane).series(F).channels
    assert channels.positions.tolist() == [[6, 12, 0], [22, 0, 0], [10, 15, 0]]
    assert channels.located.all()
    assert set(channels.position_units) == {"um"}
    assert set(channels.spaces) == {"imaging plane"}


def test_the_origin_is_added_in_the_unit_of_the_spacing(imaged):
    plane = {
        "grid_spacing": [2.0, 3.0], "grid_spacing_unit": "micrometers",
        "origin_coords": [1.0, 2.0, 0.5], "origin_coords_unit": "millimeters",
    }  # fmt: skip
    channels = imaged(plane=plane).series(F).channels
    np.testing.assert_allclose(channels.positions[0], [1006, 2012, 500])


def test_pixels_without_a_size_place_nothing(imaged):
    channels = imaged().series(F).channels
    assert not channels.located.any()
    assert (channels.positions == 0).all()


def test_a_series_of_some_cells_has_those_in_its_own_order(imaged):
    source = imaged(rows=(2, 0), columns={"Accepted": [1, 0, 1], "snr": [0.5, 1.5, 2.5]})
    series = source.series(F)
    assert series.channels.ids == ("102", "100")
    assert series.columns["Accepted"].tolist() == [1, 1]
    assert series.columns["snr"].tolist() == [2.5, 0.5]


def test_cell_types_come_from_the_segmentation(imaged):
    series = imaged(columns={"cell_type": ["PV", "unknown", "SST"]}).series(F)
    assert series.channels.cell_types == ("PV", "", "SST")


def test_exchanged_axes_are_refused(imaged):
    source = imaged(data=np.zeros((3, 12)))
    with pytest.raises(DataError, match=r"\(roi, time\) instead of.*\n  fix: .*time as the first"):
        source.series(F)


def test_another_number_of_columns_than_of_cells_is_refused(imaged):
    with pytest.raises(DataError, match=r"shape \(12, 2\) for 3 ROIs\n  fix: write the series"):
        imaged(data=np.zeros((12, 2))).series(F)


def test_the_listing_tells_indicator_and_plane(imaged):
    (entry,) = imaged().list_streams()
    assert entry.modality == "calcium"
    assert entry.description.endswith("indicator GCaMP6f, plane plane")


def test_the_real_cells_are_15_with_what_was_said_of_each(shared_file, opened):
    source = opened(shared_file("calcium/neuroconv_ophys_nwb_test.nwb"))
    series = source.series("processing/ophys/Fluorescence/RoiResponseSeries")
    assert (len(series.channels), len(series.times)) == (15, 250)
    assert {"Accepted", "Rejected"} <= set(series.columns)
