"""Opening by content: the suffix plays no role, and what is not understood is said."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from neurodsr.errors import DataError
from neurodsr.sources.nwb import NwbSource
from neurodsr.sources.open import open_source


def test_the_content_decides_and_not_the_suffix(position_file):
    renamed = position_file.rename(position_file.with_suffix(".dat"))
    with open_source(renamed) as source:
        assert isinstance(source, NwbSource)


def test_another_format_gets_the_formats_that_are_understood(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(DataError, match="fix: formats understood: NWB 2 on HDF5") as caught:
        open_source(tmp_path / "a.npy")
    assert "NUMPY" in caught.value.what


def test_a_missing_file_is_an_error_and_no_traceback(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        open_source(tmp_path / "nowhere.nwb")


def test_the_file_is_closed_on_leaving(position_file):
    with open_source(position_file) as source:
        path = source.list_streams()[0].path
    with pytest.raises(DataError, match=r"fix: read inside `with open_source"):
        source.series(path)
    with h5py.File(position_file, "a"):
        pass


def test_a_path_that_is_not_in_the_file_gets_the_nearest_ones(position_file, opened):
    with pytest.raises(DataError, match=r"did you mean 'processing/behavior/Position/position'"):
        opened(position_file).series("processing/behavior/position")


def test_a_path_of_another_kind_gets_the_ones_of_the_wanted_kind(position_file, opened):
    with pytest.raises(DataError, match=r"type SpatialSeries.*\n  fix: .*the file has none"):
        opened(position_file).events("processing/behavior/Position/position")


def test_a_leading_slash_does_no_harm(position_file, opened):
    series = opened(position_file).series("/processing/behavior/Position/position")
    assert series.channels.ids == ("x", "y")


def test_a_file_changed_while_it_is_read_is_refused(position_file, opened):
    source = opened(position_file)
    with open(position_file, "ab") as file:
        file.write(b"more")
    with pytest.raises(DataError, match="fix: wait until the program that writes it is done"):
        source.series("processing/behavior/Position/position")


def test_a_file_that_pynwb_cannot_build_is_an_error_naming_it(position_file):
    with h5py.File(position_file, "a") as file:
        del file["session_start_time"]
    with pytest.raises(DataError, match=r"cannot be read \(\w+: .*\n  fix: ") as caught:
        open_source(position_file)
    assert str(position_file) in caught.value.where
    with h5py.File(position_file, "a"):
        pass


def test_the_session_is_told(position_file, opened):
    session = opened(position_file).session()
    assert session.identifier == "test-session"
    assert session.started.startswith("2025-01-15T12:00:00")
    assert session.subject == ""


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("spikes/nelpy_linear-track.nwb", {"units", "processing/behavior/Position/position"}),
        (
            "opto/sub-anm00239123_ses-20170627T093549_ecephys+ogen.nwb",
            {"units", "intervals/trials"},
        ),
        (
            "calcium/neuroconv_ophys_nwb_test.nwb",
            {f"processing/ophys/Fluorescence/{n}" for n in ("RoiResponseSeries", "Neuropil")},
        ),
        (
            "behavior/DLC2NWB_openfield_pose.nwb",
            {"processing/behavior/PoseEstimation/ind1_snout"},
        ),
    ],
)
def test_real_recordings_are_listed(shared_file, opened, name, paths):
    assert paths <= {e.path for e in opened(shared_file(name)).list_streams()}
