"""What instruments see of a simulated latent state: spikes, continuous behavior, choices."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def poisson_units(
    state: Float[np.ndarray, "time latent"],
    *,
    n_units: int,
    rate: float,
    bin_width: float,
    generator: np.random.Generator,
    weight_sd: float = 0.6,
    offset_sd: float = 0.3,
) -> Int[np.ndarray, "time channel"]:
    r"""Spike counts of neurons whose log rate is linear in the latent state.

    $n_{tk} \sim \mathrm{Poisson}(\exp(c_k \cdot z_t + b_k))$ with $c_k \sim N(0, w^2)$ and
    $b_k = \log(\mathrm{rate} \cdot \Delta t) - |c_k|^2 / 2 + N(0, o^2)$. The middle term takes
    away what the exponential of a state of variance 1 adds on average, so that every neuron
    fires at about `rate` whatever its tuning.

    Parameters
    ----------
    state
        Standardized latent state, shape (time, latent).
    n_units
        Number of neurons.
    rate
        Mean firing rate, Hz.
    bin_width
        Width of a bin, s.
    generator
        Draws weights, offsets and counts.
    weight_sd, offset_sd
        Spread of the tuning weights and of the log mean rate over neurons.

    Returns
    -------
    Counts per bin, shape (time, channel).
    """
    weights = generator.normal(0.0, weight_sd, (n_units, state.shape[1]))
    spread = generator.normal(0.0, offset_sd, n_units)
    offsets = np.log(rate * bin_width) - 0.5 * (weights**2).sum(axis=1) + spread
    return generator.poisson(np.exp(state @ weights.T + offsets))


def spike_times(
    counts: Int[np.ndarray, "time channel"],
    *,
    bin_width: float,
    start: float,
    generator: np.random.Generator,
) -> list[Float[np.ndarray, " spike"]]:
    """Sorted spike times, s, of each neuron, uniform within their bins.

    A thousandth of a bin is kept free at both edges, so that no rounding, of the edges or of the
    times to nanoseconds, moves a spike into the next bin: counting gives back `counts`.
    """
    trains = []
    for column in counts.T:
        bins = np.repeat(np.arange(len(column)), column)
        phase = generator.uniform(0.001, 0.999, len(bins))
        trains.append(np.sort(np.round(start + bin_width * (bins + phase), 9)))
    return trains


def gaussian_view(
    state: Float[np.ndarray, "time latent"],
    *,
    n_dims: int,
    noise: float,
    generator: np.random.Generator,
) -> Float[np.ndarray, "time dim"]:
    """Noisy projections of the latent state on random directions of length 1.

    Parameters
    ----------
    state
        Standardized latent state, shape (time, latent).
    n_dims
        Number of projections.
    noise
        Sd of the white Gaussian noise added to each, in units of the state.
    generator
        Draws directions and noise.
    """
    rows = generator.normal(size=(n_dims, state.shape[1]))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return state @ rows.T + generator.normal(0.0, noise, (len(state), n_dims))


def categorical_view(
    state: Float[np.ndarray, "time latent"],
    *,
    n_levels: int,
    generator: np.random.Generator,
    weight_sd: float = 1.5,
) -> Int[np.ndarray, " time"]:
    """Choices among levels whose log odds are linear in the latent state.

    Returns
    -------
    Codes 0..n_levels-1, shape (time,).
    """
    weights = generator.normal(0.0, weight_sd, (n_levels, state.shape[1]))
    return sample_categories(state @ weights.T, generator=generator)


def sample_categories(
    logits: Float[np.ndarray, "time level"], *, generator: np.random.Generator
) -> Int[np.ndarray, " time"]:
    """One level a row with probability softmax(logits): the largest after Gumbel noise."""
    return (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)
