"""The reader of MATLAB 5 files: the same as SciPy's, and an error where that would crash."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from neurodsr.errors import DataError
from neurodsr.sources.mat5 import NotRead, is_mat5, list_mat5

NUMBERS = st.sampled_from(["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])


def saved(content, *, compressed=False):
    file = BytesIO()
    scipy.io.savemat(file, content, do_compression=compressed)
    return file.getvalue()


def load(path):
    return {v.head.name: v.load() for v in list_mat5(str(path))}


@given(
    array=arrays(NUMBERS, array_shapes(min_dims=2, max_dims=3), elements={"allow_nan": False}),
    compressed=st.booleans(),
)
def test_numbers_are_those_that_were_saved(array, compressed, tmp_path_factory):
    path = tmp_path_factory.mktemp("mat") / "a.mat"
    path.write_bytes(saved({"x": array}, compressed=compressed))
    assert list_mat5(str(path))[0].head.shape == array.shape
    np.testing.assert_array_equal(load(path)["x"], array)


def test_structs_cells_and_texts_are_plain_values(tmp_path):
    content = {
        "s": {"a": 1.0, "b": "text"},
        "c": np.array([np.arange(2.0), "word"], dtype=object),
        "lines": np.array(["ab ", "cde"]),
        "z": np.ones(2) * 1j,
        "empty": np.zeros((0, 3)),
    }
    (tmp_path / "a.mat").write_bytes(saved(content))
    found = load(tmp_path / "a.mat")
    assert found["s"]["a"][0].item() == 1
    assert found["s"]["b"] == [("text",)]
    assert found["c"][1] == ("word",)
    assert found["lines"] == ("ab", "cde")
    assert found["z"] == NotRead("an array of complex numbers")
    assert found["empty"].shape == (0, 3)


def big_endian_file():
    """A variable x = [1.5 2.5] as a machine of the other byte order writes it."""

    def element(kind, data):
        return struct.pack(">II", kind, len(data)) + data + b"\0" * (-len(data) % 8)

    body = (
        element(6, struct.pack(">II", 6, 0))
        + element(5, struct.pack(">ii", 1, 2))
        + struct.pack(">HH", 1, 1)  # the short form: length and type share a word
        + b"x\0\0\0"
        + element(9, struct.pack(">dd", 1.5, 2.5))
    )
    return b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + element(14, body)


def test_both_byte_orders_are_read(tmp_path):
    raw = big_endian_file()
    (tmp_path / "a.mat").write_bytes(raw)
    assert is_mat5(raw[:128])
    np.testing.assert_array_equal(load(tmp_path / "a.mat")["x"], [[1.5, 2.5]])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("compressed", [True, False])
def test_a_truncated_file_is_refused(tmp_path, share, compressed):
    raw = saved({"x": np.random.default_rng(0).normal(size=(50, 4))}, compressed=compressed)
    (tmp_path / "a.mat").write_bytes(raw[: 128 + int(share * (len(raw) - 128))])
    with pytest.raises(DataError, match=r"fix: copy it again, or save it again in MATLAB"):
        load(tmp_path / "a.mat")


def test_a_compressed_variable_that_claims_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("neurodsr.sources.mat5.GIB", 10**6)
    monkeypatch.setattr("neurodsr.sources.mat5.MAX_RATIO", 100)
    (tmp_path / "a.mat").write_bytes(saved({"x": np.zeros(10**6)}, compressed=True))
    (variable,) = list_mat5(str(tmp_path / "a.mat"))
    with pytest.raises(DataError, match="bytes claim to hold"):
        variable.load()


def test_a_flipped_bit_in_compressed_data_is_found_by_its_checksum(tmp_path):
    raw = saved({"x": np.random.default_rng(0).normal(size=100)}, compressed=True)
    stored = zlib.decompress(raw[136:])
    changed = zlib.compress(stored[:-1] + bytes([stored[-1] ^ 1]))
    body = changed[:-4] + zlib.compress(stored)[-4:]
    (tmp_path / "a.mat").write_bytes(raw[:128] + struct.pack("<II", 15, len(body)) + body)
    with pytest.raises(DataError, match="incorrect data check"):
        load(tmp_path / "a.mat")


NESTED = saved(
    {
        "d": {"x": np.ones((5, 2)), "n": "name", "deep": {"y": np.arange(3)}},
        "c": np.array([np.arange(2.0), "word", np.ones((2, 2))], dtype=object),
        "z": np.ones(3) * 1j,
    }
)


@settings(max_examples=300)
@given(
    changes=st.lists(st.tuples(st.integers(128, len(NESTED) - 1), st.integers(0, 255)), max_size=4),
    n_bytes=st.one_of(st.just(len(NESTED)), st.integers(128, len(NESTED))),
)
def test_any_damage_ends_in_a_value_or_a_refusal(changes, n_bytes, tmp_path_factory):
    raw = bytearray(NESTED)
    for place, value in changes:
        raw[place] = value
    path = tmp_path_factory.getbasetemp() / "damaged.mat"
    path.write_bytes(raw[:n_bytes])
    with suppress(DataError):
        assert isinstance(load(path), dict)
