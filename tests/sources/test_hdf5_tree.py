"""An HDF5 file as a tree: what its members, attributes, links and references are given as."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from neurodsr.sources import hdf5_tree
from neurodsr.sources.hdf5_tree import Hdf5Tree
from neurodsr.sources.tree import Dataset, Group

REFERENCE = h5py.ref_dtype


@pytest.fixture
def tree_of(tmp_path):
    """A function that writes an HDF5 file with `fill` and opens it as a tree."""
    trees = []

    def write(fill):
        path = tmp_path / "tree.h5"
        with h5py.File(path, "w") as file:
            fill(file)
        trees.append(Hdf5Tree(str(path)))
        return trees[-1]

    yield write
    for tree in trees:
        tree.close()


def test_members_are_sorted_and_found_by_path_with_or_without_a_slash(tree_of):
    tree = tree_of(lambda f: [f.create_group("b/inner"), f.create_dataset("a", data=[1, 2])])
    assert tree.root.names() == ("a", "b")
    assert tree.get("/b/inner").path == tree.get("b/inner").path == "b/inner"
    assert isinstance(tree.get("a"), Dataset)
    assert isinstance(tree.get("b"), Group)


@pytest.mark.parametrize("path", ["none", "a/deeper", "b/none"])
def test_what_is_not_there_is_a_key_error(tree_of, path):
    tree = tree_of(lambda f: [f.create_group("b"), f.create_dataset("a", data=[1])])
    with pytest.raises(KeyError):
        tree.get(path)
    assert tree.root.get("none") is None


def test_a_soft_link_has_the_path_of_what_it_leads_to(tree_of):
    def fill(file):
        file.create_dataset("a/times", data=[0.5])
        file["link"] = h5py.SoftLink("/a/times")
        file["a/near"] = h5py.SoftLink("times")

    root = tree_of(fill).root
    assert root.is_link("link")
    assert not root.is_link("a")
    assert root["link"].path == "a/times"
    assert root["a"]["near"][:].tolist() == [0.5]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array([1, 2], dtype=np.uint8), "number"),
        (np.array([1.5, 2.5]), "number"),
        (np.array([True, False]), "number"),
        (np.array(["a", "ä"], dtype=object), "text"),
        (np.array([b"a", b"b"]), "text"),
        (np.zeros(2, dtype=[("x", "u4"), ("weight", "f4")]), "other"),
    ],
)
def test_a_dataset_tells_its_kind_and_gives_its_values(tree_of, values, kind):
    data = tree_of(lambda f: f.create_dataset("d", data=values)).get("d")
    expected = [v.decode() for v in values] if values.dtype.kind == "S" else values.tolist()
    assert (data.kind, data.shape, len(data)) == (kind, (2,), 2)
    assert data[:].tolist() == expected
    assert data[1:].tolist() == expected[1:]


def test_references_are_paths_and_one_to_nothing_is_empty(tree_of):
    def fill(file):
        group = file.create_group("shank")
        file.create_dataset("d", data=np.array([group.ref, h5py.Reference()], dtype=REFERENCE))
        file["d"].attrs["table"] = group.ref

    data = tree_of(fill).get("d")
    assert data.kind == "reference"
    assert data[:].tolist() == ["shank", ""]
    assert data.attributes["table"] == "shank"


def test_attributes_are_plain_texts_and_numbers(tree_of):
    def fill(file):
        file.attrs.update({"text": "µm", "bytes": np.bytes_(b"raw"), "number": 2.5, "none": ""})
        file.attrs["names"] = np.array(["id", "x"], dtype=h5py.string_dtype())
        file.attrs["empty"] = h5py.Empty("f8")

    attributes = tree_of(fill).root.attributes
    assert (attributes["text"], attributes["bytes"], attributes["number"]) == ("µm", "raw", 2.5)
    assert attributes["names"].tolist() == ["id", "x"]
    assert attributes["none"] == ""
    assert "nothing" not in attributes
    assert attributes.get("nothing", "default") == "default"
    assert set(attributes) == {"text", "bytes", "number", "none", "names", "empty"}
    with pytest.raises(KeyError):
        attributes["nothing"]


def test_an_attribute_is_read_once(tree_of, monkeypatch):
    asked = []
    real = hdf5_tree._attribute
    monkeypatch.setattr(
        hdf5_tree, "_attribute", lambda source, name: asked.append(name) or real(source, name)
    )
    attributes = tree_of(lambda f: f.attrs.update({"unit": "V"})).root.attributes
    assert [attributes["unit"], attributes.get("unit"), "unit" in attributes] == ["V", "V", True]
    assert asked == ["unit"]


@pytest.mark.parametrize("text", ["a" * 1_000_000, "left\u202eright", "tab\tand\x07bell"])
def test_texts_of_any_length_and_direction_come_as_they_are(tree_of, text):
    def fill(file):
        file.create_dataset("d", data=text)
        file.attrs["a"] = text

    tree = tree_of(fill)
    assert str(tree.get("d")[()]) == text
    assert tree.root.attributes["a"] == text


def test_a_name_that_is_no_utf8_can_be_listed_and_opened(tree_of):
    def fill(file):
        group = h5py.h5g.create(file.id, b"caf\xe9")
        h5py.Group(group).attrs["neurodata_type"] = "TimeSeries"

    root = tree_of(fill).root
    (name,) = root.names()
    assert name.startswith("caf")
    assert root[name].attributes["neurodata_type"] == "TimeSeries"


@pytest.mark.parametrize("n", [0, 5, 300_000])
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_small_and_large_datasets_are_read_alike_whole_and_in_part(tree_of, n, compression):
    values = np.arange(n, dtype=np.int32)
    options = {"compression": compression, "chunks": (min(n, 64_000),)} if compression and n else {}
    data = tree_of(lambda f: f.create_dataset("d", data=values, **options)).get("d")
    np.testing.assert_array_equal(data[:], values)
    np.testing.assert_array_equal(data[2 : n - 1], values[2 : n - 1])
    np.testing.assert_array_equal(data[::3], values[::3])


def test_a_scalar_has_no_axes(tree_of):
    data = tree_of(lambda f: f.create_dataset("d", data=2.5)).get("d")
    assert (data.shape, data.ndim, float(data[()])) == ((), 0, 2.5)


def test_sequences_of_variable_length_are_never_read(tree_of):
    kind = h5py.vlen_dtype(np.int32)

    def fill(file):
        file.create_dataset("d", (2,), dtype=kind)[0] = [1, 2]
        space, stored = h5py.h5s.create_simple((2,)), h5py.h5t.py_create(kind, logical=True)
        h5py.h5a.create(file.id, b"a", stored, space)

    tree = tree_of(fill)
    assert tree.get("d").kind == "other"
    with pytest.raises(TypeError, match="variable length"):
        tree.get("d")[:]
    with pytest.raises(TypeError, match="variable length"):
        tree.root.attributes["a"]
