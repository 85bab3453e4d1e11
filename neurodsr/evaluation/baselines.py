"""Trivial methods on the same split, which a surrogate has to beat to be worth its name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from neurodsr.evaluation.parts import Parts, Streams, pooled
from neurodsr.modalities.spikes import Spikes
from neurodsr.models.hiding import N_FOLDS, hidden_bins
from neurodsr.models.observation import Observed

SMOOTHING_BINS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
SHRINKAGE = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)
RIDGE = (1e-3, 1e-1, 1e1, 1e3)
MIN_RATE = 0.01  # of a channel's mean: a predicted rate of 0 would forbid every spike


def smoothing_baseline(parts: Parts, name: str) -> dict[str, float]:
    """Each hidden bin predicted by Gaussian smoothing of the channel's own other bins.

    Width and shrinkage towards the mean are chosen on the validation stretch. Counts give bits
    per spike, continuous signals explained variance; labels have no such baseline, nor has a
    signal at rest.
    """
    modality, levels = parts.surrogate.config.streams[name], parts.surrogate.channels[name].levels
    if levels:
        return {}
    unit, score = _score_of(modality, levels)
    mean = parts.null[name].mean

    def smooth(stretches: tuple[Streams, ...], width: float) -> Tensor:
        return torch.cat([_smooth_hidden(s, name, width, mean) for s in stretches])

    def value(filled: Tensor, share: float, stretches: tuple[Streams, ...]) -> float:
        shrunk = torch.lerp(filled, mean.expand_as(filled), share)
        found = score(shrunk, mean, pooled(stretches, name))
        return -np.inf if np.isnan(found) else found

    best = (-np.inf, SMOOTHING_BINS[0], SHRINKAGE[0])
    for width in SMOOTHING_BINS:
        filled = smooth(parts.validation, width)
        best = max(best, *((value(filled, s, parts.validation), width, s) for s in SHRINKAGE))
    _, width, share = best
    on_test = value(smooth(parts.test, width), share, parts.test)
    return _unless_undefined(f"{unit}: smoothing", on_test)


def decoding_baseline(parts: Parts, name: str) -> dict[str, float]:
    """The stream predicted from all others by Gaussian smoothing and ridge regression.

    Width and ridge are chosen on the validation stretch. Continuous signals give explained
    variance, labels accuracy, counts bits per spike (rates below a hundredth of the
    channel's mean are raised to it).
    """
    levels = parts.surrogate.channels[name].levels
    modality = parts.surrogate.config.streams[name]
    mean = parts.null[name].mean if not levels else torch.zeros(1)
    unit, score = _score_of(modality, levels)
    best: tuple[float, float] | None = None
    for width in SMOOTHING_BINS:
        train, validation, test = (
            torch.cat([_others(parts, s, name, width) for s in stretches])
            for stretches in (parts.train, parts.validation, parts.test)
        )
        seen = pooled(parts.train, name)
        for ridge in RIDGE:
            fit = _ridge_fit(train, seen, levels, mean=mean, ridge=ridge)
            on_validation, on_test = (
                score(_apply(fit, x, levels), mean, pooled(s, name))
                for x, s in ((validation, parts.validation), (test, parts.test))
            )
            if best is None or on_validation > best[0]:
                best = (on_validation, on_test)
    return _unless_undefined(f"{unit}: smoothing + ridge", best[1])


def _unless_undefined(name: str, value: float) -> dict[str, float]:
    """A signal that does not move during the test has no variance to explain.

    Nine digits: the last ones of a linear solve depend on where the arrays lie in memory, and a
    run with the same seed gives the same numbers.
    """
    return {name: float(f"{value:.9g}")} if np.isfinite(value) else {}


def _score_of(modality: object, levels: tuple[str, ...]) -> tuple[str, Callable[..., float]]:
    if levels:
        return "accuracy", _accuracy
    if isinstance(modality, Spikes):
        return "bits_per_spike", _bits_per_spike
    return "r2", _explained_variance


def _others(parts: Parts, streams: Streams, name: str, width: float) -> Tensor:
    """Smoothed values of all other streams, and a constant."""
    columns = [torch.ones(len(streams[name].values), 1)]
    for other, seen in streams.items():
        if other != name:
            modality, channels = parts.surrogate.config.streams[other], parts.surrogate.channels
            x = modality.features(seen.values, channels[other]).double()
            mask = seen.mask.repeat_interleave(x.shape[-1] // seen.mask.shape[-1], dim=-1)
            columns.append(_smooth(x, mask.double(), width))
    return torch.cat([c.double() for c in columns], dim=-1)


def _smooth(x: Tensor, weight: Tensor, width: float) -> Tensor:
    """Gaussian smoothing over what is seen; the overall mean where nothing is near."""
    blur = lambda a: torch.from_numpy(  # noqa: E731  used twice on the next lines
        gaussian_filter1d(a.numpy(), width, axis=0, mode="constant", truncate=4.0)
    )
    number = blur(weight)
    mean = (x * weight).sum(0) / weight.sum(0).clamp_min(1)
    return torch.where(number > 1e-6, blur(x * weight) / number.clamp_min(1e-6), mean)


def _smooth_hidden(streams: Streams, name: str, width: float, mean: Tensor) -> Tensor:
    seen = streams[name]
    smooth = mean.expand(seen.values.shape).clone()
    for fold in range(N_FOLDS):
        hidden = hidden_bins(streams, fold, seed=0)[name]
        visible = (seen.mask & ~hidden).double()
        filled = _smooth(seen.values.double(), visible, width).to(smooth.dtype)
        smooth = torch.where(hidden, filled, smooth)
    return smooth


def _targets(x: Tensor, levels: tuple[str, ...]) -> Tensor:
    if not levels:
        return x.double()
    return torch.nn.functional.one_hot(x.long(), len(levels)).flatten(-2).double()


def _ridge_fit(
    x: Tensor, seen: Observed, levels: tuple[str, ...], *, mean: Tensor, ridge: float
) -> tuple[Tensor, Tensor]:
    """Weights of every target, fitted on the bins that it was observed in, and the scale of x.

    Targets with the same gaps are fitted together; one that was never observed keeps `mean`.
    """
    y = _targets(seen.values, levels)
    mask = seen.mask.repeat_interleave(y.shape[1] // seen.mask.shape[1], dim=-1)
    scale = x.std(0)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    weights = y.new_zeros(x.shape[1], y.shape[1])
    weights[0] = mean
    gaps, group = mask.unique(dim=1, return_inverse=True)
    for i, use in enumerate(gaps.unbind(1)):
        if use.any():
            weights[:, group == i] = _solve(x[use] / scale, y[use][:, group == i], ridge)
    return weights, scale


def _solve(z: Tensor, y: Tensor, ridge: float) -> Tensor:
    penalty = ridge * torch.eye(z.shape[1], dtype=z.dtype) * len(z)
    penalty[0, 0] = 0.0  # the constant is not shrunk
    return torch.linalg.lstsq(z.mT @ z + penalty, z.mT @ y).solution


def _apply(fit: tuple[Tensor, Tensor], x: Tensor, levels: tuple[str, ...]) -> Tensor:
    predicted = (x / fit[1]) @ fit[0]
    if not levels:
        return predicted
    n_channels = predicted.shape[-1] // len(levels)
    return predicted.unflatten(-1, (n_channels, len(levels))).argmax(-1)


def _accuracy(predicted: Tensor, _: Tensor, seen: Observed) -> float:
    right = (predicted == seen.values.long()) & seen.mask
    return (right.sum() / seen.mask.sum().clamp_min(1)).item()


def _explained_variance(predicted: Tensor, _: Tensor, seen: Observed) -> float:
    x, mask = seen.values.double(), seen.mask
    mean = (x * mask).sum(0) / mask.sum(0).clamp_min(1)
    residual, total = ((x - predicted) ** 2 * mask).sum(0), ((x - mean) ** 2 * mask).sum(0)
    varying = total > 0
    return (1 - residual[varying] / total[varying]).mean().item()


def _bits_per_spike(rate: Tensor, mean: Tensor, seen: Observed) -> float:
    mean = mean.double()
    rate = rate.double().maximum(MIN_RATE * mean)
    gain = (seen.values * (rate / mean).log() - (rate - mean)) * seen.mask
    return (gain.sum() / (seen.values * seen.mask).sum().clamp_min(1) / np.log(2)).item()
