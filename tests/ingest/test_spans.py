"""The grid that all streams share, and the refusals when there is none."""

from __future__ import annotations

import pytest

from neurodsr.errors import DataError
from neurodsr.ingest.spans import Span, choose_grid, stream_span
from neurodsr.modalities.behavior import Behavior
from neurodsr.modalities.spikes import Spikes
from neurodsr.run_config import GridConfig
from neurodsr.sources.open import open_source

SPANS = {"units": Span(0.0, 10.0), "position": Span(2.0, 12.0)}


def grid(spans=SPANS, **fields):
    return choose_grid(GridConfig(bin_width=0.5, **fields), spans, where="run.nwb")


def test_the_default_grid_is_where_all_streams_overlap():
    assert (grid().start, grid().stop, grid().n_bins) == (2.0, 10.0, 16)


def test_a_wanted_start_and_stop_win():
    chosen = grid(start=0.0, stop=12.0)
    assert (chosen.start, chosen.stop) == (0.0, 12.0)


def test_streams_that_share_no_time_are_refused_with_the_span_of_each():
    with pytest.raises(DataError, match=r"fix: check that their clocks") as caught:
        grid({"units": Span(0, 100), "position": Span(200, 300)})
    assert "units 0 to 100 s, position 200 to 300 s" in caught.value.what
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("fields", [{"start": -5.0}, {"stop": 50.0}, {"start": 11.0}])
def test_a_start_or_stop_outside_all_streams_is_refused(fields):
    with pytest.raises(DataError, match=r"fix: choose grid\.start and grid\.stop within 0 to 12 s"):
        grid(**fields)


def test_a_grid_of_too_many_bins_is_refused():
    with pytest.raises(DataError, match=r"fix: choose a wider grid.bin_width"):
        choose_grid(GridConfig(bin_width=1e-9), SPANS, where="run.nwb")


def test_regular_samples_stand_for_their_period(demo):
    # Samples lie at 0.01, 0.03, ... s; without this a grid would start on a sample and not
    # between two, and rounding would decide which bin each of them falls in.
    streams = {
        "position": Behavior(path="processing/behavior/Position/position"),
        "units": Spikes(),
    }
    with open_source(demo) as source:
        spans = {name: stream_span(source, m.path) for name, m in streams.items()}
    assert spans["position"] == pytest.approx((0.0, 10.0), abs=1e-9)
    assert spans["units"] == (0.0, 10.0)


def test_a_group_spans_what_lies_in_it(demo):
    with open_source(demo) as source:
        span = stream_span(source, "processing/behavior")
    assert span == pytest.approx((0.0, 10.0), abs=1e-9)


def test_a_path_that_is_not_in_the_file_gets_the_nearest_one(demo):
    with (
        open_source(demo) as source,
        pytest.raises(DataError, match=r"did you mean 'units'\?\n  fix: `neurodsr inspect` lists"),
    ):
        stream_span(source, "unit")


def test_an_object_that_cannot_be_read_raises_its_own_error(shared_file):
    path = "processing/behavior/PoseEstimation/ind1_snout"
    with (
        open_source(shared_file("behavior/DLC2NWB_openfield_pose.nwb")) as source,
        pytest.raises(DataError, match="fix: declare the frame rate"),
    ):
        stream_span(source, path)
