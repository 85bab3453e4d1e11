"""A pose as body parts: which channels belong to one, chosen and seen from one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from neurodsr.data.lazy import LazyArray, lazy_pair, take_channels
from neurodsr.data.streams import Series
from neurodsr.errors import DataError, nearest

AXES = frozenset({"x", "y", "z"})


class Coordinate(NamedTuple):
    """What a channel is: a coordinate of a body part; the axis is "" where it has only one."""

    part: str
    axis: str


def coordinates(series: Series, path: str) -> tuple[Coordinate, ...]:
    """The body part and axis of each channel.

    Of the channels "nose.x" and "nose.y" of a container, the part is "nose"; where a series of one
    body part has the channels "x" and "y", it is the series' own name, the last one in its path.
    Any other channel is a body part of its own.
    """
    return tuple(_coordinate(name, path) for name in series.channels.ids)


def parts_of(where: Sequence[Coordinate]) -> tuple[str, ...]:
    """The body parts, each once, in the file's order."""
    return tuple(dict.fromkeys(c.part for c in where))


def require_parts(wanted: Sequence[str], known: Sequence[str], *, field: str, where: str) -> None:
    """Refuse body parts that are not there.

    Parameters
    ----------
    field
        The key of the configuration that names them.

    Raises
    ------
    DataError
        One is not there.
    """
    for part in wanted:
        if part not in known:
            raise DataError(
                f"there is no body part {part!r}: {nearest(part, known)}",
                where=where,
                fix=f"correct `{field}`; the pose has {', '.join(known)}",
            )


def take_parts(series: Series, parts: Sequence[str], found: Sequence[Coordinate]) -> Series:
    """The channels of some body parts, in the file's order."""
    return _take(series, np.flatnonzero([c.part in parts for c in found]))


def seen_from(series: Series, center: str, found: Sequence[Coordinate], *, where: str) -> Series:
    """Every other body part relative to one of them, which is left out: it would stand at 0.

    A sample counts where both were seen.

    Raises
    ------
    DataError
        There is no other body part, or one has an axis that the center lacks.
    """
    origin = {c.axis: i for i, c in enumerate(found) if c.part == center}
    others = np.array([i for i, c in enumerate(found) if c.part != center], dtype=int)
    _require_axes(origin, [found[i] for i in others], center, where)
    origins = np.array([origin[found[i].axis] for i in others])

    def read(first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        values = np.asarray(series.values[first:stop])
        seen = np.asarray(series.valid[first:stop])
        valid = seen[:, others] & seen[:, origins]
        return np.where(valid, values[:, others] - values[:, origins], 0.0), valid

    if isinstance(series.values, LazyArray):
        values, valid = lazy_pair(read, shape=(len(series.times), len(others)), dtype=np.float64)
    else:
        values, valid = read(0, len(series.times))
    # Of two positions there is no one confidence; it has been heeded by now.
    return _take(series, others)._replace(values=values, valid=valid, confidence=None)


def _coordinate(name: str, path: str) -> Coordinate:
    if name in AXES:
        return Coordinate(path.strip("/").rpartition("/")[2], name)
    part, _, axis = name.rpartition(".")
    return Coordinate(part, axis) if part and axis in AXES else Coordinate(name, "")


def _require_axes(
    origin: dict[str, int], others: Sequence[Coordinate], center: str, where: str
) -> None:
    if not others:
        raise DataError(
            f"{center!r} is the only body part: seen from itself it never moves",
            where=where,
            fix="set center: none, or name a container with more body parts as path",
        )
    for coordinate in others:
        if coordinate.axis not in origin:
            raise DataError(
                f"{coordinate.part!r} has an axis {coordinate.axis!r}, but the center {center!r} "
                f"has {', '.join(map(repr, origin))} only",
                where=where,
                fix="name as body_parts those that have the axes of the center, or choose another "
                "center",
            )


def _take(series: Series, index: np.ndarray) -> Series:
    told = series.confidence
    return series._replace(
        values=take_channels(series.values, index),
        valid=take_channels(series.valid, index),
        confidence=None if told is None else take_channels(told, index),
        channels=series.channels.select(index),
        columns={name: np.asarray(column)[index] for name, column in series.columns.items()},
    )
