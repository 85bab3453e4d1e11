"""How good a prediction is, in the measure that is natural to what was recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log, pi
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from neurodsr.modalities.observed import Observed

MIN_RATE = 0.01
"""Of a channel's mean: a predicted rate of 0 would forbid every spike."""


@dataclass(frozen=True)
class Score:
    """One number that says how good predictions of a stream are.

    Parameters
    ----------
    name
        As reports and JSON name it.
    better
        Direction of improvement.
    value
        Called as value(predicted, constant, seen) with point predictions [time, channel] and the
        best constant ones; NaN where it is not defined, as for a signal that does not move.
    continuous
        Whether the stream's values are numbers on a line, whose shape and spectrum free runs can
        be compared with; counts, labels and angles are not.
    """

    name: str
    better: Literal["higher", "lower"]
    value: Callable[[Tensor, Tensor, Observed], float]
    continuous: bool = False


def bits_per_spike(rate: Tensor, constant: Tensor, seen: Observed) -> float:
    r"""Gain in Poisson log-likelihood over the constant rate, per spike, in bits.

    $$ \frac{\sum x \ln(\lambda / \bar\lambda) - (\lambda - \bar\lambda)}{\ln 2 \sum x} $$

    Rates below a hundredth of the constant one are raised to that.

    References
    ----------
    Pei et al. 2021, Neural Latents Benchmark (bits per spike).
    """
    rate, constant = rate.double(), constant.double().clamp_min(1e-12)
    rate = rate.maximum(MIN_RATE * constant)
    gain = (seen.values * (rate / constant).log() - (rate - constant)) * seen.mask
    n_spikes = (seen.values * seen.mask).sum()
    return (gain.sum() / n_spikes / log(2)).item()


def bits_per_event(probability: Tensor, constant: Tensor, seen: Observed) -> float:
    """Gain in Bernoulli log-likelihood over the constant probability, per event, in bits."""
    constant = constant.double().clamp(1e-9, 1 - 1e-9)
    p = probability.double().maximum(MIN_RATE * constant).clamp_max(1 - 1e-9)
    gain = seen.values * (p / constant).log() + (1 - seen.values) * ((1 - p) / (1 - constant)).log()
    n_events = (seen.values * seen.mask).sum()
    return ((gain * seen.mask).sum() / n_events / log(2)).item()


def explained_variance(predicted: Tensor, _: Tensor, seen: Observed) -> float:
    r"""Coefficient of determination $R^2$, averaged over the channels that vary."""
    x, mask = seen.values.double(), seen.mask
    mean = (x * mask).sum(0) / mask.sum(0).clamp_min(1)
    residual, total = ((x - predicted) ** 2 * mask).sum(0), ((x - mean) ** 2 * mask).sum(0)
    varying = total > 0
    return (1 - residual[varying] / total[varying]).mean().item()


def accuracy(predicted: Tensor, _: Tensor, seen: Observed) -> float:
    """Fraction of labels that are predicted right."""
    right = (predicted.round() == seen.values.round()) & seen.mask
    return (right.sum() / seen.mask.sum()).item()


def ordinal_error(predicted: Tensor, _: Tensor, seen: Observed) -> float:
    """Mean distance between the predicted and the recorded level, in levels."""
    return (((predicted - seen.values).abs() * seen.mask).sum() / seen.mask.sum()).item()


def circular_error(predicted: Tensor, _: Tensor, seen: Observed) -> float:
    """Mean angle between prediction and recording, rad: 0 is perfect, pi/2 is chance."""
    distance = ((predicted - seen.values + pi) % (2 * pi) - pi).abs()
    return ((distance * seen.mask).sum() / seen.mask.sum()).item()


BITS_PER_SPIKE = Score("bits_per_spike", "higher", bits_per_spike)
BITS_PER_EVENT = Score("bits_per_event", "higher", bits_per_event)
R2 = Score("r2", "higher", explained_variance, continuous=True)
ACCURACY = Score("accuracy", "higher", accuracy)
ORDINAL_ERROR = Score("ordinal_error", "lower", ordinal_error)
CIRCULAR_ERROR = Score("circular_error", "lower", circular_error)
