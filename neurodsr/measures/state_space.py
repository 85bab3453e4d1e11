"""How well generated states fill the same parts of state space as the data (D_stsp)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from neurodsr.errors import ConfigError, DataError
from neurodsr.measures.segments import Trajectory, segments_of_both


def default_bins(dim: int) -> int:
    """Bins per dimension that keep the number of cells near what a recording can fill.

    30 up to three dimensions (the published convention), 8 for four and five; above, as many as
    keep no more than 30^3 = 27,000 cells (our choice), at least 2. From six dimensions on
    `mixture_divergence` is the better measure.
    """
    if dim <= 3:
        return 30
    return 8 if dim <= 5 else max(2, math.floor(27_000 ** (1 / dim)))


def state_space_divergence(
    x: Trajectory,
    x_generated: Trajectory,
    *,
    n_bins: int = 30,
    margin: float = 0.1,
    smoothing: float = 1e-5,
) -> float:
    r"""Divergence of where the model spends its time from where the data do; 0 is perfect.

    $D = \sum_i p_i \log(p_i / q_i)$ over the cells of a grid, with
    $p_i = (n_i + a) / (n + a K)$: counts with Laplace smoothing $a$, $K$ cells. The grid spans
    [min - margin sd, max + margin sd] of the data in every dimension, both ends included, so
    that every data point counts. Generated points outside (or not finite) are dropped. If all
    of them are, the value is the largest that as many points can reach: as if they all lay in
    one cell that the data visit least.

    The value depends on bins, range, smoothing and the number of points; compare it only
    within one convention and beside its floor (the value between two stretches of data).

    Parameters
    ----------
    x
        Data, [time, dim] or segments of it.
    x_generated
        Generated states, same space, any length.
    n_bins
        Bins per dimension; see `default_bins`.
    margin
        Room beyond the data's extremes, in standard deviations.
    smoothing
        Laplace's $a$, counts added to every cell, above 0.

    Returns
    -------
    Divergence in nats, 0 or more, never NaN.

    Raises
    ------
    ConfigError
        `n_bins`, `margin` or `smoothing` out of range, or more cells than can be numbered.
    DataError
        Constant or non-finite data, or shapes that do not match.

    References
    ----------
    Koppe et al. 2019, PLoS Comput Biol 15:e1007263 (the measure). Range, 30 bins and smoothing
    are those of the published code of Hess et al. 2023, ICML (generalized teacher forcing).
    """
    data, generated = (np.concatenate(s) for s in segments_of_both(x, x_generated))
    n_cells = _number_of_cells(n_bins, data.shape[1], margin, smoothing)
    low, high = _data_range(data.astype(np.float64), margin)
    n, m = _joint_counts(_cells(data, low, high, n_bins), _cells(generated, low, high, n_bins))
    if not m.any():
        n, m = _all_in_the_worst_cell(n, len(generated), n_cells)
    # Cells that neither visits are all alike, so they enter as one number and need no memory.
    weight = np.append(np.ones(len(n)), n_cells - len(n))
    n, m = np.append(n, 0), np.append(m, 0)
    p = (n + smoothing) / (n.sum() + smoothing * n_cells)
    q = (m + smoothing) / (m.sum() + smoothing * n_cells)
    return max(0.0, float(weight @ (p * np.log(p / q))))


def mixture_divergence(
    x: Trajectory,
    x_generated: Trajectory,
    *,
    variance: float = 1.0,
    n_samples: int = 1000,
    max_points: int = 10_000,
    generator: torch.Generator,
) -> float:
    r"""Divergence of generated from data states where there are too many dimensions to bin.

    $D = \langle \log p(s) - \log q(s) \rangle$ over samples $s$ of $p$, where $p$ and $q$ put a
    Gaussian of `variance` on every point of the data and of the generated states. Both densities
    are log-sum-exps and no sample is discarded, so that a model that is far off gets the large
    value that it deserves.

    Parameters
    ----------
    x
        Data, [time, dim] or segments; standardized, for a variance of 1 to make sense.
    x_generated
        Generated states, same space, any length. Non-finite ones are infinitely far away.
    variance
        Variance of every Gaussian, in squared units of `x`.
    n_samples
        Monte-Carlo samples of the data's mixture.
    max_points
        Longer trajectories are thinned to this many evenly spaced points.
    generator
        Source of the samples, on the CPU.

    Returns
    -------
    Divergence in nats; a Monte-Carlo estimate, so slightly below 0 is possible. Infinite if no
    generated point is at a finite distance.

    Raises
    ------
    ConfigError
        `variance`, `n_samples` or `max_points` is not positive.
    DataError
        Non-finite data, or shapes that do not match.

    References
    ----------
    Hess et al. 2023, ICML (the measure, as their published code computes it), but without
    discarding samples of zero density, which flatters models that are far off.
    """
    for name, value in (
        ("variance", variance),
        ("n_samples", n_samples),
        ("max_points", max_points),
    ):
        if not value > 0:
            raise ConfigError(f"{name} is {value}", fix=f"make {name} positive")
    both = segments_of_both(x, x_generated)
    data, generated = (_thinned(np.concatenate(s), max_points) for s in both)
    chosen = torch.randint(len(data), (n_samples,), generator=generator)
    noise = torch.randn(n_samples, data.shape[1], generator=generator, dtype=torch.float64)
    samples = data[chosen] + math.sqrt(variance) * noise
    p, q = (_log_density(samples, centers, variance) for centers in (data, generated))
    return float((p - q).mean())


def _number_of_cells(n_bins: int, dim: int, margin: float, smoothing: float) -> int:
    if n_bins < 1 or not margin >= 0 or not smoothing > 0:
        raise ConfigError(
            f"n_bins={n_bins}, margin={margin}, smoothing={smoothing} do not make a grid",
            fix="use n_bins >= 1, margin >= 0 and smoothing > 0 (default 30, 0.1, 1e-5)",
        )
    if n_bins**dim >= 2**62:
        raise ConfigError(
            f"{n_bins} bins in {dim} dimensions are more cells than can be numbered",
            fix=f"use n_bins={default_bins(dim)}, or mixture_divergence from six dimensions on",
        )
    return n_bins**dim


def _data_range(data: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
    room = margin * data.std(axis=0)
    low, high = data.min(axis=0) - room, data.max(axis=0) + room
    constant = np.flatnonzero(data.min(axis=0) == data.max(axis=0))
    if constant.size:
        raise DataError(
            f"the data are constant ({data[0, constant[0]]}) in dimension {constant[0]}",
            fix="leave constant dimensions out of the comparison",
        )
    return low, high


def _cells(points: np.ndarray, low: np.ndarray, high: np.ndarray, n_bins: int) -> np.ndarray:
    """Cell number of every point inside the range; NaN compares false, so it is outside."""
    inside = points[((points >= low) & (points <= high)).all(axis=1)]
    # The upper end belongs to the last bin, as the lower end belongs to the first.
    index = np.minimum(((inside - low) / (high - low) * n_bins).astype(np.int64), n_bins - 1)
    return np.ravel_multi_index(tuple(index.T), (n_bins,) * points.shape[1])


def _joint_counts(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts of both in every cell that at least one of them visits."""
    cells, number = np.unique(np.concatenate((a, b)), return_inverse=True)
    n = np.bincount(number[: len(a)], minlength=len(cells))
    return n, np.bincount(number[len(a) :], minlength=len(cells))


def _all_in_the_worst_cell(
    n: np.ndarray, n_points: int, n_cells: int
) -> tuple[np.ndarray, np.ndarray]:
    if len(n) < n_cells:
        n = np.append(n, 0)
    m = np.zeros_like(n)
    m[n.argmin()] = n_points
    return n, m


def _thinned(points: np.ndarray, max_points: int) -> Tensor:
    kept = np.linspace(0, len(points) - 1, min(len(points), max_points)).round().astype(int)
    return torch.from_numpy(points[kept].astype(np.float64))


def _log_density(samples: Tensor, centers: Tensor, variance: float) -> Tensor:
    # NaN would poison the whole sum; a point at infinity adds the density that it has: none.
    centers = centers.nan_to_num(nan=math.inf, posinf=math.inf, neginf=-math.inf)
    # The matrix-product form of cdist loses the digits that log-sum-exp then looks at.
    distance = torch.cdist(samples, centers, compute_mode="donot_use_mm_for_euclid_dist")
    log_kernels = -distance.square() / (2 * variance)
    constant = math.log(len(centers)) + samples.shape[1] / 2 * math.log(2 * math.pi * variance)
    return log_kernels.logsumexp(dim=1) - constant
