"""Stretches on the grid: bins wholly inside, masks that cost no memory, and exact means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.data.channels import Channels
from neurodsr.data.coverage import CHANNELS, mean_cover, within
from neurodsr.data.streams import Events
from neurodsr.data.time import TimeGrid

UNIX = 1.7e9


def watching(observed, *, n):
    """Channels without events."""
    offsets, ids = np.zeros(n + 1, dtype=int), tuple(f"n{i}" for i in range(n))
    return Events(np.zeros(0), offsets, Channels(ids), observed)


# ---- bins wholly inside


def test_units_that_were_all_watched_alike_share_one_mask_in_memory():
    stretch = np.array([[0.0, 2.0]])
    grid = TimeGrid(0.0, 1.0, 4)
    for observed in (None, (stretch, stretch.copy(), stretch.copy())):
        mask = grid.observed(watching(observed, n=3))
        assert mask.shape == (4, 3)
        assert mask.strides[1] == 0
        assert not mask.flags.writeable
    assert mask[:, 0].tolist() == [True, True, False, False]


@pytest.mark.parametrize("n", [2, CHANNELS, CHANNELS + 1, 3 * CHANNELS])
def test_each_of_many_units_has_its_own_mask(n):
    grid = TimeGrid(0.0, 1.0, n)
    observed = tuple(np.array([[float(c), float(c + 1)]]) for c in range(n))
    np.testing.assert_array_equal(grid.observed(watching(observed, n=n)), np.eye(n, dtype=bool))


@given(
    start=st.sampled_from([0.0, 0.1, -7.3, UNIX]),
    bin_width=st.sampled_from([0.01, 0.1, 1 / 3]),
    k=st.integers(0, 300),
    n=st.integers(1, 300),
)
def test_a_stretch_of_n_bins_holds_n_bins_although_its_ends_are_rounded(start, bin_width, k, n):
    grid = TimeGrid(start, bin_width, 600)
    # A table's times are sums of their own, which meet the grid's edges only but for rounding.
    begins = start + k * bin_width
    inside = within(grid, np.array([begins]), np.array([begins + n * bin_width]))
    np.testing.assert_array_equal(np.flatnonzero(inside), np.arange(k, k + n))


def test_a_stretch_that_ends_a_microsecond_early_loses_its_last_bin():
    grid = TimeGrid(0.0, 0.1, 5)
    assert within(grid, np.array([0.0]), np.array([0.3 - 1e-6])).tolist() == [
        True, True, False, False, False,
    ]  # fmt: skip


def test_stretches_that_touch_do_not_join_the_bin_that_both_cut():
    grid = TimeGrid(0.0, 1.0, 3)
    inside = within(grid, np.array([0.0, 1.5]), np.array([1.5, 3.0]))
    assert inside.tolist() == [True, False, True]


def test_a_million_stretches_are_looked_at_together():
    grid = TimeGrid(0.0, 0.5, 2_000_000)
    starts = np.arange(1_000_000.0)
    found = within(grid, starts, starts + 0.5)
    np.testing.assert_array_equal(found, np.arange(2_000_000) % 2 == 0)


def test_half_a_bin_is_not_inside_however_coarse_the_clock():
    grid = TimeGrid(UNIX, 1e-4, 10)
    ends = grid.edges[[2, 5]] + np.array([0.5e-4, -0.5e-4])
    assert np.flatnonzero(within(grid, ends[:1], ends[1:])).tolist() == [3]


# ---- means


@given(
    start=st.sampled_from([0.0, 0.1, -7.3, UNIX]),
    bin_width=st.sampled_from([1e-4, 0.01, 0.1, 1 / 3]),
    first=st.integers(0, 29),
    n=st.integers(1, 30),
)
def test_a_row_from_edge_to_edge_adds_exactly_its_value(start, bin_width, first, n):
    grid = TimeGrid(start, bin_width, 60)
    row = grid.edges[[first]], grid.edges[[first + n]]
    expected = np.zeros(60)
    expected[first : first + n] = 0.1
    np.testing.assert_array_equal(mean_cover(grid, *row, np.array([0.1])), expected)


def test_rows_that_overlap_add_up_and_those_beyond_the_grid_are_cut_off():
    grid = TimeGrid(0.0, 2.0, 3)
    starts, stops = np.array([-1.0, 1.0, 4.5]), np.array([1.0, 3.0, 9.0])
    means = mean_cover(grid, starts, stops, np.array([1.0, 4.0, 8.0]))
    assert means.tolist() == [2.5, 2.0, 6.0]
