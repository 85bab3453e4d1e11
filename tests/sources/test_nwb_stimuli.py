"""Which image was shown when, from an index series."""

from __future__ import annotations

from datetime import UTC, datetime

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile
from pynwb.base import ImageReferences, Images
from pynwb.image import GrayscaleImage, IndexSeries

from neurodsr.errors import DataError
from neurodsr.sources.hdf5_tree import Hdf5Tree
from neurodsr.sources.nwb_nodes import index_nodes
from neurodsr.sources.nwb_stimuli import is_index_series, load_index_series

PATH = "stimulus/presentation/shown"


@pytest.fixture
def nodes_of():
    """A function that gives the nodes of a file, closed after the test."""
    trees = []

    def opened(path):
        trees.append(Hdf5Tree(str(path)))
        return index_nodes(trees[-1])

    yield opened
    for tree in trees:
        tree.close()


@pytest.fixture
def shown(tmp_path, nodes_of):
    """A function that writes an index series by hand and gives its node."""

    def write(data, **clock):
        path = tmp_path / "raw.nwb"
        with h5py.File(path, "w") as file:
            group = file.create_group(PATH)
            group.attrs["neurodata_type"] = "IndexSeries"
            group["data"] = data
            if "timestamps" in clock:
                group["timestamps"] = clock["timestamps"]
            else:
                group["starting_time"] = 0.0
                group["starting_time"].attrs["rate"] = clock["rate"]
        return nodes_of(path)[PATH]

    return write


def written_by_pynwb(path, *, ordered):
    file = NWBFile("images", "i", datetime(2024, 1, 1, tzinfo=UTC))
    pictures = [GrayscaleImage(name=n, data=np.zeros((2, 2))) for n in ("house", "face")]
    order = ImageReferences(name="order_of_images", data=pictures) if ordered else None
    images = Images(name="pictures", images=pictures, order_of_images=order)
    file.add_stimulus_template(images)
    series = IndexSeries(
        name="shown", data=np.array([1, 0, 1], dtype=np.uint32), unit="N/A",
        indexed_images=images, timestamps=[1.0, 2.5, 3.0],
    )  # fmt: skip
    file.add_stimulus(series)
    with NWBHDF5IO(str(path), "w") as io:
        io.write(file)


@pytest.mark.parametrize(("ordered", "ids"), [(True, ("house", "face")), (False, ("0", "1"))])
def test_each_image_is_a_channel_named_where_the_file_orders_them(tmp_path, nodes_of, ordered, ids):
    path = tmp_path / "images.nwb"
    written_by_pynwb(path, ordered=ordered)
    node = nodes_of(path)[PATH]
    assert is_index_series(node)
    events = load_index_series(node)
    assert events.channels.ids == ids
    assert events.offsets.tolist() == [0, 1, 3]
    assert events.times.tolist() == [2.5, 1.0, 3.0]


def test_channels_are_in_the_order_of_the_numbers_not_of_their_digits(shown):
    events = load_index_series(shown(np.array([10, 2, 9]), timestamps=[0.5, 1.0, 1.5]))
    assert events.channels.ids == ("2", "9", "10")


def test_a_regular_clock_gives_the_onsets(shown):
    events = load_index_series(shown(np.array([0, 1, 0]), rate=4.0))
    assert events.times.tolist() == [0.0, 0.5, 0.25]


def test_blank_screens_are_left_out_and_counted(shown):
    events = load_index_series(shown(np.array([0, -1, 0, -1]), rate=4.0))
    assert events.channels.ids == ("0",)
    assert events.notes == ("2 times without an image were left out",)


def test_entries_that_are_no_numbers_of_images_are_refused(shown):
    with pytest.raises(DataError, match="the number of the image shown at each time"):
        load_index_series(shown(np.array([0.5, 1.0]), rate=4.0))


def test_a_series_without_any_image_is_refused(shown):
    with pytest.raises(DataError, match="leave this object out"):
        load_index_series(shown(np.array([-1, -1]), rate=4.0))
