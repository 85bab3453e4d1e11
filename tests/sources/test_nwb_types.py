"""Types and their ancestors: of the schema, of extensions that a file describes, and neither."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pynwb
import pytest

from neurodsr.sources.hdf5_tree import Hdf5Tree
from neurodsr.sources.nwb_types import ancestry, type_parents


@pytest.fixture
def parents_of(tmp_path):
    """A function that writes a file describing extensions, and gives the parents of all types."""

    def write(described=None):
        path = tmp_path / "types.nwb"
        with h5py.File(path, "w") as file:
            if described is not None:
                file["specifications/ndx-lab/1.0/lab"] = described
                file.attrs[".specloc"] = file["specifications"].ref
        tree = Hdf5Tree(str(path))
        found = type_parents(tree)
        tree.close()
        return found

    return write


def test_every_type_of_the_installed_schema_has_its_parents(parents_of):
    parents, catalog = parents_of(), pynwb.get_manager().type_map.namespace_catalog
    for name in catalog.get_namespace("core").get_registered_types():
        known = catalog.get_hierarchy("core", name)
        assert ancestry(name, parents)[: len(known)] == tuple(known), name


def test_an_extension_descends_as_the_file_describes(parents_of):
    lab = {"groups": [
        {"neurodata_type_def": "Whiskers", "neurodata_type_inc": "LabSeries"},
        {"neurodata_type_def": "LabSeries", "neurodata_type_inc": "TimeSeries"},
    ]}  # fmt: skip
    found = ancestry("Whiskers", parents_of(json.dumps(lab)))
    assert found[:4] == ("Whiskers", "LabSeries", "TimeSeries", "NWBDataInterface")


def test_a_file_cannot_redefine_the_schema(parents_of):
    lie = {"groups": [{"neurodata_type_def": "Units", "neurodata_type_inc": "TimeSeries"}]}
    assert "TimeSeries" not in ancestry("Units", parents_of(json.dumps(lie)))


def test_pose_is_known_though_the_file_does_not_describe_it(parents_of):
    assert "TimeSeries" in ancestry("PoseEstimationSeries", parents_of())


def test_an_unknown_type_is_itself_alone(parents_of):
    assert ancestry("Mystery", parents_of()) == ("Mystery",)


def test_a_circle_of_types_ends(parents_of):
    circle = [
        {"neurodata_type_def": "A", "neurodata_type_inc": "B"},
        {"neurodata_type_def": "B", "neurodata_type_inc": "A"},
    ]
    assert ancestry("A", parents_of(json.dumps({"groups": circle}))) == ("A", "B")


@pytest.mark.parametrize(
    "broken", ["{", "[1, 2]", '"text"', np.array([], dtype=h5py.string_dtype())]
)
def test_a_broken_description_leaves_the_schema(parents_of, broken):
    assert "TimeSeries" in ancestry("ElectricalSeries", parents_of(broken))
