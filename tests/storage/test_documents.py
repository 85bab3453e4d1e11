"""JSON documents are deterministic, and damaged ones are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.errors import DataError, IntegrityError
from neurodsr.storage import documents
from neurodsr.storage.documents import json_bytes, read_json, write_json

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(codec="utf-8"), max_size=10)
values = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=10,
)


@given(values)
def test_a_value_survives_writing_and_reading(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "value.json"
    write_json(path, value)
    assert read_json(path) == value
    first = path.read_bytes()
    write_json(path, read_json(path))
    assert path.read_bytes() == first


def test_the_order_of_keys_does_not_matter_and_the_layout_is_fixed():
    assert json_bytes({"b": 1, "a": [0.1]}) == json_bytes({"a": [0.1], "b": 1})
    assert json_bytes({"b": "µm", "a": [0.1]}) == '{\n "a": [\n  0.1\n ],\n "b": "µm"\n}\n'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_are_not_written(tmp_path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"a": value})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b'{"a": 1',
        b'{"a": NaN}',
        b"[Infinity]",
        b"\xff\xfe\x00",
        b"[1] trailing",
        b"9" * 5000,
        b"[" * 200_000,
        b'{"a":' * 200_000,
    ],
    ids=lambda b: repr(b[:12]),
)
def test_a_damaged_document_is_refused(tmp_path, damaged):
    (tmp_path / "x.json").write_bytes(damaged)
    with pytest.raises(IntegrityError, match="make it again with the command") as caught:
        read_json(tmp_path / "x.json")
    assert caught.value.exit_code == 8


def test_a_document_larger_than_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "LARGEST", 2**20)
    (tmp_path / "x.json").write_bytes(b" " * 2**20 + b"1")
    with pytest.raises(IntegrityError, match=r"larger than 1 MiB(.|\n)*restore it from a backup"):
        read_json(tmp_path / "x.json")


def test_a_missing_document_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "x.json", tmp_path):
        with pytest.raises(DataError, match="check the path"):
            read_json(path)
