"""Parts of simulated sensors: responses in seconds, convolution over time, directions, noise."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, factorial

import numpy as np
from jaxtyping import Float

from neurodsr.errors import ConfigError

RESPONSE_LENGTH = 32.0
"""Length of the hemodynamic response, s."""

FINE = 100
"""Moments of a bin over which responses are averaged."""

Ages = Float[np.ndarray, "*age"]


def indicator_kernel(*, decay: float, rise: float, bin_width: float) -> Float[np.ndarray, " lag"]:
    r"""Fluorescence that one event leaves in its bin and in each later one.

    $\kappa_l$ is the mean over the ages of bin l of
    $\kappa(s) = (e^{-s/\tau_d} - e^{-s/\tau_r}) / \max_s(\cdot)$, cut where that is below a
    millionth: a frame at the end of a bin, of activity that was constant within bins.

    Parameters
    ----------
    decay, rise
        Time constants $\tau_d > \tau_r$, s.
    bin_width
        Width of a bin, s.

    Raises
    ------
    ConfigError
        The decay is not slower than the rise.
    """
    if not 0 < rise < decay:
        raise ConfigError(
            f"a rise of {rise:g} s and a decay of {decay:g} s make no indicator",
            where="indicator_kernel",
            fix="choose 0 < rise < decay",
        )

    def response(age: Ages) -> Ages:
        return np.exp(-age / decay) - np.exp(-age / rise)

    peak_age = decay * rise / (decay - rise) * np.log(decay / rise)
    return _bin_means(response, 15 * decay, bin_width) / response(np.array([peak_age]))


def canonical_response(bin_width: float) -> Float[np.ndarray, " lag"]:
    r"""The canonical hemodynamic response: what one bin of activity adds to BOLD in later bins.

    $h(s) \propto s^5 e^{-s} / 5! - s^{15} e^{-s} / (6 \cdot 15!)$, s in seconds from 0 to 32.
    Lag l of a signal read in the middle of its bin is its mean from l - 1/2 to l + 1/2 bins, lag 0
    from 0 on. With a sum of 1, a constant state gives the same constant signal.

    References
    ----------
    Friston et al. 1998, NeuroImage 7:30-40 (event-related fMRI); the values are those of SPM:
    delays of 6 s and 16 s, dispersions of 1 s, a ratio of 6.
    """

    def response(s: Ages) -> Ages:
        return np.exp(-s) * (s**5 / factorial(5) - s**15 / factorial(15) / 6)

    h = _bin_means(response, RESPONSE_LENGTH, bin_width, read_at=0.5)
    return h / h.sum()


def convolve(
    x: Float[np.ndarray, "time channel"], kernel: Float[np.ndarray, " lag"]
) -> Float[np.ndarray, "later channel"]:
    """Sum of the present and past rows of x, weighted by the kernel, where all of it fits."""
    return np.stack([np.convolve(column, kernel, mode="valid") for column in x.T], axis=1)


def steady_start(
    x: Float[np.ndarray, "time channel"], n_lags: int
) -> Float[np.ndarray, "longer channel"]:
    """The rows of x with the first repeated, so that `n_lags` of a kernel fit from row 0."""
    return np.concatenate([np.repeat(x[:1], n_lags - 1, axis=0), x])


def directions(
    n: int, latent_dim: int, *, generator: np.random.Generator
) -> Float[np.ndarray, "channel latent"]:
    """Random rows of length 1."""
    rows = generator.normal(size=(n, latent_dim))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def unit_noise(
    shape: tuple[int, int], *, tails: float | None, generator: np.random.Generator
) -> Float[np.ndarray, "time channel"]:
    """White Gaussian noise of sd 1, or Student's t of scale 1 with `tails` degrees of freedom."""
    return generator.normal(size=shape) if tails is None else generator.standard_t(tails, shape)


def correlated_noise(
    shape: tuple[int, int], *, correlation: float, generator: np.random.Generator
) -> Float[np.ndarray, "time channel"]:
    r"""Gaussian noise of sd 1 that remembers: $e_t = \phi e_{t-1} + \sqrt{1 - \phi^2}\, \xi_t$.

    It is stationary from its first row on.

    Raises
    ------
    ConfigError
        The correlation is not between -1 and 1.
    """
    if not -1 < correlation < 1:
        raise ConfigError(
            f"noise with a correlation of {correlation:g} from row to row never settles",
            where="correlated_noise",
            fix="choose a noise_correlation between -1 and 1",
        )
    noise = generator.normal(size=shape)
    noise[1:] *= np.sqrt(1 - correlation**2)
    for t in range(1, len(noise)):
        noise[t] += correlation * noise[t - 1]
    return noise


def _bin_means(
    response: Callable[[Ages], Ages], length: float, bin_width: float, *, read_at: float = 1.0
) -> Float[np.ndarray, " lag"]:
    """Means of a response over the ages of bins, seen from the end of a bin (1) or its middle."""
    n_bins = ceil(length / bin_width - 1e-9)
    moments = (np.arange(FINE) + 0.5) / FINE + read_at - 1
    ages = bin_width * (np.arange(n_bins)[:, None] + moments)
    return np.where(ages > 0, response(ages.clip(0)), 0).mean(axis=1)
