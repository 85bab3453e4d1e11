"""Angles from a source to the grid: units, and averages on the circle."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neurodsr.data.lazy import LazyArray, lazy_pair
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.modalities.behavior import Behavior

GRID = TimeGrid(0.0, 0.5, 4)


def heading(**fields):
    return Behavior.from_plain({"path": "path", "observation": "angle", **fields})


def lazily(series):
    values, valid = lazy_pair(
        lambda a, b: (series.values[a:b], series.valid[a:b]),
        shape=series.values.shape,
        dtype=float,
    )
    return series._replace(values=values, valid=valid)


@pytest.fixture
def degrees(series):
    """Two samples a bin, in degrees."""

    def make(*columns, unit="degrees"):
        return series(0.125 + 0.25 * np.arange(len(columns[0])), *columns)._replace(unit=unit)

    return make


@pytest.mark.parametrize("lazy", [False, True])
def test_angles_are_averaged_on_the_circle_and_not_across_the_wrap(source, degrees, lazy):
    signal = degrees([359, 1, 350, 20, 90, 90, 179, 183])
    stream = heading().load(source(lazily(signal) if lazy else signal), GRID)
    assert isinstance(stream.values, LazyArray) is lazy
    np.testing.assert_allclose(
        np.rad2deg(np.asarray(stream.values)[:, 0]), [0, 5, 90, -179], atol=1e-5
    )
    assert np.asarray(stream.mask).all()
    assert (stream.unit, stream.values.dtype) == ("rad", np.float32)


def test_a_slow_angle_is_interpolated_the_short_way_round(source, series):
    signal = series([0.0, 1.0, 2.0], [350.0, 10.0, 30.0])._replace(unit="deg")
    stream = heading().load(source(signal), GRID)
    # Lines between unit vectors: halfway their direction is exact, elsewhere it is near.
    found = np.rad2deg(stream.values[:, 0])
    np.testing.assert_allclose(found, [-5, 5, 15, 25], atol=0.1)


def test_a_bin_of_opposite_directions_has_no_mean_and_is_masked(source, degrees):
    stream = heading().load(source(degrees([0, 180, 10, 10, 20, 20, 30, 30])), GRID)
    assert stream.mask[:, 0].tolist() == [False, True, True, True]
    assert stream.values[0, 0] == 0


def test_a_lost_sample_points_nowhere(source, degrees):
    signal = degrees([90, None, None, None, 10, 10, 30, 50])
    stream = heading(max_missing=0.5).load(source(signal), GRID)
    np.testing.assert_allclose(np.rad2deg(stream.values[:, 0]), [90, 0, 10, 40], atol=1e-5)
    assert stream.mask[:, 0].tolist() == [True, False, True, True]


def test_an_infinite_sample_that_is_masked_does_no_harm(source, degrees):
    signal = degrees([90.0, 90.0, 10.0, 10.0, 20.0, 20.0, 30.0, 30.0])
    signal.values[1], signal.valid[1] = np.inf, False
    stream = heading().load(source(signal), GRID)
    assert stream.values[0, 0] == pytest.approx(math.pi / 2)


@pytest.mark.parametrize("unit", ["rad", "radians", "Radian "])
def test_the_unit_of_the_file_is_used(source, degrees, unit):
    signal = degrees([7, 7, 0, 1, 1, 1, -1, -1], unit=unit)
    stream = heading().load(source(signal), GRID)
    np.testing.assert_allclose(stream.values[:, 0], [7 - 2 * math.pi, 0.5, 1, -1], rtol=1e-6)
    assert stream.notes == ("a note",)


def test_a_declared_unit_wins_over_that_of_the_file(source, degrees):
    """A head direction whose writer left the default unit of a SpatialSeries."""
    signal = degrees([90] * 4 + [180] * 4, unit="meters")
    stream = heading(angle_unit="deg").load(source(signal), GRID)
    np.testing.assert_allclose(np.abs(stream.values[:, 0]), np.pi * np.array([0.5, 0.5, 1, 1]))


@pytest.mark.parametrize("lazy", [False, True])
def test_large_angles_of_unknown_unit_are_refused(source, degrees, lazy):
    signal = degrees([0, 90, 90, 6, 3, 3, 270.5, 3], unit="meters")
    with pytest.raises(
        DataError, match=r"path: angles up to 270\.5 in a unit of 'meters'[\s\S]*angle_unit: deg"
    ):
        heading().load(source(lazily(signal) if lazy else signal), GRID)


def test_small_angles_of_unknown_unit_are_taken_for_rad_with_a_note(source, degrees):
    turn = float(np.float32(2 * math.pi))  # rounded upward
    stream = heading().load(source(degrees([0, 0, 1, 1, 2, 2, turn, turn], unit="")), GRID)
    assert stream.notes[-1] == "angles of unit '' that stay within 2 pi were taken for rad"
    assert stream.values[1, 0] == 1


def test_angles_at_another_time_are_refused(source, degrees):
    signal = degrees([1, 2, 3])
    with pytest.raises(DataError, match=r"nothing is observed[\s\S]*check grid\.start"):
        heading().load(source(signal._replace(times=signal.times + 100)), GRID)
