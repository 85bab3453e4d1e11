"""Arrays are cut into whole shards, and only whole shards are written."""

import asyncio
import threading

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.storage import MemoryStore

from neurodsr.data.store_arrays import (
    CHUNK_BYTES,
    SHARD_BYTES,
    create_array,
    layout_of,
    shards_along,
    sound,
    write_shard,
)

U1, F4 = np.dtype("u1"), np.dtype("f4")


# ---- the cut


@pytest.mark.parametrize(
    ("shape", "dtype", "chunk", "shard"),
    [
        ((360_000, 500), U1, (256, 500), (16384, 500)),
        ((360_000, 384), F4, (256, 384), (16384, 384)),
        ((100, 3), U1, (256, 3), (256, 3)),
        ((20_000, 0), F4, (256, 1), (16384, 1)),
        # 256 bins of 10,000 channels are 10 MB: fewer bins.
        ((100_000, 10_000), F4, (32, 10_000), (1664, 10_000)),
        # A row of a million voxels is 4 MB: fewer channels too, and a shard of one row of chunks.
        ((5_000, 1_000_000), F4, (32, 16384), (32, 32 * 16384)),
    ],
)
def test_chunks_are_small_shards_are_large_and_both_are_bounded(shape, dtype, chunk, shard):
    assert layout_of(shape, dtype) == (chunk, shard)


@given(
    n_bins=st.integers(0, 10**7),
    n_channels=st.integers(0, 10**7),
    dtype=st.sampled_from([U1, F4, np.dtype("u8")]),
)
def test_a_shard_holds_whole_chunks_and_neither_grows_beyond_its_limit(n_bins, n_channels, dtype):
    chunk, shard = layout_of((n_bins, n_channels), dtype)
    for inner, outer in zip(chunk, shard, strict=True):
        assert outer >= inner > 0
        assert outer % inner == 0
    assert np.prod(chunk) * dtype.itemsize <= CHUNK_BYTES
    assert np.prod(shard) * dtype.itemsize <= SHARD_BYTES


@given(n=st.integers(0, 1000), step=st.integers(1, 300))
def test_the_shards_along_an_axis_cover_it_once(n, step):
    rows = [k for part in shards_along(n, step) for k in range(part.start, part.stop)]
    assert rows == list(range(n))


# ---- writing


@pytest.fixture
def layout():
    return layout_of((40_000, 2), U1)


def new_array(store, layout):
    root = zarr.create_group(store=store, zarr_format=3)
    return create_array(root, "values", (40_000, 2), U1, layout)


def test_whole_shards_are_written_also_the_last_one(tmp_path, layout):
    array = new_array(tmp_path, layout)
    expected = np.arange(80_000).reshape(-1, 2).astype(U1)
    for rows in shards_along(40_000, layout.shard[0]):
        write_shard(array, rows, slice(0, 2), expected[rows])
    np.testing.assert_array_equal(array[:], expected)
    assert len(list((tmp_path / "values/c").glob("*/*"))) == 3


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (slice(0, 16383), slice(0, 2)),
        (slice(1, 16385), slice(0, 2)),
        (slice(8192, 24576), slice(0, 2)),
        (slice(0, 32768), slice(0, 2)),
        (slice(32768, 39999), slice(0, 2)),
        (slice(0, 16384), slice(0, 1)),
        (slice(0, 16384, 2), slice(0, 2)),
    ],
)
def test_a_write_of_other_than_one_whole_shard_is_refused(tmp_path, layout, rows, columns):
    array = new_array(tmp_path, layout)
    block = np.zeros((rows.stop - rows.start, columns.stop - columns.start), U1)
    with pytest.raises(AssertionError, match="not one whole shard"):
        write_shard(array, rows, columns, block)
    assert not (tmp_path / "values/c").exists()


class MeetingStore(MemoryStore):
    """A store in which two writers that read a shard wait for each other before they go on."""

    meeting = threading.Barrier(2, timeout=20)

    async def get(self, key, prototype=None, byte_range=None):
        found = await super().get(key, prototype, byte_range)
        if "/c/" in key:
            await asyncio.to_thread(self.meeting.wait)
        return found


def test_two_writers_of_halves_of_a_shard_lose_data_and_the_guard_stops_them(layout):
    """What the guard is for: zarr alone loses one of two halves that are written at once."""
    store = MeetingStore()
    array = new_array(store, layout)
    halves = [slice(0, 8192), slice(8192, 16384)]
    ones = np.ones((8192, 2), U1)

    async def write_both():
        unguarded = zarr.AsyncArray(array.metadata, array.store_path)
        await asyncio.gather(*(unguarded.setitem((h, slice(None)), ones) for h in halves))

    asyncio.run(write_both())
    store.meeting = threading.Barrier(1)
    assert sorted(int((array[half] == 1).sum()) for half in halves) == [0, 16384]
    for half in halves:
        with pytest.raises(AssertionError, match="not one whole shard"):
            write_shard(array, half, slice(0, 2), ones)


# ---- what may be written


def test_integers_are_checked_without_a_copy_of_them():
    block = np.arange(6, dtype=U1).reshape(3, 2)
    assert sound(block, np.ones((3, 2), bool), U1, name="s") is block


@pytest.mark.parametrize(
    ("values", "dtype"), [([[300.0]], U1), ([[-1]], U1), ([[1e39]], F4), ([[np.nan]], F4)]
)
def test_a_number_that_the_stored_type_cannot_hold_is_a_bug(values, dtype):
    with pytest.raises(AssertionError, match=f"more than {dtype} can"):
        sound(np.array(values), np.ones((1, 1), bool), dtype, name="s")
