"""Trivial methods on the same split, which a surrogate has to beat to be worth its name."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from neurodsr.evaluation.parts import Parts, Streams, pooled
from neurodsr.modalities.exposure import per_whole_bin, scaled
from neurodsr.modalities.observed import Observed
from neurodsr.models.hiding import N_FOLDS, hidden_bins

SMOOTHING_BINS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
SHRINKAGE = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)
RIDGE = (1e-3, 1e-1, 1e1, 1e3)
DELAYS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)
"""Shares of what a slow sensor looks back, by which the streams that explain it are shifted."""


def smoothing_baseline(parts: Parts, name: str) -> dict[str, float]:
    """Each hidden bin predicted by Gaussian smoothing of the channel's own other bins.

    Width and shrinkage towards the mean are chosen on the validation stretch; the score is the
    one that is natural to the stream. Labels are smoothed as indicators, angles as vectors.
    """
    mean = _mean(parts, name)
    best: tuple[float, float, float] | None = None
    for width in SMOOTHING_BINS:
        filled = _smoothed(parts, parts.validation, name, width)
        for share in SHRINKAGE:
            found = _signed(parts, name, torch.lerp(filled, mean, share), parts.validation)
            best = max(best or (-np.inf, width, share), (found, width, share))
    _, width, share = best
    filled = _smoothed(parts, parts.test, name, width)
    return _named(parts, name, "smoothing", torch.lerp(filled, mean, share))


def decoding_baseline(parts: Parts, name: str) -> dict[str, float]:
    """The stream predicted from all others by Gaussian smoothing and ridge regression.

    Width, ridge and, for a slow sensor, the delay are chosen on the validation stretch; the score
    is the one that is natural to the stream. Labels are regressed as indicators, angles as vectors.
    """
    best: tuple[float, Tensor] | None = None
    mean = _mean(parts, name)
    targets = _embedded(parts, name, pooled(parts.train, name))
    for width in SMOOTHING_BINS:
        for delay in _delays(parts.model.decoder(name).lag):
            train, validation, test = (
                torch.cat([_others(parts, s, name, width, delay) for s in stretches])
                for stretches in (parts.train, parts.validation, parts.test)
            )
            for ridge in RIDGE:
                fit = _ridge_fit(train, *targets, mean=mean, ridge=ridge)
                found = _signed(parts, name, _apply(fit, validation), parts.validation)
                if best is None or found > best[0]:
                    best = (found, _apply(fit, test))
    return _named(parts, name, "smoothing + ridge", best[1])


def _delays(lag: int) -> list[int]:
    """Bins by which the other streams may be shifted: a slow sensor shows what was before."""
    return sorted({round(share * lag) for share in DELAYS})


def _named(parts: Parts, name: str, method: str, predicted: Tensor) -> dict[str, float]:
    """The score on the test stretch under its name; a signal at rest has no variance to explain.

    Nine digits: the last ones of a linear solve depend on where the arrays lie in memory, and a
    run with the same seed gives the same numbers.
    """
    value = _score(parts, name, predicted, parts.test)
    score = parts.model.modalities[name].natural_score.name
    return {f"{score}: {method}": float(f"{value:.9g}")} if np.isfinite(value) else {}


def _signed(parts: Parts, name: str, predicted: Tensor, stretches: tuple[Streams, ...]) -> float:
    """The score, larger where it is better; minus infinity where it is not defined."""
    value = _score(parts, name, predicted, stretches)
    if not np.isfinite(value):
        return -np.inf
    return value if parts.model.modalities[name].natural_score.better == "higher" else -value


def _score(parts: Parts, name: str, predicted: Tensor, stretches: tuple[Streams, ...]) -> float:
    modality, seen = parts.model.modalities[name], pooled(stretches, name)
    values = scaled(modality.unembed(predicted, parts.model.channels[name]), seen)
    return parts.score(name, values, stretches)


def _embedded(parts: Parts, name: str, seen: Observed) -> tuple[Tensor, Tensor]:
    """Values, per whole bin, as numbers for a linear method, and which of them are known."""
    modality, x = parts.model.modalities[name], per_whole_bin(seen)
    x = modality.embed(x, parts.model.channels[name]).double()
    return x, seen.mask.repeat_interleave(x.shape[-1] // seen.mask.shape[-1], dim=-1)


def _mean(parts: Parts, name: str) -> Tensor:
    x, mask = _embedded(parts, name, pooled(parts.train, name))
    return (x * mask).sum(0) / mask.sum(0).clamp_min(1)


def _others(parts: Parts, streams: Streams, name: str, width: float, delay: int) -> Tensor:
    """Smoothed values of all other streams some bins before, and a constant."""
    columns = [torch.ones(len(streams[name].values), 1, dtype=torch.float64)]
    for other, seen in streams.items():
        if other != name:
            x, mask = _embedded(parts, other, seen)
            smooth = _smooth(x, mask.double(), width)
            columns.append(torch.cat([smooth[:1].expand(delay, -1), smooth])[: len(smooth)])
    return torch.cat(columns, dim=-1)


def _smooth(x: Tensor, weight: Tensor, width: float) -> Tensor:
    """Gaussian smoothing over what is seen; the overall mean where nothing is near."""
    blur = lambda a: torch.from_numpy(  # noqa: E731  used twice on the next lines
        gaussian_filter1d(a.numpy(), width, axis=0, mode="constant", truncate=4.0)
    )
    number = blur(weight)
    mean = (x * weight).sum(0) / weight.sum(0).clamp_min(1)
    return torch.where(number > 1e-6, blur(x * weight) / number.clamp_min(1e-6), mean)


def _smoothed(parts: Parts, stretches: tuple[Streams, ...], name: str, width: float) -> Tensor:
    return torch.cat([_smooth_hidden(parts, s, name, width) for s in stretches])


def _smooth_hidden(parts: Parts, streams: Streams, name: str, width: float) -> Tensor:
    x, mask = _embedded(parts, name, streams[name])
    smooth = torch.zeros_like(x)
    for fold in range(N_FOLDS):
        hidden = hidden_bins(streams, fold, seed=0)[name]
        smooth = torch.where(hidden, _smooth(x, (mask & ~hidden).double(), width), smooth)
    return smooth


def _ridge_fit(
    x: Tensor, y: Tensor, mask: Tensor, *, mean: Tensor, ridge: float
) -> tuple[Tensor, Tensor]:
    """Weights of every target, fitted on the bins that it was observed in, and the scale of x.

    Targets with the same gaps are fitted together; one that was never observed keeps `mean`.
    """
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


def _apply(fit: tuple[Tensor, Tensor], x: Tensor) -> Tensor:
    return (x / fit[1]) @ fit[0]
