"""Opening by content: the suffix plays no role, and what is not understood is said."""

from __future__ import annotations

import sys
from subprocess import run

import h5py
import numpy as np
import pytest
import zarr

from neurodsr.errors import DataError
from neurodsr.sources.bids import BidsSource
from neurodsr.sources.nifti import NiftiSource
from neurodsr.sources.nwb import NwbSource
from neurodsr.sources.open import open_source
from neurodsr.sources.table_source import TableSource


def test_the_content_decides_and_not_the_suffix(position_file):
    renamed = position_file.rename(position_file.with_suffix(".csv"))
    with open_source(renamed) as source:
        assert isinstance(source, NwbSource)


def test_a_table_named_nwb_is_still_a_table(tmp_path):
    (tmp_path / "a.nwb").write_text("t,x\n0.5,1\n1.0,2\n1.5,3\n")
    with open_source(tmp_path / "a.nwb") as source:
        np.testing.assert_array_equal(source.series("x").values[:, 0], [1, 2, 3])


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


def test_the_session_is_told(position_file, opened):
    session = opened(position_file).session()
    assert session.identifier == "test-session"
    assert session.started.startswith("2025-01-15T12:00:00")
    assert session.subject == ""


def test_a_zarr_group_without_nwb_is_a_plain_one(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    group.create_array("x", data=np.zeros((4, 2)))
    with open_source(tmp_path / "a.zarr") as source:
        assert type(source).__name__ == "PlainZarrSource"


def test_a_bids_folder_is_opened_as_one(tmp_path, shared_file):
    image = shared_file("fmri/nibabel_functional.nii")
    (tmp_path / "sub-01" / "func").mkdir(parents=True)
    run_file = tmp_path / "sub-01" / "func" / "sub-01_task-rest_bold.nii"
    run_file.write_bytes(image.read_bytes())
    with open_source(tmp_path) as source:
        assert isinstance(source, BidsSource)


@pytest.mark.parametrize(
    ("name", "kind", "paths"),
    [
        ("spikes/nelpy_linear-track.nwb", NwbSource, {"units"}),
        ("zarr/nelpy_linear-track.nwb.zarr", NwbSource, {"units"}),
        ("fmri/nibabel_functional.nii", NiftiSource, set()),
        ("fmri/nibabel_example4d.nii.gz", NiftiSource, set()),
        ("fmri/nitime_fmri_timeseries.csv", TableSource, {"table", "LCau", "RPrec"}),
        ("fmri/nitime_event_related_fmri.csv", TableSource, {"table", "bold", "events"}),
        ("lfp/neurodsp_sample_data_1.npy", TableSource, {"table"}),
        ("lfp/CaseStudies_spikes-LFP-1.mat", TableSource, {"y", "n"}),
        ("dsr/lorenz63_gtf.npz", TableSource, {"train_noise05", "test"}),
        ("perturbation/npi_rnn20_seeds00-04.npz", TableSource, {"SC", "dynamics"}),
    ],
)
def test_real_files_are_opened_by_their_content(shared_file, name, kind, paths):
    with open_source(shared_file(name)) as source:
        assert isinstance(source, kind)
        assert paths <= {e.path for e in source.list_streams()}


LOADED = "import sys, neurodsr.sources.open; print([m for m in {!r} if m in sys.modules])"


def test_no_reader_of_a_format_is_imported_before_a_file_of_it_is_opened():
    heavy = ["pynwb", "zarr", "nibabel", "pandas", "torch", "scipy"]
    done = run(
        [sys.executable, "-c", LOADED.format(heavy)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
