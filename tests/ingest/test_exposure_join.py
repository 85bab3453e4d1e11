"""Exposure follows its stream: over sessions, windows, dropped channels, masked bins, staging."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.lazy import LazyArray
from neurodsr.data.streams import Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import IntegrityError
from neurodsr.ingest.clean import drop_channels
from neurodsr.ingest.invalid import mask_bins
from neurodsr.ingest.join import join_streams, window
from neurodsr.ingest.settle import Settler
from neurodsr.ingest.staging import StageJob, stage_stream
from neurodsr.run_config import RunConfig

GRID = TimeGrid(start=0.5, bin_width=0.01, n_bins=1000)
CONFIG = {
    "schema_version": 1,
    "file": "fake.nwb",
    "grid": {"bin_width": 0.01},
    "streams": {"units": {"kind": "spikes"}},
}


def stream(exposure, ids):
    """Counts that are observed wherever there is an exposure."""
    exposure = np.array(exposure, dtype=np.float32)
    counts = np.arange(1, exposure.size + 1, dtype=np.uint8).reshape(exposure.shape)
    seen = exposure > 0
    return Stream(counts * seen, seen, Channels(ids), "count", exposure=exposure)


ONE = stream([[0.5, 1], [1, 0], [1, 0.25]], ("0", "1"))
TWO = replace(stream([[1], [0]], ("0",)), exposure=None)


def joined(*streams, shared, first_bins=(0, 3, 5)):
    names = ("s1", "s2")
    return join_streams("units", streams, sessions=names, first_bins=first_bins, shared=shared)


def lazily(stream):
    """The stream with arrays that are read when they are sliced."""
    return stream.transform(
        lambda array: LazyArray(lambda key: array[key], shape=array.shape, dtype=array.dtype)
    )


# ---- sessions


@pytest.mark.parametrize("order", [1, -1])
def test_a_session_without_exposure_counts_as_watched_whole_where_it_was_observed(order):
    first_bins = (0, 3, 5) if order == 1 else (0, 2, 5)
    both = joined(*(ONE, TWO)[::order], shared=True, first_bins=first_bins)
    parts = [[[0.5, 1], [1, 0], [1, 0.25]], [[1, 0], [0, 0]]]
    np.testing.assert_array_equal(both.exposure, np.concatenate(parts[::order]))
    assert both.exposure.dtype == np.float32


def test_exposures_of_channels_of_their_own_lie_beside_each_other():
    both = joined(ONE, TWO, shared=False)
    assert np.asarray(both.exposure).tolist() == [
        [0.5, 1, 0], [1, 0, 0], [1, 0.25, 0], [0, 0, 1], [0, 0, 0],
    ]  # fmt: skip
    np.testing.assert_array_equal(np.asarray(both.exposure) > 0, np.asarray(both.mask))


def test_sessions_that_all_lack_an_exposure_are_joined_without_one():
    assert joined(TWO, TWO, shared=True, first_bins=(0, 2, 4)).exposure is None


def test_a_session_that_lacks_the_stream_was_not_watched():
    only = joined(None, ONE, shared=False, first_bins=(0, 2, 5))
    assert np.asarray(only.exposure)[:2].tolist() == [[0, 0], [0, 0]]
    np.testing.assert_array_equal(only.exposure[2:], ONE.exposure)


@pytest.mark.parametrize("key", [slice(2, 4), slice(0, 5, 2), 3, [0, 4], (slice(1, 4), 1)])
def test_any_part_of_a_joined_exposure_is_that_part_of_the_whole(key):
    both = joined(ONE, TWO, shared=False)
    np.testing.assert_array_equal(both.exposure[key], np.asarray(both.exposure)[key])


def test_a_window_has_the_exposure_of_its_bins():
    both = joined(ONE, TWO, shared=True)
    assert np.asarray(window(both, 2, 4).exposure).tolist() == [[1, 0.25], [1, 0]]
    assert window(TWO, 0, 1).exposure is None


# ---- channels and bins


@pytest.mark.parametrize("make", [lambda s: s, lazily])
def test_a_channel_that_is_dropped_takes_its_exposure_with_it(make):
    varying = stream([[0.5, 1, 1], [1, 0, 0.75], [1, 0.25, 0.5]], ("0", "1", "2"))
    varying.values[:, 1] = 0
    kept, _ = drop_channels(make(varying), name="units")
    assert kept.channels.ids == ("0", "2")
    np.testing.assert_array_equal(kept.exposure[:], varying.exposure[:, [0, 2]])


def test_an_exposure_that_is_the_same_everywhere_is_not_taken_for_a_mask():
    half = np.broadcast_to(np.float32(0.5), (3, 2))
    counts = np.array([[1, 0], [2, 0], [3, 0]])
    same = Stream(counts, half > 0, Channels(("0", "1")), "count", exposure=half)
    kept, _ = drop_channels(same, name="units")
    assert np.asarray(kept.exposure).tolist() == [[0.5]] * 3


@pytest.mark.parametrize("make", [lambda s: s, lazily])
def test_a_masked_bin_was_not_watched(make):
    masked = mask_bins(make(ONE), np.array([False, False, True]))
    assert masked.exposure[:].tolist() == [[0.5, 1], [1, 0], [0, 0]]
    np.testing.assert_array_equal(masked.exposure[:] > 0, masked.mask[:])


# ---- large streams


@pytest.fixture
def large():
    """Counts of 1000 bins, four blocks of a stage, watched in part; read when they are sliced."""
    quarters = np.random.default_rng(0).integers(0, 5, (GRID.n_bins, 3)) / 4
    return stream(quarters, ("a", "b", "c"))


def stage(large, tmp_path):
    grid = {"start": GRID.start, "bin_width": GRID.bin_width, "n_bins": GRID.n_bins}
    job = StageJob(config=CONFIG, root=str(tmp_path), name="units", session=0, grid=grid)
    return stage_stream("units", job, tmp_path / "work", stream=lazily(large))


def test_a_stream_held_in_memory_keeps_its_exposure(large, tmp_path, monkeypatch):
    # The package's `ingest` is the function, so that this module has to be looked up.
    monkeypatch.setattr(import_module("neurodsr.ingest.settle"), "BLOCK", 300)
    settle = Settler(RunConfig.from_plain(CONFIG), tmp_path, None, 1, None)
    held = settle.settle("units", 0, GRID, lazily(large))
    for found, whole in zip(
        (held.values, held.mask, held.exposure),
        (large.values, large.mask, large.exposure),
        strict=True,
    ):
        np.testing.assert_array_equal(found, whole, strict=True)


@pytest.mark.parametrize("key", [slice(None), slice(250, 520), (slice(3, 900, 7), 1), 999])
def test_a_staged_stream_keeps_its_exposure(large, tmp_path, key):
    staged = stage(large, tmp_path)
    np.testing.assert_array_equal(np.squeeze(staged.exposure[key]), large.exposure[key])
    np.testing.assert_array_equal(np.squeeze(staged.mask[key]), large.mask[key])
    np.testing.assert_array_equal(np.squeeze(staged.values[key]), large.values[key])


def test_a_stage_that_is_done_gives_the_same_exposure_again(large, tmp_path):
    stage(large, tmp_path)
    written = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.safetensors")}
    np.testing.assert_array_equal(stage(large, tmp_path).exposure[:], large.exposure)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.safetensors")} == written
    assert len(written) == 4


def test_a_staged_stream_without_an_exposure_has_none(large, tmp_path):
    assert stage(replace(large, exposure=None), tmp_path).exposure is None


def test_an_exposure_that_no_stream_may_have_is_not_staged(large, tmp_path):
    with pytest.raises(AssertionError, match="exposures that are not in"):
        stage(replace(large, exposure=np.ones_like(large.exposure)), tmp_path)


def test_a_finished_part_that_was_lost_says_how_to_go_on(large, tmp_path):
    staged = stage(large, tmp_path)
    next(tmp_path.rglob("00000001.safetensors")).unlink()
    with pytest.raises(IntegrityError, match="run the same command again"):
        staged.exposure[300:400]
