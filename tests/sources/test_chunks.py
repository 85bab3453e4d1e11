"""Inflating chunks in threads gives the values that HDF5 gives, whatever the layout."""

from __future__ import annotations

import zlib

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.errors import DataError
from neurodsr.sources.chunks import read_rows
from neurodsr.sources.nwb_nodes import reading


def dataset(file, values, **layout):
    return file.create_dataset("x", data=values, **layout)


@given(
    shape=st.one_of(
        st.tuples(st.integers(1, 60)), st.tuples(st.integers(1, 60), st.integers(1, 9))
    ),
    dtype=st.sampled_from(["<i2", ">i2", "<f4", "<f8", "|u1", ">u4"]),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    data=st.data(),
)
def test_any_rows_of_any_gzip_layout_are_those_of_hdf5(shape, dtype, shuffle, seed, data):
    chunks = tuple(data.draw(st.integers(1, n)) for n in shape)
    first = data.draw(st.integers(0, shape[0]))
    last = data.draw(st.integers(first, shape[0]))
    values = np.random.default_rng(seed).integers(0, 100, size=shape).astype(dtype)
    with h5py.File.in_memory() as file:
        x = dataset(file, values, chunks=chunks, compression="gzip", shuffle=shuffle)
        found = read_rows(x, first, last, n_threads=3)
        np.testing.assert_array_equal(found, values[first:last])
        assert found.dtype == x.dtype


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"chunks": (4,)},
        {"chunks": (4,), "compression": "lzf"},
        {"chunks": (4,), "fletcher32": True},
    ],
)
def test_other_layouts_are_left_to_hdf5(layout):
    with h5py.File.in_memory() as file:
        x = dataset(file, np.arange(100), **layout)
        np.testing.assert_array_equal(read_rows(x, 3, 77, n_threads=2), np.arange(3, 77))


def test_a_chunk_that_was_never_written_holds_the_fill_value():
    with h5py.File.in_memory() as file:
        x = file.create_dataset(
            "x", shape=(100,), dtype="f4", chunks=(10,), compression="gzip", fillvalue=7.0
        )
        x[20:30] = 1.0
        found = read_rows(x, 0, 100, n_threads=2)
    assert found[20:30].tolist() == [1.0] * 10
    assert (np.delete(found, slice(20, 30)) == 7.0).all()


def test_a_chunk_that_some_filters_were_left_out_of_is_read_as_it_is():
    values = np.arange(100, dtype="<i4")
    with h5py.File.in_memory() as file:
        x = file.create_dataset(
            "x", shape=(100,), dtype="<i4", chunks=(10,), compression="gzip", shuffle=True
        )
        shuffled = np.ascontiguousarray(values[:10].view("u1").reshape(-1, 4).T).tobytes()
        x.id.write_direct_chunk((0,), shuffled, filter_mask=0b10)  # not compressed
        x.id.write_direct_chunk((10,), values[10:20].tobytes(), filter_mask=0b11)
        x[20:] = values[20:]
        np.testing.assert_array_equal(read_rows(x, 0, 100, n_threads=2), values)


@pytest.mark.parametrize(
    ("chunk", "said"),
    [
        (b"no zlib at all", "damaged: Error -3"),
        (zlib.compress(bytes(80))[:-6], "does not hold 80 bytes"),
        (zlib.compress(bytes(79)), "does not hold 80 bytes"),
        (zlib.compress(bytes(10**7)), "does not hold 80 bytes"),
        (zlib.compress(bytes(80))[:-1] + b"x", "damaged: Error -3"),
    ],
)
def test_a_damaged_chunk_is_an_error_that_readers_report(chunk, said):
    with h5py.File.in_memory() as file:
        x = file.create_dataset("x", shape=(100,), dtype="<f8", chunks=(10,), compression="gzip")
        x[:] = 1.0
        x.id.write_direct_chunk((30,), chunk)
        with pytest.raises(OSError, match=said):
            read_rows(x, 0, 100, n_threads=2)
        fix = r"damaged.*\n  fix: copy or download the file again"
        with pytest.raises(DataError, match=fix), reading("a.nwb:/x"):
            read_rows(x, 0, 100, n_threads=2)
        assert read_rows(x, 40, 100, n_threads=2).tolist() == [1.0] * 60
