"""How well generated states oscillate like the data: power spectra and their distance (D_H)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from neurodsr.errors import ConfigError, DataError
from neurodsr.measures.segments import (
    Trajectory,
    require_finite,
    segments_of,
    segments_of_both,
    stretches,
)


def frequencies(n: int, bin_width: float) -> Float[np.ndarray, " freq"]:
    """The frequencies of `power_spectrum` of a stretch of n bins.

    Parameters
    ----------
    n
        Bins of time in a stretch.
    bin_width
        Bin width, s.

    Returns
    -------
    Frequencies in Hz, shape (n // 2 + 1,), from 0 up to at most 1 / (2 bin_width).
    """
    return np.fft.rfftfreq(n, bin_width)


def default_smoothing(n: int) -> float:
    """Width of the smoothing kernel, frequency bins, that fits a stretch of n time bins.

    20 bins for 10^5 time bins (the published setting), in proportion for others, so that the
    resolution in Hz stays the same; at least 1. With a fixed 20 bins a short stretch is blind:
    a limit cycle in 2 x 10^4 bins of a heart beat then looks like the heart beat.
    """
    return max(1.0, 20 * n / 1e5)


def power_spectrum(
    x: Trajectory, *, smoothing: float | None = None
) -> Float[np.ndarray, "freq dim"]:
    """Share of every frequency in the variance of each dimension.

    Each stretch is z-scored, |rfft|^2 is normalized to sum 1, averaged over stretches, and
    smoothed by a Gaussian (cut at 4 standard deviations, reflected at both ends, which keeps the
    sum). A stretch that does not vary has no spectrum and contributes 0: the sum is then the
    share of stretches that do.

    Parameters
    ----------
    x
        [time, dim], or segments. Segments are cut into equal stretches of the shortest one.
    smoothing
        Standard deviation of the kernel in frequency bins; None for `default_smoothing`, 0 for
        none.

    Returns
    -------
    Spectrum, shape (n // 2 + 1, dim) for stretches of n bins; see `frequencies`.

    Raises
    ------
    ConfigError
        `smoothing` is negative.
    DataError
        Non-finite values, or segments too short.
    """
    segments = segments_of(x)
    require_finite(segments)
    return _spectrum(segments, _shortest(segments), smoothing)


def power_spectrum_distance(
    x: Trajectory, x_generated: Trajectory, *, smoothing: float | None = None
) -> float:
    r"""Distance of the power spectra of data and generated states: 0 the same, 1 disjoint.

    The Hellinger distance $H = \sqrt{\frac{1}{2} \sum_f (\sqrt{p_f} - \sqrt{q_f})^2}$ of
    `power_spectrum`, averaged over dimensions. Where lengths differ both are cut into equal
    stretches of the shortest segment. Stretches that do not vary count as one more frequency
    that varying ones do not share, so a dead run is at 1 and a half-dead one in between.
    Non-finite generated states are at 1, too.

    Parameters
    ----------
    x
        Data, [time, dim] or segments.
    x_generated
        Generated states, same dimensions, any length.
    smoothing
        Standard deviation of the kernel in frequency bins; None for `default_smoothing` of the
        stretch. Values of different smoothing are not comparable.

    Returns
    -------
    Distance in [0, 1], never NaN; symmetric for finite input.

    Raises
    ------
    ConfigError
        `smoothing` is negative.
    DataError
        Non-finite data, shapes that do not match, or segments too short.

    References
    ----------
    Hess et al. 2023, ICML (the measure, as their published code computes it). Smoothing in
    proportion to the length and the treatment of dead stretches are our choice.
    """
    data, generated = segments_of_both(x, x_generated)
    if not all(np.isfinite(segment).all() for segment in generated):
        return 1.0
    length = _shortest(data + generated)
    p, q = (_with_rest(_spectrum(s, length, smoothing)) for s in (data, generated))
    squared = 0.5 * ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=0)
    return float(np.sqrt(np.minimum(squared, 1.0)).mean())


def _shortest(segments: list[np.ndarray]) -> int:
    length = min(len(segment) for segment in segments)
    if length < 4:
        raise DataError(
            f"the shortest segment has {length} bins, too few for a spectrum",
            fix="leave segments below 4 bins out; far more are needed for a meaningful one",
        )
    return length


def _spectrum(segments: list[np.ndarray], length: int, smoothing: float | None) -> np.ndarray:
    sigma = default_smoothing(length) if smoothing is None else smoothing
    if not sigma >= 0:
        raise ConfigError(
            f"smoothing is {sigma} frequency bins", fix="use 0 or more, or None for the default"
        )
    mean = np.mean([_shares(stretch) for stretch in stretches(segments, length)], axis=0)
    if 4 * sigma < 0.5:  # the cut kernel is a single bin
        return mean
    return gaussian_filter1d(mean, sigma, axis=0, mode="reflect", truncate=4.0)


def _shares(stretch: np.ndarray) -> np.ndarray:
    """Unsmoothed spectrum of one stretch; 0 where it varies less than its numbers resolve."""
    resolution = np.finfo(stretch.dtype).eps if stretch.dtype.kind == "f" else 0.0
    z = stretch.astype(np.float64)
    z = z / np.maximum(np.abs(z).max(axis=0), np.finfo(np.float64).tiny)  # squares stay finite
    z = z - z.mean(axis=0)
    alive = z.std(axis=0) > 8 * resolution
    power = np.abs(np.fft.rfft(z, axis=0)) ** 2
    power[:, ~alive] = 0.0
    return power / np.where(alive, power.sum(axis=0), 1.0)


def _with_rest(spectrum: np.ndarray) -> np.ndarray:
    """The spectrum and, as one more row, the share of stretches that have none."""
    rest = 1.0 - spectrum.sum(axis=0)
    # Below one stretch in 10^12 it is rounding, which the square root would blow up to 10^-8.
    rest[rest < 1e-12] = 0.0
    return np.vstack((spectrum, rest))
