"""Lazy arrays give what the arrays they stand for would give, and read no more than is asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.data.lazy import (
    LazyArray,
    RegularTimes,
    Stored,
    blockwise,
    everywhere,
    lazy_pair,
    take_channels,
)
from neurodsr.data.time import TimeGrid

GRID = TimeGrid(start=1.0, bin_width=0.1, n_bins=12)
VALUES = np.arange(36.0).reshape(12, 3)
MASK = VALUES % 5 != 0

rows = st.one_of(
    st.slices(12),
    st.integers(-12, 11),
    st.lists(st.integers(-12, 11), max_size=6).map(lambda i: np.array(i, dtype=int)),
    st.lists(st.booleans(), min_size=12, max_size=12).map(np.array),
)
columns = st.one_of(st.slices(3), st.integers(-3, 2))
keys = st.one_of(rows, st.tuples(rows, columns))


def pair_and_reads():
    read = []

    def load(first, stop):
        read.append((first, stop))
        return VALUES[first:stop], MASK[first:stop]

    return *lazy_pair(load, shape=(12, 3), dtype=float), read


# ---- values and mask


@given(keys)
def test_any_key_gives_what_the_array_would(key):
    values, mask, _ = pair_and_reads()
    np.testing.assert_array_equal(values[key], VALUES[key])
    np.testing.assert_array_equal(mask[key], MASK[key])


def test_values_and_mask_of_the_same_rows_are_read_once():
    values, mask, read = pair_and_reads()
    values[2:5], mask[2:5], mask[2:5], values[2:5, 1]
    assert read == [(2, 5)]
    mask[5:7]
    values[2:5]
    assert read == [(2, 5), (5, 7), (2, 5)]


def test_no_rows_are_not_read():
    values, mask, read = pair_and_reads()
    assert values[3:3].shape == mask[20:].shape == (0, 3)
    assert read == []


def test_a_failed_read_leaves_nothing_behind():
    answers = iter([ValueError("damaged"), (VALUES[:2], MASK[:2])])

    def load(first, stop):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    values, _ = lazy_pair(load, shape=(12, 3), dtype=float)
    with pytest.raises(ValueError, match="damaged"):
        values[:2]
    np.testing.assert_array_equal(values[:2], VALUES[:2])


def test_a_lazy_array_becomes_an_array_of_its_type():
    values, mask = lazy_pair(lambda a, b: (VALUES[a:b], MASK[a:b]), shape=(12, 3), dtype=np.float32)
    assert np.asarray(values).dtype == values.dtype == np.float32
    assert np.asarray(values, dtype=int).dtype == int
    assert (len(values), values.shape, values.ndim) == (12, (12, 3), 2)
    assert np.asarray(mask).dtype == bool


@given(st.integers(0, 11), st.integers(1, 12))
def test_a_block_is_computed_from_its_part_of_the_grid(first, n):
    parts = []

    def read(part):
        parts.append(part)
        return part.centers[:, None], np.ones((part.n_bins, 1), bool)

    values, _ = blockwise(GRID, read, n_channels=1, dtype=float)
    np.testing.assert_array_equal(values[first : first + n, 0], GRID.centers[first : first + n])
    assert parts == [GRID.part(first, min(first + n, 12))]


# ---- channels


@given(keys)
def test_taken_channels_are_those_columns_lazy_or_not(key):
    index = np.array([2, 0, 2])
    values, _, _ = pair_and_reads()
    taken = take_channels(values, index)
    assert isinstance(taken, LazyArray)
    np.testing.assert_array_equal(taken[key], VALUES[:, index][key])
    np.testing.assert_array_equal(take_channels(VALUES, index)[key], VALUES[:, index][key])


def test_taken_channels_keep_their_stored_integers():
    raw, gain = np.arange(24, dtype=np.int16).reshape(12, 2), np.array([2.0, 3.0])
    whole = LazyArray(
        (raw * gain + 1).__getitem__,
        shape=(12, 2),
        dtype=float,
        stored=Stored(lambda a, b: raw[a:b], gain, 1.0),
    )
    taken = take_channels(whole, np.array([1]))
    stored = taken.stored
    np.testing.assert_array_equal(stored.load(3, 5) * stored.gain + stored.offset, taken[3:5])


def test_taken_channels_of_a_broadcast_mask_take_no_room():
    taken = take_channels(np.broadcast_to(True, (10**9, 8)), np.array([1, 5]))
    assert taken.shape == (10**9, 2)
    assert everywhere(taken)


@pytest.mark.parametrize(
    ("mask", "known"),
    [
        (np.broadcast_to(True, (4, 2)), True),
        (np.broadcast_to(False, (4, 2)), False),
        (np.ones((4, 2), dtype=bool), False),
        (np.broadcast_to(True, (0, 2)), False),
        (LazyArray(np.ones((4, 2), dtype=bool).__getitem__, shape=(4, 2), dtype=bool), False),
    ],
)
def test_only_a_broadcast_mask_is_known_to_be_true_everywhere(mask, known):
    assert everywhere(mask) is known


# ---- times

clocks = st.builds(
    lambda start, interval, n, by_rate: (
        RegularTimes.at_rate(start, 1 / interval, n)
        if by_rate
        else RegularTimes(start, interval, n)
    ),
    st.floats(-1e6, 1e6),
    st.floats(1e-4, 10.0),
    st.integers(1, 300),
    st.booleans(),
)


@given(clocks, st.sampled_from(["left", "right"]), st.data())
def test_times_are_found_where_numpy_finds_them(times, side, data):
    held = np.asarray(times)
    near = np.concatenate([held, np.nextafter(held, -np.inf), np.nextafter(held, np.inf)])
    others = data.draw(st.lists(st.floats(allow_nan=False), max_size=5))
    wanted = np.array([*near, *others, -np.inf, np.inf])
    expected = np.searchsorted(held, wanted, side=side)
    np.testing.assert_array_equal(times.searchsorted(wanted, side=side), expected)
    assert times.searchsorted(wanted[0], side=side) == expected[0]


@given(clocks, st.slices(300))
def test_slices_of_times_are_those_of_the_array(times, key):
    np.testing.assert_array_equal(times[key], np.asarray(times)[key])


def test_single_times_are_numbers_and_lists_of_them_arrays():
    times = RegularTimes(5.0, 0.25, 8)
    assert (times[0], times[-1]) == (5.0, 6.75)
    assert isinstance(times[3], float)
    assert times[np.array([0, -1])].tolist() == [5.0, 6.75]
    assert times[np.arange(8) > 5].tolist() == [6.5, 6.75]
    assert (times.shape, times.ndim, times.dtype, len(times)) == ((8,), 1, np.float64, 8)


@pytest.mark.parametrize("sample", [8, -9, np.array([0, 8])])
def test_a_time_beyond_the_samples_is_an_error(sample):
    with pytest.raises(IndexError, match="of 8"):
        RegularTimes(5.0, 0.25, 8)[sample]


def test_a_rate_rounds_each_time_only_once():
    times = RegularTimes.at_rate(0.0, 30.0, 1000)
    np.testing.assert_array_equal(np.asarray(times), np.arange(1000) / 30)
    assert np.any(np.asarray(times) != np.asarray(RegularTimes(0.0, 1 / 30, 1000)))


def test_a_billion_times_take_no_memory():
    times = RegularTimes.at_rate(0.0, 30_000.0, 10**9)
    assert times.searchsorted(np.array([10_000.0])).tolist() == [300_000_000]
    assert times[10**9 - 1] == (10**9 - 1) / 30_000
