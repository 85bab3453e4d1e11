"""suite2p folders: [time, ROI], the judgment of each ROI beside it, and nothing unpickled."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io

from neurodsr.errors import DataError
from neurodsr.sources.base import DeclaredClock
from neurodsr.sources.open import open_source
from neurodsr.sources.suite2p import open_suite2p

CLOCK = DeclaredClock(interval=0.1)
F = np.arange(12.0).reshape(3, 4)


@pytest.fixture
def plane(tmp_path):
    """A function that writes the output of one plane of 3 ROIs and 4 frames."""

    def write(name="plane0", **changed):
        folder = tmp_path / "suite2p" / name
        folder.mkdir(parents=True)
        arrays = {
            "F": F, "Fneu": F + 100, "spks": F / 10,
            "iscell": np.array([[1, 0.9], [0, 0.2], [1, 0.8]]),
        }  # fmt: skip
        for key, array in (arrays | changed).items():
            if array is not None:
                np.save(folder / f"{key}.npy", array)
        np.save(folder / "stat.npy", np.array([{"xpix": [1]}], dtype=object), allow_pickle=True)
        return tmp_path / "suite2p"

    return write


def test_traces_are_turned_to_time_by_roi_with_the_judgment_of_each(plane):
    with open_source(plane()) as source:
        series = source.series("plane0/F", clock=CLOCK)
    np.testing.assert_array_equal(series.values, F.T)
    assert series.channels.ids == ("plane0/0", "plane0/1", "plane0/2")
    np.testing.assert_array_equal(series.columns["iscell"], [True, False, True])
    np.testing.assert_array_equal(series.columns["probability"], [0.9, 0.2, 0.8])
    np.testing.assert_allclose(series.times, [0, 0.1, 0.2, 0.3])


def test_each_plane_is_listed_and_the_combined_one_left_out(plane):
    plane("plane0"), plane("plane10"), plane("plane2"), plane("combined")
    with open_suite2p(plane("plane1")) as source:
        entries = source.list_streams()
        assert any("do not" in w or "does not tell" in w for w in source.session().warnings)
    paths = [e.path for e in entries]
    assert paths[::3] == ["plane0/F", "plane1/F", "plane2/F", "plane10/F"]
    assert {e.modality for e in entries} == {"calcium"}
    assert {(e.n_samples, e.n_channels) for e in entries} == {(4, 3)}


def test_the_folder_of_the_session_and_that_of_a_plane_are_understood_too(plane):
    folder = plane()
    with open_source(folder.parent) as source:
        assert source.series("plane0/spks", clock=CLOCK).values[1, 0] == 0.1
    with open_source(folder / "plane0") as source:
        assert source.series("F", clock=CLOCK).channels.ids == ("0", "1", "2")


def test_without_a_frame_rate_it_must_be_declared(plane):
    with (
        open_suite2p(plane()) as source,
        pytest.raises(DataError, match=r"fix: declare it: clock: \{rate: HZ\}"),
    ):
        source.series("plane0/F")


def test_the_frame_rate_of_fall_mat_is_taken_and_noted(plane):
    folder = plane()
    scipy.io.savemat(folder / "plane0" / "Fall.mat", {"ops": {"fs": 8.0}, "F": F})
    with open_suite2p(folder) as source:
        series = source.series("plane0/F")
        assert source.list_streams()[0].rate == 8
    np.testing.assert_array_equal(series.times, [0, 0.125, 0.25, 0.375])
    assert series.notes == ("the frame rate, 8 Hz, was taken from Fall.mat",)


def test_objects_are_never_read_and_that_is_said(plane):
    with open_suite2p(plane()) as source:
        assert "stat.npy and ops.npy hold pickled objects" in source.session().warnings[0]


def test_without_a_judgment_all_rois_count_and_that_is_noted(plane):
    with open_suite2p(plane(iscell=None)) as source:
        series = source.series("plane0/F", clock=CLOCK)
    assert series.notes == ("there is no iscell.npy: all ROIs count",)
    assert series.columns == {}


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"iscell": np.ones((2, 2))}, r"iscell.npy has shape \(2, 2\), for 3 ROIs.*\n.*same run"),
        ({"spks": F[:2]}, r"spks \(2, 4\)\n  fix: all must be \(ROI, frame\)"),
        ({"F": F[0], "Fneu": None, "spks": None}, r"fix: all must be \(ROI, frame\)"),
    ],
)
def test_files_of_different_runs_are_refused_with_their_shapes(plane, changed, match):
    with open_suite2p(plane(**changed)) as source:
        (entry,) = source.list_streams()
        assert entry.problems[0].startswith("error: ")
        with pytest.raises(DataError, match=match):
            source.series("plane0/F", clock=CLOCK)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(DataError, match="fix: give the folder that suite2p wrote"):
        open_suite2p(tmp_path)
