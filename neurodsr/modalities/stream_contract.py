"""Whether what a modality loaded is a stream as the contract says: shapes, masks, values, texts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool

from neurodsr.data.channels import Channels
from neurodsr.data.lazy import LazyArray
from neurodsr.data.streams import Stream
from neurodsr.data.time import TimeGrid
from neurodsr.modalities.signals import BLOCK_VALUES

NUMBERS = "biuf"
"""Kinds of numbers that values may be: booleans, integers, and real numbers."""
FLOAT32 = np.finfo(np.float32)
"""What real numbers are stored as."""


def misfit(stream: object, grid: TimeGrid) -> str:
    """The first thing in which a loaded stream breaks the contract, in words; "" if none does.

    The words go on after "it gave". Lazy values are not read: each block of theirs is a stream
    on a part of the grid, to be looked at when it is there.

    Parameters
    ----------
    stream
        What `Modality.load` gave: of whatever type.
    grid
        The grid that it was asked for.
    """
    if not isinstance(stream, Stream):
        return f"{_a(stream)}, not a Stream"
    found = _misfit_of_texts(stream) or _misfit_of_arrays(stream, grid)
    if found or isinstance(stream.values, LazyArray):
        return found
    return next(filter(None, _misfits_of_values(stream, grid)), "")


def _misfit_of_texts(stream: Stream) -> str:
    if not isinstance(stream.unit, str):
        return f"a unit of {stream.unit!r}, not a text"
    if not isinstance(stream.notes, tuple | list):
        return f"{_a(stream.notes)} as notes, not a tuple of texts"
    if not isinstance(stream.channels, Channels):
        return f"{_a(stream.channels)} as channels, not Channels"
    for what, texts in (("note", stream.notes), ("channel id", stream.channels.ids)):
        for text in texts:
            if not isinstance(text, str):
                return f"a {what} of {text!r}, not a text"
    return ""


def _misfit_of_arrays(stream: Stream, grid: TimeGrid) -> str:
    arrays = {"values": stream.values, "mask": stream.mask, "exposure": stream.exposure}
    if stream.exposure is None:
        del arrays["exposure"]
    for what, array in arrays.items():
        if not isinstance(array, np.ndarray | LazyArray):
            return f"{_a(array)} as {what}, neither a NumPy array nor a LazyArray"
        if isinstance(array, LazyArray) and not isinstance(stream.values, LazyArray):
            return f"a lazy {what} of values that are not lazy"
        if what != "mask" and array.dtype.kind not in NUMBERS:
            return f"{what} of type {array.dtype}, which are no real numbers"
    if stream.mask.dtype != bool:
        return f"a mask of {stream.mask.dtype}, not of bool"
    if stream.n_bins != grid.n_bins:
        return f"{stream.n_bins} bins where the grid has {grid.n_bins}"
    return ""


def _misfits_of_values(stream: Stream, grid: TimeGrid) -> Iterator[str]:
    """The misfits of one block of bins after the other, so that little is held at a time."""
    step = max(1, BLOCK_VALUES // max(1, stream.n_channels))
    for first in range(0, stream.n_bins, step):
        part = grid.part(first, min(first + step, stream.n_bins))
        rows = slice(first, first + step)
        yield from _misfits_of_block(stream.transform(lambda array, rows=rows: array[rows]), part)


def _misfits_of_block(block: Stream, grid: TimeGrid) -> Iterator[str]:
    values, mask, exposure, ids = block.values, block.mask, block.exposure, block.channels.ids
    if values.dtype.kind == "f":
        wrong = mask & ~(np.abs(values) <= FLOAT32.max)
        yield _first_of(values, wrong, ids, grid, "is observed, and must be a finite float32")
    if not mask.all():
        yield _first_of(values, ~mask & (values != 0), ids, grid, "is masked, and must be 0")
    if exposure is not None:
        partly = (exposure >= FLOAT32.tiny) & (exposure <= 1)
        wrong = np.where(mask, ~partly, exposure != 0)
        due = "must be in (0, 1], and 0 where the mask is False"
        yield _first_of(exposure, wrong, ids, grid, due, what="an exposure of ")


def _first_of(
    array: np.ndarray,
    wrong: Bool[np.ndarray, "time channel"],
    ids: tuple[str, ...],
    grid: TimeGrid,
    why: str,
    *,
    what: str = "",
) -> str:
    """The first entry that is wrong, with its place; "" where none is."""
    if not wrong.any():
        return ""
    t, c = np.argwhere(wrong)[0]
    return f"{what}{array[t, c]} at {grid.edges[t]:.6g} s in channel {ids[c]!r}, which {why}"


def _a(thing: object) -> str:
    name = type(thing).__name__
    return f"an {name}" if name[0] in "aeiouAEIO" else f"a {name}"
