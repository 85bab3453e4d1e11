"""Zarr format 2 read chunk by chunk: known answers, and parity with what numcodecs wrote."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numcodecs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodsr.errors import DataError
from neurodsr.sources.zarr2_tree import Zarr2Dataset, open_zarr2

COMPRESSORS = {
    "none": None,
    "blosc": numcodecs.Blosc(),
    "zlib": numcodecs.Zlib(),
    "zstd": numcodecs.Zstd(),
    "lz4": numcodecs.LZ4(),
    "gzip": numcodecs.GZip(),
    "bz2": numcodecs.BZ2(),
}


def write_array(folder, values, chunks, *, compressor=None, filters=(), order="C", separator=None,
                fill=0, attributes=None, skip=()):  # fmt: skip
    """Write an array as the specification of format 2 says, chunks at the edges whole."""
    folder.mkdir(parents=True, exist_ok=True)
    layout = {
        "zarr_format": 2,
        "shape": list(values.shape),
        "chunks": list(chunks),
        "dtype": "|O" if values.dtype.kind == "O" else values.dtype.str,
        "compressor": None if compressor is None else compressor.get_config(),
        "filters": [f.get_config() for f in filters] or None,
        "order": order,
        "fill_value": fill,
    }
    if separator is not None:
        layout["dimension_separator"] = separator
    (folder / ".zarray").write_text(json.dumps(layout), encoding="utf-8")
    if attributes:
        (folder / ".zattrs").write_text(json.dumps(attributes), encoding="utf-8")
    for index in product(*(range(-(-n // c)) for n, c in zip(values.shape, chunks, strict=True))):
        if index in skip:
            continue
        block = np.full(chunks, fill, dtype=values.dtype)
        low = [i * c for i, c in zip(index, chunks, strict=True)]
        part = values[tuple(slice(o, o + c) for o, c in zip(low, chunks, strict=True))]
        block[tuple(slice(0, n) for n in part.shape)] = part
        data = block.reshape(-1, order=order)
        for codec in (*filters, *([] if compressor is None else [compressor])):
            data = codec.encode(data)
        file = folder / (separator or ".").join(map(str, index))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(memoryview(np.ascontiguousarray(data)) if isinstance(
            data, np.ndarray) else data)  # fmt: skip
    return Zarr2Dataset(folder.parent, folder.name)


GRID = np.arange(35.0).reshape(7, 5)


def texts(*values):
    return np.array(values, dtype=object)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("separator", [None, ".", "/"])
@pytest.mark.parametrize("chunks", [(7, 5), (3, 2), (2, 5), (8, 9)])
def test_chunks_at_the_edges_orders_and_separators(tmp_path, chunks, separator, order):
    data = write_array(tmp_path / "x", GRID, chunks, separator=separator, order=order)
    np.testing.assert_array_equal(data[()], GRID)
    np.testing.assert_array_equal(data[2:6], GRID[2:6])
    np.testing.assert_array_equal(data[::3, 1], GRID[::3, 1])
    np.testing.assert_array_equal(data[-1], GRID[-1])
    np.testing.assert_array_equal(data[[1, 4, 6]], GRID[[1, 4, 6]])
    assert data[3:3].shape == (0, 5)


@pytest.mark.parametrize("name", COMPRESSORS)
@pytest.mark.parametrize(
    "filters", [(), (numcodecs.Zlib(),), (numcodecs.Shuffle(8),), (numcodecs.Delta("<f8"),)]
)
def test_each_compressor_with_each_filter(tmp_path, name, filters):
    data = write_array(tmp_path / "x", GRID, (3, 2), compressor=COMPRESSORS[name], filters=filters)
    np.testing.assert_array_equal(data[:], GRID)


def test_a_chunk_that_was_never_written_holds_the_fill_value(tmp_path):
    data = write_array(tmp_path / "x", GRID, (3, 5), fill=-1.0, skip={(1, 0)})
    assert (data[3:6] == -1).all()
    np.testing.assert_array_equal(data[[0, 6]], GRID[[0, 6]])


@pytest.mark.parametrize(
    ("fill", "expected"), [("NaN", np.nan), ("Infinity", np.inf), (None, np.nan)]
)
def test_fill_values_that_are_no_json_numbers(tmp_path, fill, expected):
    data = write_array(tmp_path / "x", GRID, (7, 5), skip={(0, 0)})
    layout = json.loads((tmp_path / "x" / ".zarray").read_text("utf-8")) | {"fill_value": fill}
    (tmp_path / "x" / ".zarray").write_text(json.dumps(layout), encoding="utf-8")
    data = Zarr2Dataset(tmp_path, "x")
    np.testing.assert_array_equal(data[0], np.full(5, expected))


def test_a_slice_of_rows_reads_its_own_chunks_and_no_others(tmp_path, monkeypatch):
    data = write_array(tmp_path / "x", np.arange(100.0).reshape(50, 2), (10, 1))
    read, original = [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda p: (read.append(p.name), original(p))[1])
    np.testing.assert_array_equal(data[19:21, 0], [38, 40])
    assert sorted(read) == ["1.0", "1.1", "2.0", "2.1"]


# ---- texts, references, scalars


@pytest.mark.parametrize(
    "codec", [numcodecs.VLenUTF8(), numcodecs.JSON()], ids=["vlen-utf8", "json2"]
)
def test_texts_come_as_texts(tmp_path, codec):
    data = write_array(tmp_path / "x", texts("left", "", "ümlaut"), (3,), filters=(codec,), fill="")
    assert data.kind == "text"
    assert data[:].tolist() == ["left", "", "ümlaut"]
    assert data[1:].tolist() == ["", "ümlaut"]


def test_texts_as_bytes_and_of_fixed_length(tmp_path):
    flexible = write_array(
        tmp_path / "x", texts(b"CA1", b"DG"), (2,), filters=(numcodecs.VLenBytes(),), fill=b""[:0]
        .decode(),
    )  # fmt: skip
    assert flexible[:].tolist() == ["CA1", "DG"]
    fixed = write_array(tmp_path / "y", np.array(["CA1", "DG"], dtype="<U3"), (2,), fill="")
    assert (fixed.kind, fixed[:].tolist()) == ("text", ["CA1", "DG"])


def test_references_are_the_paths_they_lead_to(tmp_path):
    targets = texts(*({"path": p, "source": ".", "object_id": "1"} for p in ("/a/b", "/c")))
    data = write_array(tmp_path / "x", targets, (2,), filters=(numcodecs.JSON(),), fill="")
    assert data.kind == "reference"
    assert data[:].tolist() == ["a/b", "c"]


def test_a_scalar_has_no_axes(tmp_path):
    scalar = {"zarr_dtype": "scalar"}
    number = write_array(tmp_path / "x", np.array([2.5]), (1,), attributes=scalar)
    text = write_array(tmp_path / "y", texts("mouse"), (1,), filters=(numcodecs.JSON(),), fill="",
                       attributes=scalar)  # fmt: skip
    assert (number.shape, float(number[()])) == ((), 2.5)
    assert (text.shape, str(text[()])) == ((), "mouse")


# ---- what is never decoded, and damage


def test_pickle_is_never_decoded(tmp_path):
    data = write_array(tmp_path / "x", texts("a", "b"), (2,), filters=(numcodecs.JSON(),), fill="")
    layout = json.loads((tmp_path / "x" / ".zarray").read_text("utf-8"))
    layout["filters"] = [{"id": "pickle", "protocol": 5}]
    (tmp_path / "x" / ".zarray").write_text(json.dumps(layout), encoding="utf-8")
    # What would run if it were.
    (tmp_path / "x" / "0").write_bytes(
        b"cos\nsystem\n(S'touch " + bytes(tmp_path / "ran") + b"'\ntR."
    )
    data = Zarr2Dataset(tmp_path, "x")
    assert data.kind == "other"
    with pytest.raises(DataError, match="fix: leave this object out"):
        data[:]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("where", ["stored", "decoded"])
def test_a_blosc_chunk_that_lies_about_its_size_is_refused_before_it_is_decoded(tmp_path, where):
    data = write_array(tmp_path / "x", GRID, (7, 5), compressor=numcodecs.Blosc())
    chunk = bytearray((tmp_path / "x" / "0.0").read_bytes())
    at = {"decoded": 4, "stored": 12}[where]
    chunk[at : at + 4] = (2**31 - 1).to_bytes(4, "little")
    (tmp_path / "x" / "0.0").write_bytes(chunk)
    with pytest.raises(ValueError, match=r"says that it has|decodes to"):
        data[:]


def test_a_truncated_chunk_is_no_silent_success(tmp_path):
    data = write_array(tmp_path / "x", GRID, (7, 5))
    (tmp_path / "x" / "0.0").write_bytes(b"\0" * 16)
    with pytest.raises(ValueError, match="cannot reshape array of size 2"):
        data[:]


@pytest.mark.parametrize("name", ["zlib", "gzip", "bz2", "zstd", "blosc", "lz4"])
@pytest.mark.parametrize("place", ["compressor", "filters"])
def test_a_few_bytes_that_become_many_are_refused_before_they_do(tmp_path, name, place):
    codec = COMPRESSORS[name]
    options = {place: codec if place == "compressor" else (codec,)}
    data = write_array(tmp_path / "x", GRID, (7, 5), **options)
    (tmp_path / "x" / "0.0").write_bytes(codec.encode(b"\0" * 10**7))
    with pytest.raises(ValueError, match="are expected at most"):
        data[:]


def test_a_zstd_frame_that_does_not_say_its_size_is_refused(tmp_path):
    data = write_array(tmp_path / "x", GRID, (7, 5), compressor=numcodecs.Zstd())
    chunk = bytearray((tmp_path / "x" / "0.0").read_bytes())
    chunk[4] = 0
    (tmp_path / "x" / "0.0").write_bytes(chunk)
    with pytest.raises(ValueError, match="does not say its size; write it with numcodecs or zarr"):
        data[:]


@pytest.mark.parametrize("codec", [numcodecs.VLenUTF8(), numcodecs.JSON()])
def test_a_chunk_with_another_number_of_texts_is_refused(tmp_path, codec):
    data = write_array(tmp_path / "x", texts("a", "b"), (2,), filters=(codec,), fill="")
    (tmp_path / "x" / "0").write_bytes(codec.encode(texts(*"abc")))
    with pytest.raises(ValueError, match=r"in a chunk of 2|a chunk of 2 texts"):
        data[:]


def test_a_list_in_json_without_end_is_refused(tmp_path):
    data = write_array(tmp_path / "x", texts("a"), (1,), filters=(numcodecs.JSON(),), fill="")
    (tmp_path / "x" / "0").write_bytes(b"[" * 10**6)
    with pytest.raises(RecursionError):
        data[:]


def test_records_in_json_are_listed_and_not_taken_apart(tmp_path):
    kind = {"zarr_dtype": [{"name": "x", "dtype": "uint32"}, {"name": "weight", "dtype": "float"}]}
    rows = np.empty(2, dtype=object)
    rows[:] = [[1, 0.5], [2, 1.0]]
    data = write_array(tmp_path / "x", rows, (2,), filters=(numcodecs.JSON(),), attributes=kind)
    assert data.kind == "other"
    assert data[:].tolist() == [[1, 0.5], [2, 1.0]]


def test_an_array_without_axes_is_a_scalar(tmp_path):
    write_array(tmp_path / "x", np.array([2.5]), (1,))
    layout = json.loads((tmp_path / "x" / ".zarray").read_text("utf-8"))
    layout |= {"shape": [], "chunks": []}
    (tmp_path / "x" / ".zarray").write_text(json.dumps(layout), encoding="utf-8")
    data = Zarr2Dataset(tmp_path, "x")
    assert (data.shape, data.ndim, float(data[()])) == ((), 0, 2.5)


def test_missing_texts_of_fixed_length_hold_the_fill_value(tmp_path):
    write_array(tmp_path / "x", np.array(["CA1"], dtype="S3"), (1,), fill="")
    layout = json.loads((tmp_path / "x" / ".zarray").read_text("utf-8")) | {"fill_value": "REcA"}
    (tmp_path / "x" / ".zarray").write_text(json.dumps(layout), encoding="utf-8")
    (tmp_path / "x" / "0").unlink()
    assert Zarr2Dataset(tmp_path, "x")[:].tolist() == ["DG"]


def test_rows_far_apart_are_read_from_their_own_chunks(tmp_path, monkeypatch):
    values = np.arange(1000.0)
    data = write_array(tmp_path / "x", values, (10,))
    read, original = [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda p: (read.append(p.name), original(p))[1])
    np.testing.assert_array_equal(data[[995, 3, 5, 991]], [995, 3, 5, 991])
    assert sorted(read) == ["0", "99"]


def test_an_array_that_is_written_to_meanwhile_is_refused(tmp_path):
    data = write_array(tmp_path / "x", np.arange(20.0), (10,), skip={(1,)})
    np.testing.assert_array_equal(data[:10], np.arange(10.0))
    (tmp_path / "x" / "1").write_bytes(np.arange(10.0).tobytes())
    with pytest.raises(DataError, match=r"modified while.*\n  fix: wait until"):
        data[10:]


# ---- the tree


def test_links_lead_to_other_places_and_are_no_members_of_their_own(tmp_path):
    for name in ("", "a"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / ".zgroup").write_text('{"zarr_format": 2}', encoding="utf-8")
    write_array(tmp_path / "a" / "x", GRID, (7, 5))
    link = {"zarr_link": [{"name": "y", "path": "/a/x", "source": "."}]}
    (tmp_path / ".zattrs").write_text(json.dumps(link | {"n": [1, 2]}), encoding="utf-8")
    tree = open_zarr2(str(tmp_path))
    assert tree.root.names() == ("a", "y")
    assert (tree.root.is_link("y"), tree.root.is_link("a")) == (True, False)
    assert tree.root["y"].path == "a/x"
    assert tree.root.attributes.keys() == {"n"}
    with pytest.raises(KeyError):
        tree.get("a/x/nothing")


# ---- parity


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_slice_of_any_array_equals_numpys(tmp_path_factory, data):
    shape = data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=3), label="shape")
    chunks = [data.draw(st.integers(1, 8)) for _ in shape]
    dtype = data.draw(st.sampled_from(["<f8", "<f4", ">i4", "|u1", "|b1", "<i2"]))
    values = (np.arange(np.prod(shape)) % 100).reshape(shape).astype(dtype)
    written = write_array(
        tmp_path_factory.mktemp("arrays") / "x",
        values,
        tuple(chunks),
        compressor=COMPRESSORS[data.draw(st.sampled_from(list(COMPRESSORS)))],
        order=data.draw(st.sampled_from("CF")),
        separator=data.draw(st.sampled_from(["/", "."])),
        fill=data.draw(st.sampled_from([0, 1])),
    )
    n = shape[0]
    rows = data.draw(st.one_of(st.slices(n), st.integers(-n, n - 1)), label="rows")
    np.testing.assert_array_equal(written[rows], values[rows])
    assert written.dtype == values.dtype
