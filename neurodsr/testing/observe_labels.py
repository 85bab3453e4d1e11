"""What questionnaires, compasses and lickometers see of a simulated latent state."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from neurodsr.errors import ConfigError
from neurodsr.testing.sensors import directions
from neurodsr.testing.tuning import Tuning, draw_tuning, logistic


class OrdinalItems(NamedTuple):
    """Codes 0..n_levels-1 of items [time, item], with the weights and thresholds behind them."""

    values: Int[np.ndarray, "time item"]
    weights: Float[np.ndarray, "item latent"]
    thresholds: Float[np.ndarray, "item level_minus_1"]


class Angles(NamedTuple):
    """Angles [time, channel], rad from -pi to pi; `weights` [channel, 2, latent] give x and y."""

    values: Float[np.ndarray, "time channel"]
    weights: Float[np.ndarray, "channel 2 latent"]

    def center(self, state: Float[np.ndarray, "time latent"]) -> Float[np.ndarray, "time channel"]:
        """The angles without noise."""
        x, y = np.einsum("tl,cal->atc", state, self.weights)
        return np.arctan2(y, x)


class BinaryEvents(NamedTuple):
    """Whether an event fell in a bin, 0 or 1 [time, channel], and the tuning of its log odds."""

    values: Int[np.ndarray, "time channel"]
    tuning: Tuning


def ordinal_view(
    state: Float[np.ndarray, "time latent"],
    *,
    n_items: int,
    n_levels: int,
    generator: np.random.Generator,
    weight_sd: float = 1.5,
) -> OrdinalItems:
    r"""Ratings on ordered levels, by a cumulative logistic link.

    $P(x_{tk} \le j) = \mathrm{logistic}(\theta_{kj} - c_k \cdot z_t)$ with thresholds
    $\theta_{k0} < \theta_{k1} < \dots$, placed so that all levels are about equally frequent.

    Parameters
    ----------
    state
        Standardized latent state, shape (time, latent).
    n_items
        Number of items.
    n_levels
        Levels of each item, at least 2.
    generator
        Draws weights and ratings, each from a child of its own.
    weight_sd
        Spread of the weights $c_k \sim N(0, w^2)$.

    Raises
    ------
    ConfigError
        There are fewer than two levels.

    References
    ----------
    McCullagh 1980, J. R. Stat. Soc. B 42:109-142 (proportional odds).
    """
    if n_levels < 2:
        raise ConfigError(
            f"an item with {n_levels} level tells nothing",
            where="ordinal_view",
            fix="use n_levels of at least 2",
        )
    tuned, rating = generator.spawn(2)
    weights = tuned.normal(0.0, weight_sd, (n_items, state.shape[1]))
    thresholds = _even_thresholds(np.linalg.norm(weights, axis=1), n_levels)
    # The level is the number of thresholds below a logistic variable around the drive.
    felt = state @ weights.T + rating.logistic(size=(len(state), n_items))
    return OrdinalItems((felt[..., None] > thresholds).sum(-1), weights, thresholds)


def angle_view(
    state: Float[np.ndarray, "time latent"],
    *,
    n_angles: int,
    concentration: float,
    generator: np.random.Generator,
) -> Angles:
    r"""Angles, such as of the head, around the direction of two projections of the latent state.

    $x_{tk} \sim \mathrm{vonMises}(\mathrm{atan2}(b_k \cdot z_t,\, a_k \cdot z_t), \kappa)$ with
    random $a_k$, $b_k$ of length 1.

    Parameters
    ----------
    state
        Standardized latent state, shape (time, latent).
    n_angles
        Number of angles.
    concentration
        $\kappa \ge 0$: 0 is no relation, and the noise's sd is about $1/\sqrt\kappa$ rad when
        large.
    generator
        Draws projections and angles, each from a child of its own.
    """
    directed, turning = generator.spawn(2)
    rows = directions(2 * n_angles, state.shape[1], generator=directed)
    weights = rows.reshape(n_angles, 2, -1)
    exact = Angles(np.zeros((len(state), n_angles)), weights)
    return exact._replace(values=turning.vonmises(exact.center(state), concentration))


def binary_events_view(
    state: Float[np.ndarray, "time latent"],
    *,
    n_channels: int,
    rate: float,
    bin_width: float,
    generator: np.random.Generator,
    weight_sd: float = 1.0,
) -> BinaryEvents:
    r"""Events that are there or not, such as licks, rare and with linear log odds.

    $P(x_{tk} = 1) = \mathrm{logistic}(c_k \cdot z_t + b_k)$ with a mean of `rate * bin_width`.

    Parameters
    ----------
    state
        Standardized latent state, shape (time, latent).
    n_channels
        Kinds of events.
    rate
        Mean rate of bins with an event, Hz; well below one a bin.
    bin_width
        Width of a bin, s.
    generator
        Draws tuning and events, each from a child of its own.
    weight_sd
        Spread of the weights.

    Raises
    ------
    ConfigError
        More than one event would fall in a bin.
    """
    tuned, happening = generator.spawn(2)
    tuning = draw_tuning(
        state.shape[1],
        n_channels=n_channels,
        mean=rate * bin_width,
        link=logistic,
        weight_sd=weight_sd,
        generator=tuned,
    )
    chance = tuning.mean(state, link=logistic)
    return BinaryEvents((happening.random(chance.shape) < chance).astype(np.int64), tuning)


def _even_thresholds(
    drive_sd: Float[np.ndarray, " item"], n_levels: int
) -> Float[np.ndarray, "item level_minus_1"]:
    """Quantiles of a logistic variable as wide as a normal drive and logistic noise together."""
    share = np.arange(1, n_levels) / n_levels
    # The variance of the standard logistic distribution is pi^2 / 3.
    width = np.sqrt(1 + 3 * drive_sd**2 / np.pi**2)
    return width[:, None] * np.log(share / (1 - share))
