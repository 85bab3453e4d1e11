"""What slow or noisy sensors see of a simulated latent state: fluorescence, BOLD, pose."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from neurodsr.data.time import TimeGrid
from neurodsr.errors import ConfigError
from neurodsr.testing.sensors import (
    canonical_response,
    convolve,
    correlated_noise,
    directions,
    indicator_kernel,
    steady_start,
    unit_noise,
)
from neurodsr.testing.tuning import Link, Tuning, draw_tuning, logistic, softplus

DRIFT_PERIOD = 300.0
"""Period of the slow drift of fluorescence, s: slower than any dynamics, our choice."""


class Fluorescence(NamedTuple):
    """What a microscope sees of cells, and what lies behind it; all [time, channel]."""

    values: Float[np.ndarray, "time channel"]
    noiseless: Float[np.ndarray, "time channel"]
    activity: Float[np.ndarray, "time channel"]
    tuning: Tuning


class Bold(NamedTuple):
    """What a scanner sees of regions, and what lies behind it.

    `mask` is True in the bins that hold a volume, and `values` are 0 elsewhere; `noiseless` is
    the signal in every bin. `nuisance_weights` [channel, regressor] may have no columns.
    """

    values: Float[np.ndarray, "time channel"]
    mask: Bool[np.ndarray, "time channel"]
    noiseless: Float[np.ndarray, "time channel"]
    weights: Float[np.ndarray, "channel latent"]
    nuisance_weights: Float[np.ndarray, "channel regressor"]


class DeconvolvedEvents(NamedTuple):
    """Sizes of deconvolved events, mostly 0, the tuning of their odds and of their log size."""

    values: Float[np.ndarray, "time channel"]
    odds: Tuning
    size: Tuning


class LinearView(NamedTuple):
    """Noisy projections [time, channel] of a state, and their directions of length 1."""

    values: Float[np.ndarray, "time channel"]
    weights: Float[np.ndarray, "channel latent"]


def calcium_view(
    state: Float[np.ndarray, "time latent"],
    *,
    n_cells: int,
    decay: float,
    rise: float,
    bin_width: float,
    noise: float,
    generator: np.random.Generator,
    saturation: float | None = None,
    drift: float = 0.0,
    rate: float = 2.0,
    link: Link = softplus,
    spiking: bool = True,
    tails: float | None = None,
) -> Fluorescence:
    r"""Fluorescence of cells whose activity follows the latent state, one frame a bin.

    $a_{tk} \sim \mathrm{Poisson}(f(c_k \cdot z_t + b_k))$,
    $x_{tk} = \sum_l \kappa_l\, a_{t-l,k}$ with the kernel of `indicator_kernel`, and
    $F_{tk} = \beta_k + g(x_{tk}) + \text{drift} + \text{noise}$ with $g(x) = x / (1 + x/s)$.

    An event makes the fluorescence rise by at most 1, the unit of everything here. Before the
    first bin, the state was for long what it is there.

    Parameters
    ----------
    state
        Standardized latent state, shape (time, latent).
    n_cells
        Number of cells.
    decay, rise
        Time constants of the indicator, s.
    bin_width
        Interval between frames, s.
    noise
        Sd of the noise; with `tails`, scale of Student's t.
    generator
        Draws tuning, activity, baseline with drift, and noise, each from a child of its own.
    saturation
        Largest fluorescence $s$, half of which x = s reaches; None for a linear indicator.
    drift
        Sd of the slow drift of the baseline, a sine of `DRIFT_PERIOD` and random phase.
    rate
        Mean event rate of a cell, Hz.
    link
        From drive to expected events: `softplus` or `np.exp`.
    spiking
        Whether activity is a Poisson count, or the expected count itself.
    tails
        Degrees of freedom of Student's t noise; None for Gaussian noise.

    Raises
    ------
    ConfigError
        The decay is not slower than the rise.
    """
    tuned, firing, resting, noisy = generator.spawn(4)
    kernel = indicator_kernel(decay=decay, rise=rise, bin_width=bin_width)
    tuning = draw_tuning(
        state.shape[1], n_channels=n_cells, mean=rate * bin_width, link=link, generator=tuned
    )
    expected = tuning.mean(steady_start(state, len(kernel)), link=link)
    activity = firing.poisson(expected).astype(float) if spiking else expected
    x = convolve(activity, kernel)
    bright = x if saturation is None else x / (1 + x / saturation)
    noiseless = _resting_light(bright.shape, bin_width, drift, resting) + bright
    values = noiseless + noise * unit_noise(noiseless.shape, tails=tails, generator=noisy)
    return Fluorescence(values, noiseless, activity[len(kernel) - 1 :], tuning)


def bold_view(
    state: Float[np.ndarray, "time latent"],
    *,
    n_regions: int,
    bin_width: float,
    repetition_time: float,
    noise: float,
    generator: np.random.Generator,
    noise_correlation: float = 0.0,
    nuisance: Float[np.ndarray, "time regressor"] | None = None,
) -> Bold:
    r"""BOLD signal of regions that are linear in the latent state, sampled once a volume.

    $x_v = B (h * z)_{t_v} + J r_{t_v} + \epsilon_v$ with
    $\epsilon_v = \phi\, \epsilon_{v-1} + \sqrt{1 - \phi^2}\, \sigma \xi_v$; $h$ is the canonical
    double gamma of sum 1, the rows of $B$ have length 1. Volume v is acquired around
    $t_v = (v + 1/2)$ TR, and lies in the bin that contains this time. Before the first bin, the
    state was for long what it is there.

    Parameters
    ----------
    state
        Standardized latent state, shape (time, latent).
    n_regions
        Number of regions.
    bin_width, repetition_time
        Width of a bin, and time from volume to volume (TR), s.
    noise
        Sd $\sigma$ of the noise, in units of the state.
    generator
        Draws directions, nuisance weights and noise, each from a child of its own.
    noise_correlation
        $\phi$, the noise's correlation from one volume to the next.
    nuisance
        Regressors such as head motion, one row a bin; their weights are drawn from N(0, 1).

    Raises
    ------
    ConfigError
        The TR is shorter than a bin, or the correlation is not between -1 and 1.
    """
    if repetition_time < bin_width:
        raise ConfigError(
            f"volumes every {repetition_time:g} s do not fit in bins of {bin_width:g} s",
            where="bold_view",
            fix=f"use a bin_width of at most {repetition_time:g} s",
        )
    directed, confounded, noisy = generator.spawn(3)
    weights = directions(n_regions, state.shape[1], generator=directed)
    regressors = np.zeros((len(state), 0)) if nuisance is None else nuisance
    nuisance_weights = confounded.normal(size=(n_regions, regressors.shape[1]))
    kernel = canonical_response(bin_width)
    blurred = convolve(steady_start(state, len(kernel)), kernel)
    noiseless = blurred @ weights.T + regressors @ nuisance_weights.T
    volumes = _volume_bins(len(state), bin_width, repetition_time)
    shape = (len(volumes), n_regions)
    values, mask = np.zeros_like(noiseless), np.zeros(noiseless.shape, dtype=bool)
    wander = correlated_noise(shape, correlation=noise_correlation, generator=noisy)
    values[volumes] = noiseless[volumes] + noise * wander
    mask[volumes] = True
    return Bold(values, mask, noiseless, weights, nuisance_weights)


def deconvolved_events_view(
    state: Float[np.ndarray, "time latent"],
    *,
    n_cells: int,
    generator: np.random.Generator,
    probability: float = 0.1,
    size: float = 1.0,
    shape: float = 2.0,
) -> DeconvolvedEvents:
    r"""Events that deconvolution made of fluorescence: 0 in most bins, else gamma distributed.

    $P(e_{tk} > 0) = \mathrm{logistic}(c_k \cdot z_t + b_k)$, and a positive size is
    $\Gamma(\text{shape } q)$ with mean $\exp(c'_k \cdot z_t + b'_k)$.

    Parameters
    ----------
    state
        Standardized latent state, shape (time, latent).
    n_cells
        Number of cells.
    generator
        Draws tunings, occurrences and sizes, each from a child of its own.
    probability, size
        Mean probability of an event in a bin, and mean size of an event.
    shape
        $q$ of the gamma distribution; its coefficient of variation is $1/\sqrt q$.

    References
    ----------
    Wei et al. 2020, Neurons, Behavior, Data Analysis, and Theory 3 (zero-inflated gamma model of
    deconvolved calcium traces; there sizes may start above 0, ours start at 0).
    """
    tuned, sized, occurring, growing = generator.spawn(4)
    latent_dim = state.shape[1]
    odds = draw_tuning(
        latent_dim, n_channels=n_cells, mean=probability, link=logistic, generator=tuned
    )
    log_size = draw_tuning(
        latent_dim, n_channels=n_cells, mean=size, weight_sd=0.3, generator=sized
    )
    chance = odds.mean(state, link=logistic)
    occurred = occurring.random(chance.shape) < chance
    sizes = growing.gamma(shape, log_size.mean(state) / shape)
    return DeconvolvedEvents(np.where(occurred, sizes, 0.0), odds, log_size)


def student_view(
    state: Float[np.ndarray, "time latent"],
    *,
    n_dims: int,
    noise: float,
    tails: float,
    generator: np.random.Generator,
) -> LinearView:
    r"""Projections of the latent state with heavy-tailed noise, as of tracking that jumps at times.

    $x_t = B z_t + \sigma\, \epsilon_t$, rows of $B$ of length 1, $\epsilon$ Student's t with
    `tails` degrees of freedom (2 or less: infinite variance) and scale 1.
    """
    directed, noisy = generator.spawn(2)
    weights = directions(n_dims, state.shape[1], generator=directed)
    jitter = unit_noise((len(state), n_dims), tails=tails, generator=noisy)
    return LinearView(state @ weights.T + noise * jitter, weights)


def _resting_light(
    shape: tuple[int, int], bin_width: float, drift: float, generator: np.random.Generator
) -> Float[np.ndarray, "time channel"]:
    """Light of silent cells: a baseline between 0.5 and 1.5, and a slow sine of sd `drift`."""
    n_bins, n_cells = shape
    baseline = generator.uniform(0.5, 1.5, n_cells)
    phase = generator.uniform(0.0, 2 * np.pi, n_cells)
    time = bin_width * np.arange(n_bins)[:, None]
    return baseline + drift * np.sqrt(2) * np.sin(2 * np.pi * time / DRIFT_PERIOD + phase)


def _volume_bins(
    n_bins: int, bin_width: float, repetition_time: float
) -> Int[np.ndarray, " volume"]:
    """Bin of the middle of each volume that lies on the grid."""
    grid = TimeGrid(0.0, bin_width, n_bins)
    scan = TimeGrid.spanning(0.0, grid.stop + repetition_time, repetition_time)
    bins = grid.index(scan.centers)
    return bins[bins < n_bins]
