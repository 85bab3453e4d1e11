"""How simulated channels follow the latent state: a linear drive, through a link, to a mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import expit

from neurodsr.errors import ConfigError

Link = Callable[[Any], Any]
"""An increasing function from a drive to a mean, entry by entry."""

LIMIT = 60.0
"""Offsets are searched for from -LIMIT to LIMIT: exp(60) is more than any mean one may want."""


def softplus(drive: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """log(1 + exp(drive)): like exp where that is small, like the drive where it is large."""
    return np.logaddexp(0.0, drive)


def logistic(drive: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """1 / (1 + exp(-drive)), the probability whose log odds are the drive."""
    return expit(drive)


class Tuning(NamedTuple):
    r"""The known parameters of channels with the drive $c_k \cdot z_t + b_k$.

    `weights` [channel, latent] holds the rows $c_k$, `offsets` [channel] the $b_k$.
    """

    weights: Float[np.ndarray, "channel latent"]
    offsets: Float[np.ndarray, " channel"]

    def drive(self, state: Float[np.ndarray, "time latent"]) -> Float[np.ndarray, "time channel"]:
        """What the latent state gives each channel before its link."""
        return state @ self.weights.T + self.offsets

    def mean(
        self, state: Float[np.ndarray, "time latent"], *, link: Link = np.exp
    ) -> Float[np.ndarray, "time channel"]:
        """What each channel is expected to show in each bin: link(drive)."""
        return link(self.drive(state))


def draw_tuning(
    latent_dim: int,
    *,
    n_channels: int,
    mean: float,
    generator: np.random.Generator,
    link: Link = np.exp,
    weight_sd: float = 0.6,
    offset_sd: float = 0.0,
) -> Tuning:
    r"""Random tuning, with offsets such that every channel has the same mean whatever its weights.

    $c_k \sim N(0, w^2)$; $b_k$ solves $\mathrm E[f(b_k + |c_k| \epsilon)] = \mathrm{mean}$ over
    a standard normal $\epsilon$, and $N(0, o^2)$ is added to it.

    Parameters
    ----------
    latent_dim
        Dimension of the latent state, which is thought to be standardized.
    n_channels
        Neurons, cells, items.
    mean
        Mean of link(drive): a count a bin, or a probability.
    generator
        Draws weights and offsets, and nothing else of a simulation.
    link
        From drive to mean: `np.exp`, `softplus` or `logistic`.
    weight_sd, offset_sd
        Spread of the weights and of the offsets over channels.

    Raises
    ------
    ConfigError
        No offset gives that mean, as of a probability above 1.
    """
    weights = generator.normal(0.0, weight_sd, (n_channels, latent_dim))
    spread = generator.normal(0.0, offset_sd, n_channels)
    return Tuning(weights, _offsets(mean, np.linalg.norm(weights, axis=1), link) + spread)


def _offsets(
    mean: float, drive_sd: Float[np.ndarray, " channel"], link: Link
) -> Float[np.ndarray, " channel"]:
    """Offsets at which a normal drive of these sds has that mean, by bisection to rounding."""
    nodes, masses = np.polynomial.hermite_e.hermegauss(40)

    def expected(offsets: np.ndarray) -> np.ndarray:
        return link(offsets[:, None] + drive_sd[:, None] * nodes) @ masses / masses.sum()

    low, high = np.full_like(drive_sd, -LIMIT), np.full_like(drive_sd, LIMIT)
    least, most = expected(low), expected(high)
    if not ((least < mean) & (mean < most)).all():
        raise ConfigError(
            f"no offset gives a mean of {mean:g}",
            where="draw_tuning",
            fix=f"choose a mean between {least.max():.3g} and {most.min():.3g}, or another link",
        )
    for _ in range(60):
        middle = (low + high) / 2
        below = expected(middle) < mean
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
