"""The same recordings on HDF5, Zarr 2 and Zarr 3 read alike, object by object."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr

from neurodsr.errors import DataError, IntegrityError
from neurodsr.sources.hdf5_tree import Hdf5Tree
from neurodsr.sources.nwb import NwbSource
from neurodsr.sources.tree import Dataset, Group
from neurodsr.sources.zarr_open import open_zarr_tree

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
PAIRS = {
    "spikes/nelpy_linear-track.nwb": "zarr/nelpy_linear-track.nwb.zarr",
    "calcium/neuroconv_ophys_nwb_test.nwb": "zarr/neuroconv_ophys_nwb_test.nwb.zarr",
    "opto/sub-anm00239123_ses-20170627T093549_ecephys+ogen.nwb": (
        "zarr/sub-anm00239123_ecephys+ogen.nwb.zarr"
    ),
}


def shared(name):
    path = SHARED / name
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"the real recording {name} is missing on CI")
        pytest.skip(f"the real recording {name} is not beside this checkout")
    return path


def walk(group):
    for name in group:
        item = group[name]
        if group.is_link(name) or name in ("specifications", "file_create_date"):
            continue
        yield item
        if isinstance(item, Group):
            yield from walk(item)


def as_zarr3(group, out):
    """Write an HDF5 group as hdmf-zarr 0.14 writes format 3, by its storage specification."""
    for name, value in group.attributes.items():
        out.attrs[name] = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    links = []
    for name in group:
        item = group[name]
        if group.is_link(name):
            links.append({"name": name, "path": f"/{item.path}", "source": "."})
        elif isinstance(item, Dataset):
            array_as_zarr3(name, item, out)
        else:
            as_zarr3(item, out.create_group(name))
    if links:
        out.attrs["_LINKS"] = links


def array_as_zarr3(name, item, out):
    if item.kind == "other":
        return
    values = np.asarray(item[()])
    number = item.kind == "number"
    array = out.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype if number else str,
        chunks=tuple(max(n, 1) for n in values.shape),
    )
    array[...] = values if number else values.astype("T")
    attributes = dict(item.attributes)
    if item.kind == "reference":
        attributes["_DTYPE"] = "object_reference"
    for key, value in attributes.items():
        array.attrs[key] = value.tolist() if isinstance(value, np.ndarray | np.generic) else value


@pytest.fixture(params=["zarr 2", "zarr 3"])
def twins(request, tmp_path):
    """A function that opens an HDF5 recording and the same one on Zarr."""

    def find(name):
        path = shared(name)
        if request.param == "zarr 2":
            return path, shared(PAIRS[name])
        out = tmp_path / "three.zarr"
        as_zarr3(Hdf5Tree(str(path)).root, zarr.create_group(out, zarr_format=3))
        return path, out

    return find


@pytest.mark.parametrize("name", PAIRS)
def test_every_group_and_dataset_is_the_same(name, twins):
    hdf5, folder = twins(name)
    one, two = Hdf5Tree(str(hdf5)), open_zarr_tree(str(folder))
    for item in walk(one.root):
        if isinstance(item, Group):
            assert two.get(item.path).names() == item.names()
            continue
        twin = two.get(item.path)
        assert twin.shape == item.shape
        if twin.kind == "other":
            continue
        assert twin.kind == item.kind
        key = slice(0, 50) if item.ndim else ()
        np.testing.assert_array_equal(twin[key], item[key], err_msg=item.path)


@pytest.mark.parametrize("name", PAIRS)
def test_every_stream_is_listed_and_read_alike(name, twins):
    hdf5, folder = twins(name)
    with NwbSource(hdf5) as one, NwbSource(folder) as two:
        assert one.list_streams() == two.list_streams()
        assert one.session().identifier == two.session().identifier
        for entry in one.list_streams():
            if any(p.startswith("error") for p in entry.problems):
                continue
            a, b = (getattr(s, entry.kind)(entry.path) for s in (one, two))
            for x, y in zip(a, b, strict=True):
                if hasattr(x, "shape"):
                    np.testing.assert_array_equal(np.asarray(x), np.asarray(y))
                elif not isinstance(x, dict) and entry.kind != "events":
                    assert x == y or np.array_equal(np.asarray(x), np.asarray(y))


def test_an_array_coded_with_pickle_is_listed_and_never_decoded():
    tree = open_zarr_tree(str(shared(PAIRS["spikes/nelpy_linear-track.nwb"])))
    groups = tree.get("units/electrode_group")
    assert groups.kind == "other"
    with pytest.raises(DataError, match="fix: leave this object out; `group_name` says the same"):
        groups[:]


def test_a_link_that_leaves_the_folder_is_refused(tmp_path):
    root = zarr.create_group(
        tmp_path / "x.zarr", zarr_format=3, attributes={"nwb_version": "2.7.0"}
    )
    root.attrs["zarr_link"] = [{"name": "units", "path": "/units", "source": "../other.zarr"}]
    with pytest.raises(IntegrityError, match="or export a self-contained copy"):
        open_zarr_tree(str(tmp_path / "x.zarr"))


def test_a_zarr_group_that_is_not_nwb_is_refused(tmp_path):
    zarr.create_group(tmp_path / "x.zarr", zarr_format=3)
    with pytest.raises(DataError, match=r"fix: lay the group out as docs/zarr_layout\.md says"):
        NwbSource(tmp_path / "x.zarr")


def test_nwb_1_on_zarr_is_refused(tmp_path):
    zarr.create_group(tmp_path / "x.zarr", zarr_format=3, attributes={"nwb_version": "1.0.6"})
    with pytest.raises(DataError, match=r"'1\.0\.6'; version 2 is needed"):
        NwbSource(tmp_path / "x.zarr")


def test_a_soft_link_is_named_by_what_it_leads_to(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["here/data"] = np.arange(3)
        file["there"] = h5py.SoftLink("/here/data")
    tree = Hdf5Tree(str(tmp_path / "a.h5"))
    assert tree.root.is_link("there")
    assert tree.root["there"].path == "here/data"
