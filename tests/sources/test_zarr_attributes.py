"""Links, references and lists in the attributes of NWB on Zarr, in both spellings."""

from __future__ import annotations

import numpy as np
import pytest

from neurodsr.errors import IntegrityError
from neurodsr.sources.zarr_attributes import (
    leaving_links,
    link_targets,
    plain_attributes,
    stands_for,
)


def plain(value, root="/data/a.zarr"):
    return plain_attributes({"x": value}, root, "a.zarr:/units")["x"]


@pytest.mark.parametrize("value", ["text", "", 3, 2.5, True, None])
def test_what_is_plain_stays_as_it_is(value):
    assert plain(value) is value


def test_lists_become_arrays():
    np.testing.assert_array_equal(plain([[1, 2], [3, 4]]), [[1, 2], [3, 4]])
    assert plain(["left", "right"]).dtype.kind == "U"


def test_lists_of_different_lengths_spoil_no_other_attribute():
    found = plain_attributes({"odd": [[1], [2, 3]], "n": 4}, "/data/a.zarr", "")
    assert found["n"] == 4
    assert [np.asarray(row).tolist() for row in found["odd"]] == [[1], [2, 3]]


@pytest.mark.parametrize("source", [".", "", None, "/data/a.zarr", "../a.zarr", "/data/./a.zarr/"])
@pytest.mark.parametrize("key", ["value", "_REFERENCE"])
def test_a_reference_is_the_path_it_leads_to(key, source):
    reference = {key: {"source": source, "path": "/general/electrodes", "object_id": "1"}}
    assert plain(reference) == "general/electrodes"
    assert plain([reference, reference]).tolist() == ["general/electrodes"] * 2


def test_a_record_that_is_no_reference_stays_as_it_is():
    assert plain({"value": 3, "n": [1]}) == {"value": 3, "n": [1]}


@pytest.mark.parametrize(
    ("source", "path"), [("../b.zarr", "/x"), ("b.zarr", "/x"), (".", "/../x"), (".", "x/../../y")]
)
def test_a_reference_that_leads_out_is_refused(source, path):
    with pytest.raises(IntegrityError, match="fix: export a self-contained copy") as caught:
        plain({"_REFERENCE": {"source": source, "path": path}})
    assert caught.value.where == "a.zarr:/units@x"
    assert f"{source}:{path}" in caught.value.what


@pytest.mark.parametrize("key", ["zarr_link", "_LINKS"])
def test_links_are_told_by_name_and_are_no_attributes(key):
    inside = {"name": "y", "source": ".", "path": "/a/x"}
    document = {key: [inside], "n": 1}
    assert link_targets(document, "/data/a.zarr", "") == {"y": "a/x"}
    assert plain_attributes(document, "/data/a.zarr", "") == {"n": 1}
    assert leaving_links(document, "/data/a.zarr") == []
    outside = {"name": "z", "source": "../b.zarr", "path": "/x"}
    assert leaving_links({key: [inside, outside]}, "/data/a.zarr") == ["z (link to ../b.zarr:/x)"]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"zarr_dtype": "scalar"}, "scalar"),
        ({"_DTYPE": "object_reference"}, "object_reference"),
        ({"zarr_dtype": [{"name": "x", "dtype": "int"}]}, ""),
        ({}, ""),
    ],
)
def test_what_the_elements_of_an_array_stand_for(attributes, expected):
    assert stands_for(attributes) == expected
