"""Angles on the grid, in rad and averaged on the circle: between 359 and 1 degrees lies 0."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import pi
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodsr.data.lazy import LazyArray, Read, blockwise
from neurodsr.data.streams import Series, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.modalities.signals import BLOCK_VALUES, resampler
from neurodsr.sources.base import Source

if TYPE_CHECKING:
    from neurodsr.modalities.behavior import Behavior

RADIANS = frozenset({"rad", "radian", "radians"})
DEGREES = frozenset({"deg", "degree", "degrees", "°"})
SHORTEST = 1e-6
"""Length of a mean vector below which it points nowhere, as that of two opposite directions."""


def load_angles(behavior: Behavior, source: Source, grid: TimeGrid, *, where: str) -> Stream:
    r"""Angles from -pi to pi, rad: the direction of the mean, or interpolated, unit vector.

    Opposite directions within a bin leave no mean; such a bin is masked.

    Raises
    ------
    DataError
        A channel or column is not there, too much is missing, or the unit is not known.
    """
    series = behavior.read_series(source)
    factor, notes = _to_radians(series, behavior.angle_unit, where=where)
    cosine, sine = (
        resampler(_part(series, f, factor), grid, behavior.resample, max_gap=behavior.max_gap)
        for f in (np.cos, np.sin)
    )
    read, channels = _direction(cosine, sine), series.channels
    notes = (*series.notes, *notes)
    if isinstance(series.values, LazyArray):
        values, mask = blockwise(grid, read, n_channels=len(channels), dtype=np.float32)
        return Stream(values, mask, channels, "rad", notes)
    values, mask = read(grid)
    return Stream(values.astype(np.float32), mask, channels, "rad", notes)


def _direction(cosine: Read, sine: Read) -> Read:
    def read(part: TimeGrid) -> tuple[np.ndarray, np.ndarray]:
        (c, mask), (s, _) = cosine(part), sine(part)
        mask = mask & (np.hypot(c, s) > SHORTEST)
        return np.where(mask, np.arctan2(s, c), 0.0), mask

    return read


def _part(series: Series, function: Callable[[Any], Any], factor: float) -> Series:
    """One component of the unit vectors; lazy where the angles are."""
    held = series.values

    def load(key: Any) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # an infinite value is masked, and has no direction
            return function(factor * np.asarray(held[key], dtype=np.float64))

    lazy = isinstance(held, LazyArray)
    values = LazyArray(load, shape=held.shape, dtype=np.float64) if lazy else load(slice(None))
    return series._replace(values=values)


def _to_radians(series: Series, unit: str, *, where: str) -> tuple[float, tuple[str, ...]]:
    """What turns the angles into rad, and a note where that was concluded from their size."""
    said = series.unit.strip().lower() if unit == "auto" else unit
    if said in RADIANS:
        return 1.0, ()
    if said in DEGREES:
        return pi / 180, ()
    largest = _beyond_a_turn(series)
    if largest is None:
        return 1.0, (f"angles of unit {series.unit!r} that stay within 2 pi were taken for rad",)
    raise DataError(
        f"angles up to {largest:.6g} in a unit of {series.unit!r}: neither rad nor deg, and more "
        "than 2 pi",
        where=where,
        fix="declare angle_unit: deg or angle_unit: rad",
    )


def _beyond_a_turn(series: Series) -> float | None:
    """The largest size of the first angles that exceed a turn in rad; None if none do."""
    for values, valid in _blocks(series):
        largest = np.abs(values[valid]).max(initial=0.0)
        if largest > 2 * pi * (1 + 1e-6):  # float32 rounds 2 pi upward
            return float(largest)
    return None


def _blocks(series: Series) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    n, n_channels = series.values.shape
    step = max(1, BLOCK_VALUES // max(1, n_channels))
    for first in range(0, n, step):
        rows = slice(first, first + step)
        yield np.asarray(series.values[rows]), np.asarray(series.valid[rows])
