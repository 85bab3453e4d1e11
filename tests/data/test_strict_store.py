"""What is missing or damaged on the disk is an error when it is read, and never a number."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodsr.data.store import open_recording
from neurodsr.errors import IntegrityError

SHARD = "streams/1/values/c/1/0"
KEYS = (
    slice(16384, 32768),
    slice(20_000, 20_010),
    slice(16_000, 33_000),
    (slice(20_000, 20_600), 1),
    20_001,
)


@pytest.fixture
def opened(recording, saved):
    """The array on disk, what it should hold, and the path of its second shard."""
    return open_recording(saved).streams[".."].values, recording.streams[".."].values, saved / SHARD


def assert_error_or_equal(array, expected, key):
    """No third way: numbers that are not those written."""
    try:
        found = array[key]
    except IntegrityError as caught:
        error = caught
    else:
        np.testing.assert_array_equal(found, expected[key])
        return
    assert "stream '..'" in error.what
    assert "lists every damaged file" in error.fix


@pytest.mark.parametrize("key", KEYS)
def test_what_is_sound_reads_as_numpy_would(opened, key):
    array, expected, _ = opened
    np.testing.assert_array_equal(array[key], expected[key])


def test_it_says_its_shape_and_becomes_an_array(opened):
    array, expected, _ = opened
    assert (array.shape, array.dtype, array.ndim) == (expected.shape, expected.dtype, 2)
    assert len(array) == len(expected)
    np.testing.assert_array_equal(np.asarray(array), expected, strict=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_flipped_bit_of_a_shard_never_changes_a_number(opened, data):
    array, expected, path = opened
    whole = path.read_bytes()
    # Half of them in the index at the end, where the chunks lie.
    from_end = data.draw(st.one_of(st.integers(1, 1028), st.integers(1, len(whole))))
    damaged = bytearray(whole)
    damaged[-from_end] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged)
    try:
        for key in KEYS:
            assert_error_or_equal(array, expected, key)
    finally:
        path.write_bytes(whole)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(fraction=st.floats(0, 0.9999))
def test_a_shard_that_was_cut_never_changes_a_number(opened, fraction):
    array, expected, path = opened
    whole = path.read_bytes()
    path.write_bytes(whole[: int(fraction * len(whole))])
    try:
        for key in KEYS:
            assert_error_or_equal(array, expected, key)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("key", KEYS)
def test_an_empty_shard_does_not_read_as_unwritten(opened, key):
    array, _, path = opened
    path.write_bytes(b"")
    with pytest.raises(IntegrityError, match="is cut short"):
        array[key]


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_shard_is_named(opened, key):
    array, _, path = opened
    path.unlink()
    with pytest.raises(IntegrityError, match=f"chunk {SHARD} is missing"):
        array[key]


def test_the_bytes_of_a_shard_cannot_be_changed_through_it(opened):
    array, _, path = opened
    before = path.read_bytes()
    with pytest.raises(TypeError):
        array[0] = 1
    assert path.read_bytes() == before
