"""State-space divergence against theory, against a dense histogram, and in its corners."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from neurodsr.errors import ConfigError, DataError
from neurodsr.measures.state_space import default_bins, mixture_divergence, state_space_divergence


def dense_divergence(x, y, n_bins, margin, smoothing):
    """The definition, cell by cell, in an array of n_bins**dim."""
    low = x.min(0) - margin * x.std(0)
    width = (x.max(0) + margin * x.std(0) - low) / n_bins

    def density(points):
        counts = np.zeros((n_bins,) * x.shape[1])
        for point in points:
            cell = np.floor((point - low) / width).astype(int)
            if (cell >= 0).all() and (cell < n_bins).all():
                counts[tuple(cell)] += 1
        return (counts + smoothing) / (counts.sum() + smoothing * counts.size)

    p, q = density(x), density(y)
    return float((p * np.log(p / q)).sum())


def normal(seed, n, dim, *, shift=0.0, scale=1.0):
    return shift + scale * np.random.default_rng(seed).standard_normal((n, dim))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# Binned: known answers


def test_identical_samples_have_divergence_zero():
    x = normal(0, 500, 3)
    assert state_space_divergence(x, x) == 0.0


def test_two_coins_have_the_divergence_of_two_coins():
    x, y = np.repeat([0.0, 1.0], [80, 20])[:, None], np.repeat([0.0, 1.0], [30, 70])[:, None]
    exact = 0.8 * math.log(0.8 / 0.3) + 0.2 * math.log(0.2 / 0.7)
    # Laplace smoothing moves a probability by 1e-5 / 100 points.
    assert state_space_divergence(x, y, n_bins=2) == pytest.approx(exact, abs=1e-6)


def test_two_known_gaussians_have_the_divergence_of_their_binned_densities():
    # Quantiles instead of random draws, so that a count is off by at most 1 of 10^5.
    quantiles = norm.ppf((np.arange(100_000) + 0.5) / 100_000)[:, None]
    x, y = quantiles, 0.3 + 1.2 * quantiles
    room = 0.1 * x.std()
    edges = np.linspace(x.min() - room, x.max() + room, 31)
    p, q = np.diff(norm.cdf(edges)), np.diff(norm.cdf(edges, 0.3, 1.2))
    p, q = p / p.sum(), q / q.sum()
    exact = (p * np.log(p / q)).sum()
    # One count in each of 30 bins: 30e-5 at most, mostly cancelling.
    assert state_space_divergence(x, y) == pytest.approx(exact, abs=1e-4)


# Binned: parity and properties


@pytest.mark.parametrize(("dim", "n_bins"), [(1, 30), (2, 30), (3, 30), (4, 8)])
def test_the_sparse_count_equals_a_dense_histogram(dim, n_bins):
    x, y = normal(1, 400, dim), normal(2, 300, dim, shift=0.4, scale=1.3)
    options = {"n_bins": n_bins, "margin": 0.1, "smoothing": 1e-5}
    dense = dense_divergence(x, y, **options)
    assert state_space_divergence(x, y, **options) == pytest.approx(dense, rel=1e-9)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 3), st.floats(-3, 3), st.floats(0.1, 3))
def test_the_divergence_is_never_negative(seed, dim, shift, scale):
    x, y = normal(seed, 60, dim), normal(seed + 1, 40, dim, shift=shift, scale=scale)
    assert state_space_divergence(x, y) >= 0


def test_the_divergence_does_not_depend_on_units_or_order():
    x, y = normal(3, 400, 2), normal(4, 400, 2, shift=0.5)
    # Powers of two, so that no point changes its bin by rounding.
    assert state_space_divergence(4 * x[::-1], 4 * y) == pytest.approx(
        state_space_divergence(x, y), rel=1e-12
    )


def test_six_dimensions_with_thirty_bins_need_no_array_of_all_cells():
    x, y = normal(5, 2000, 6), normal(6, 2000, 6)
    assert 0 < state_space_divergence(x, y) < 30


def test_segments_are_pooled():
    x, y = normal(7, 300, 2), normal(8, 300, 2)
    assert state_space_divergence([x[:100], x[100:]], torch.from_numpy(y)) == (
        state_space_divergence(x, y)
    )


# Binned: corners and traps


def test_points_in_the_first_bin_of_a_dimension_are_counted():
    # Regression: published Python codes keep only `coordinate > 0` and lose all of these.
    x = np.repeat([0.0, 1.0], [90, 10])[:, None]
    y = np.repeat([0.0, 1.0], [50, 50])[:, None]
    exact = 0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)
    assert state_space_divergence(x, y, n_bins=2, margin=0.0) == pytest.approx(exact, abs=1e-6)


def test_points_outside_the_range_are_dropped():
    x, y = normal(9, 300, 2), normal(10, 300, 2)
    outside = np.array([[50.0, 0.0], [np.nan, 0.0], [0.0, -np.inf]])
    assert state_space_divergence(x, np.vstack((y, outside))) == state_space_divergence(x, y)


@pytest.mark.parametrize("value", [1e3, np.nan, np.inf])
def test_a_run_that_left_the_range_altogether_gets_the_largest_value(value):
    x = normal(11, 200, 2)
    lost = state_space_divergence(x, np.full((200, 2), value))
    # All 200 points on one cell at the rim, next to which no data lie, is as bad as it gets.
    corner = x.max(axis=0) + 0.05 * x.std(axis=0)
    assert lost == pytest.approx(state_space_divergence(x, np.tile(corner, (200, 1))))
    assert lost > state_space_divergence(x, np.tile(x[:1], (200, 1)))


def test_a_constant_dimension_of_the_data_is_refused():
    x = normal(12, 50, 2)
    x[:, 1] = 0.1
    with pytest.raises(DataError, match=r"dimension 1[\s\S]*leave constant dimensions out"):
        state_space_divergence(x, x)


@pytest.mark.parametrize("option", [{"n_bins": 0}, {"margin": -0.1}, {"smoothing": 0.0}])
def test_options_that_make_no_grid_are_refused(option):
    with pytest.raises(ConfigError, match="use n_bins >= 1, margin >= 0 and smoothing > 0"):
        state_space_divergence(normal(0, 9, 2), normal(1, 9, 2), **option)


def test_too_many_cells_are_refused_with_a_number_of_bins_that_works():
    x = normal(13, 20, 16)
    with pytest.raises(ConfigError, match="use n_bins=2, or mixture_divergence"):
        state_space_divergence(x, x, n_bins=30)


def test_default_bins_are_thirty_up_to_three_dimensions_and_fewer_above():
    assert [default_bins(dim) for dim in range(1, 9)] == [30, 30, 30, 8, 8, 5, 4, 3]


# Gaussian mixture


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
@pytest.mark.parametrize(("shift", "variance"), [(0.5, 1.0), (2.0, 0.3), (100.0, 1.0)])
def test_two_gaussians_have_divergence_half_their_squared_distance(seed, shift, variance):
    # One point each: KL(N(0, s2) || N(d, s2)) = d^2 / 2 s2. A distance of 100 is where codes
    # that discard samples of zero density say that all is well.
    x, y = np.zeros((1, 4)), np.array([[shift, 0.0, 0.0, 0.0]])
    value = mixture_divergence(x, y, variance=variance, n_samples=4000, generator=seeded(seed))
    # The log ratio has standard deviation d / s, hence this Monte-Carlo s.e.; 4 of them.
    tolerance = 4 * shift / math.sqrt(variance * 4000)
    assert value == pytest.approx(shift**2 / (2 * variance), abs=tolerance)


def test_mixtures_on_gaussian_samples_have_the_divergence_of_the_broadened_gaussians():
    # Kernels of variance 1 on N(0, 1) samples make nearly N(0, 2): KL = d^2 / 2 / 2.
    x, y = normal(14, 4000, 1), normal(15, 4000, 1, shift=1.0)
    value = mixture_divergence(x, y, n_samples=4000, generator=seeded())
    # Monte-Carlo s.e. d / sqrt(2 * 4000) = 0.011; error of the means of x and y, 0.022 of a
    # shift of 1, moves d^2 / 4 by another 0.011; 4 of their root sum of squares.
    assert value == pytest.approx(0.25, abs=0.064)


def test_the_mixture_divergence_of_a_trajectory_from_itself_is_zero():
    x = normal(16, 300, 8)
    assert mixture_divergence(x, x, generator=seeded()) == 0.0


def test_thinning_keeps_a_long_trajectory_evenly():
    x = np.linspace(0, 1, 10_001)[:, None]
    value = mixture_divergence(x, x[::100], max_points=101, generator=seeded())
    assert value == pytest.approx(0.0, abs=1e-12)


def test_points_at_infinity_only_dilute_the_generated_mixture():
    x = np.zeros((1, 2))
    y = np.array([[0.0, 0.0], [np.nan, 0.0], [np.inf, -np.inf], [1e200, 0.0]])
    value = mixture_divergence(x, y, generator=seeded())
    assert value == pytest.approx(math.log(4))
    assert mixture_divergence(x, y[1:], generator=seeded()) == math.inf


def test_a_mixture_without_width_is_refused():
    x = normal(0, 9, 2)
    with pytest.raises(ConfigError, match="make variance positive"):
        mixture_divergence(x, x, variance=0.0, generator=seeded())
