"""Which image was shown when: index series of an NWB file as events, a channel an image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodsr.data.streams import Events
from neurodsr.errors import DataError
from neurodsr.sources.event_channels import ordered_events
from neurodsr.sources.nwb_clock import read_clock
from neurodsr.sources.nwb_nodes import Node, read_all
from neurodsr.sources.tree import Dataset, Group


def is_index_series(node: Node) -> bool:
    """Whether an object tells by number which image was shown at each time."""
    data = node.dataset("data")
    return node.is_a("IndexSeries") and data is not None and data.ndim == 1


def load_index_series(node: Node) -> Events:
    """The onsets of each image, one channel an image that was shown, in order of their numbers.

    Channels are named by the images where the file gives their order, else by number. Negative
    numbers stand for no image and are left out.

    Raises
    ------
    DataError
        The entries are no whole numbers, no image was shown, or the clock is wrong.
    """
    where = f"{node.where}/data"
    index = read_all(node.dataset("data"), where)
    if index.dtype.kind not in "iuf" or not _whole(index):
        raise DataError(
            f"entries of type {index.dtype} that are not all whole numbers",
            where=where,
            fix="an index series holds the number of the image shown at each time, from 0",
        )
    clock = read_clock(node, n_samples=len(index))
    index = (index if clock.rows is None else index[clock.rows]).astype(np.int64)
    shown = index >= 0
    events = ordered_events(np.asarray(clock.times)[shown], index[shown], where=node.where)
    notes = [] if shown.all() else [f"{int((~shown).sum())} times without an image were left out"]
    return _named(events, _image_names(node))._replace(notes=(*clock.notes, *notes, *events.notes))


def _whole(index: np.ndarray) -> bool:
    return bool(np.isfinite(index).all() and np.array_equal(index, np.round(index)))


def _image_names(node: Node) -> list[str]:
    """Names of the images by number; none where the file does not order them."""
    images = node.group.get("indexed_images")
    order = images.get("order_of_images") if isinstance(images, Group) else None
    if not isinstance(order, Dataset) or order.kind != "reference":
        return []
    paths = read_all(order, f"{node.where}/indexed_images/order_of_images")
    return [str(path).rpartition("/")[2] for path in paths]


def _named(events: Events, names: list[str]) -> Events:
    numbers = [int(i) for i in events.channels.ids]
    found = [names[i] for i in numbers if i < len(names) and names[i]]
    if len(set(found)) < len(numbers):
        return events
    return events._replace(channels=replace(events.channels, ids=tuple(found)))
