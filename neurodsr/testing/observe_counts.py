"""What electrodes see of a simulated latent state: counts of every distribution that is fitted.

The expected counts come from a `Tuning`, whose parameters a fit is to find again:

    tuning = draw_tuning(3, n_channels=20, mean=0.5, link=softplus, generator=generator)
    counts = negative_binomial_counts(
        tuning.mean(state, link=softplus), dispersion=0.5, generator=generator
    )
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from neurodsr.errors import ConfigError, NumericalError
from neurodsr.testing.tuning import Link

MAX_MEAN = 1e6
"""Expected count a bin above which a neuron that excites itself counts as run away."""

Means = Float[np.ndarray, "time channel"]
Counts = Int[np.ndarray, "time channel"]


def poisson_counts(mean: Means, *, generator: np.random.Generator) -> Counts:
    r"""Counts of neurons that fire independently in every bin: $n \sim \mathrm{Poisson}(\mu)$."""
    return generator.poisson(mean)


def negative_binomial_counts(
    mean: Means,
    *,
    dispersion: float | Float[np.ndarray, " channel"],
    generator: np.random.Generator,
) -> Counts:
    r"""Counts more variable than Poisson: a rate that is gamma distributed around its mean.

    $\mathrm{Var}(n) = \mu + a \mu^2$, $P(n = 0) = (1 + a \mu)^{-1/a}$

    Parameters
    ----------
    mean
        Expected counts, shape (time, channel).
    dispersion
        $a > 0$, one number or one a channel; towards 0 the counts become Poisson.
    generator
        Draws the counts.

    Raises
    ------
    ConfigError
        A dispersion is not above 0.
    """
    dispersion = np.asarray(dispersion, dtype=float)
    if not (dispersion > 0).all():
        raise ConfigError(
            f"a dispersion of {dispersion.min():g} is no excess of variance",
            where="negative_binomial_counts",
            fix="choose a dispersion above 0, or poisson_counts",
        )
    return generator.negative_binomial(1 / dispersion, 1 / (1 + dispersion * mean))


def zero_inflated_counts(
    mean: Means,
    *,
    silent: float | Float[np.ndarray, " channel"],
    generator: np.random.Generator,
) -> Counts:
    r"""Poisson counts of neurons that are silent in some bins whatever their drive.

    $P(n = 0) = \pi + (1 - \pi) e^{-\mu}$, $\mathrm E[n] = (1 - \pi) \mu$

    Parameters
    ----------
    mean
        Expected counts of the bins that are not silent, shape (time, channel).
    silent
        $\pi$ from 0 to 1, one number or one a channel: probability that a bin is silent.
    generator
        Draws silences and counts.

    Raises
    ------
    ConfigError
        A probability lies outside 0 to 1.
    """
    silent = np.asarray(silent, dtype=float)
    if not ((silent >= 0) & (silent <= 1)).all():
        raise ConfigError(
            f"{silent.min():g} to {silent.max():g} are no probabilities of silence",
            where="zero_inflated_counts",
            fix="choose numbers from 0 (Poisson) to 1 (always silent)",
        )
    firing, pausing = generator.spawn(2)
    return np.where(pausing.random(mean.shape) < silent, 0, firing.poisson(mean))


def bernoulli_spikes(mean: Means, *, generator: np.random.Generator) -> Counts:
    r"""A spike or none in every bin, for bins so fine that hardly any holds two.

    $P(n = 1) = 1 - e^{-\mu}$: whether neurons that are expected to spike $\mu$ times, as
    Poisson ones, spike at all.
    """
    return (generator.random(mean.shape) < -np.expm1(-mean)).astype(np.int64)


def history_counts(
    drive: Float[np.ndarray, "time channel"],
    *,
    history: Float[np.ndarray, "#channel lag"],
    generator: np.random.Generator,
    link: Link = np.exp,
) -> Counts:
    r"""Poisson counts of neurons that feel their own past: refractoriness, adaptation, bursts.

    $n_{tk} \sim \mathrm{Poisson}\big(f(d_{tk} + \sum_{l \ge 1} h_{kl}\, n_{t-l,k})\big)$, drawn
    bin after bin; before the first bin the neurons were silent.

    Parameters
    ----------
    drive
        What the latent state gives each neuron (`Tuning.drive`), shape (time, channel).
    history
        The filter $h$, shape (channel, lag), or (1, lag) for all alike; column 0 weighs the
        bin just before.
    generator
        Draws the counts.
    link
        From drive to expected count: `np.exp` or `softplus`.

    Raises
    ------
    NumericalError
        A neuron excites itself without end.

    References
    ----------
    Truccolo et al. 2005, J. Neurophysiol. 93:1074-1089 (point processes with spike history).
    """
    n_bins, n_channels = drive.shape
    n_lags = history.shape[1]
    oldest_first = history[:, ::-1].T
    counts = np.zeros((n_lags + n_bins, n_channels), dtype=np.int64)
    for t in range(n_bins):
        past = (oldest_first * counts[t : t + n_lags]).sum(axis=0)
        with np.errstate(over="ignore"):  # an infinite mean is refused in words
            mean = link(drive[t] + past)
        if mean.max() > MAX_MEAN:
            raise NumericalError(
                f"channel {mean.argmax()} expects {mean.max():.3g} spikes in bin {t}: its own "
                "spikes excite it without end",
                where="history_counts",
                fix="make its history filter more negative",
            )
        counts[n_lags + t] = generator.poisson(mean)
    return counts[n_lags:]
