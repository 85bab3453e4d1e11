"""Positions that a tracker was not sure of are masked, and counted."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from pynwb.behavior import SpatialSeries

from neurodsr.data.confidence import keep_sure
from neurodsr.errors import DataError
from neurodsr.modalities.signals import choose_channels
from neurodsr.sources import nwb_series
from neurodsr.sources.base import DeclaredClock

NOSE = "acquisition/nose"


@pytest.fixture
def tracked(write_nwb, opened):
    """A function that writes ten positions of a nose with their confidence."""

    def write(confidence, *, kind="PoseEstimationSeries"):
        nose = SpatialSeries(
            name="nose", data=np.arange(1.0, 21.0).reshape(10, 2), rate=10.0, reference_frame="top"
        )
        path = write_nwb(lambda f: f.add_acquisition(nose))
        with h5py.File(path, "a") as file:
            file[NOSE]["confidence"] = confidence
            file[NOSE].attrs["neurodata_type"] = kind
            file[NOSE].attrs["namespace"] = "ndx-pose"
            spec = (
                '{"groups": [{"neurodata_type_def": "PoseEstimationSeries", '
                '"neurodata_type_inc": "SpatialSeries"}]}'
            )
            file["specifications"].create_group("ndx-pose/0.1")["pose"] = spec
        return opened(path)

    return write


@pytest.mark.parametrize("eager_bytes", [0, nwb_series.EAGER_BYTES], ids=["lazy", "in memory"])
def test_samples_below_the_cut_off_are_masked_counted_and_kept(tracked, monkeypatch, eager_bytes):
    monkeypatch.setattr(nwb_series, "EAGER_BYTES", eager_bytes)
    series = tracked([1.0, 0.59, 0.6, np.nan, 0.0, *[0.9] * 5]).series(NOSE)
    valid, values = np.asarray(series.valid[:]), np.asarray(series.values[:])
    unsure = [1, 3, 4]
    assert np.flatnonzero(~valid[:, 0]).tolist() == unsure
    np.testing.assert_array_equal(values, np.arange(1.0, 21.0).reshape(10, 2))
    confidence = np.asarray(series.confidence[:])
    assert confidence[:5].tolist() == [[1, 1], [0.59, 0.59], [0.6, 0.6], [0, 0], [0, 0]]
    assert series.notes == ("3 samples of a confidence below 0.6 were masked",)


@pytest.mark.parametrize("eager_bytes", [0, nwb_series.EAGER_BYTES], ids=["lazy", "in memory"])
def test_the_line_can_be_drawn_anew_wherever_it_was(tracked, monkeypatch, eager_bytes):
    monkeypatch.setattr(nwb_series, "EAGER_BYTES", eager_bytes)
    # As float32, 0.9 is 0.899999976.
    series = tracked(np.float32([1.0, 0.9, 0.6, 0.3, 0.0] * 2)).series(NOSE)
    for at_least, n_kept in [(0.3, 8), (0.6, 6), (0.9, 4)]:
        series = keep_sure(series, at_least=at_least)
        assert np.asarray(series.valid[:]).sum(0).tolist() == [n_kept, n_kept]
        assert series.notes == ()


def test_a_series_without_confidence_keeps_its_mask(tracked):
    series = tracked(np.zeros(10), kind="SpatialSeries").series(NOSE)
    assert keep_sure(series, at_least=0.9) is series


def test_a_coordinate_that_is_chosen_keeps_its_confidence(tracked):
    series = tracked(np.linspace(0.1, 1.0, 10)).series(NOSE)
    chosen = choose_channels(series, {}, ("y",), where=NOSE)
    np.testing.assert_allclose(chosen.confidence[:, 0], np.linspace(0.1, 1.0, 10))
    np.testing.assert_array_equal(chosen.valid[:, 0], series.valid[:, 1])


def test_a_tracker_that_was_always_sure_leaves_the_series_alone(tracked):
    series = tracked(np.full(10, 0.99)).series(NOSE)
    assert series.valid.all()
    assert series.notes == ()
    assert series.channels.ids == ("x", "y")


def test_confidence_beside_another_type_means_nothing(tracked):
    assert tracked(np.zeros(10), kind="SpatialSeries").series(NOSE).valid.all()


@pytest.mark.parametrize("confidence", [np.ones(9), np.ones((10, 2)), [b"high"] * 10])
def test_confidence_that_does_not_fit_is_refused(tracked, confidence):
    with pytest.raises(DataError, match=r"\n  fix: write the pose again with one confidence"):
        tracked(confidence).series(NOSE)


def test_the_body_parts_of_the_real_mouse_are_one_stream(shared_file, opened):
    source = opened(shared_file("behavior/DLC2NWB_openfield_pose.nwb"))
    series = source.series("processing/behavior/PoseEstimation", clock=DeclaredClock(1 / 30))
    assert series.values.shape == series.valid.shape == (2330, 8)
    assert series.channels.ids[:2] == ("ind1_leftear.x", "ind1_leftear.y")
    # What the tracker was not sure of, body part by body part, as h5py reads it.
    with h5py.File(source.path, "r") as file:
        pose = file["processing/behavior/PoseEstimation"]
        parts = ("ind1_leftear", "ind1_rightear", "ind1_snout", "ind1_tailbase")
        confidence = np.stack([pose[p]["confidence"][:] for p in parts], axis=1)
    np.testing.assert_array_equal(series.valid, np.repeat(confidence >= 0.6, 2, axis=1))
    np.testing.assert_array_equal(series.confidence, np.repeat(confidence, 2, axis=1))
