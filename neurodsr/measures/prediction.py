"""How far predictions are off n steps ahead, and how far trivial ones are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.errors import ConfigError, DataError
from neurodsr.measures.segments import Trajectory, require_finite, segments_of, segments_of_both

Predict: TypeAlias = Callable[[Float[Tensor, "batch dim"], int], Float[Tensor, "batch dim"]]


def prediction_error(predict: Predict, x: Trajectory, *, n_ahead: int) -> float:
    r"""Mean squared error of predictions n steps ahead, from every bin of the data.

    $\mathrm{PE}(n) = \langle (\hat x_{t+n \mid t} - x_{t+n})^2 \rangle$ over bins $t$ and
    dimensions. It says how good the vector field is near the data and nothing about free
    running: for chaotic systems perfect parameters still miss a distant future.

    Parameters
    ----------
    predict
        Takes states [batch, dim], in the dtype of `x`, and n; returns the states n steps later.
    x
        Data, [time, dim] or segments; no prediction crosses a segment's edge.
    n_ahead
        Steps ahead, at least 1.

    Returns
    -------
    Mean squared error in squared units of `x`; infinite if a prediction is not finite.

    Raises
    ------
    ConfigError
        `n_ahead` is below 1.
    DataError
        Non-finite data, no segment longer than `n_ahead`, or predictions of another shape.
    """
    starts, targets = _pairs(x, n_ahead)
    predicted = predict(starts, n_ahead)
    if predicted.shape != targets.shape:
        raise DataError(
            f"predictions have shape {tuple(predicted.shape)}, targets {tuple(targets.shape)}",
            fix="return the states n steps later only, one row per row given",
        )
    if not torch.isfinite(predicted).all():
        return float("inf")
    difference = predicted.detach().cpu().double() - targets.double()
    return float(difference.square().mean())


def persistence_error(x: Trajectory, *, n_ahead: int) -> float:
    """Error n steps ahead of predicting that nothing changes: the first baseline to beat.

    Parameters and errors as in `prediction_error`.
    """
    return prediction_error(lambda z, _: z, x, n_ahead=n_ahead)


def linear_error(x_train: Trajectory, x: Trajectory, *, n_ahead: int) -> float:
    """Error n steps ahead of the best linear model: the second baseline to beat.

    A first-order vector autoregression with intercept, fitted by least squares to one step of
    the training data, then iterated n times.

    Parameters
    ----------
    x_train
        Data to fit on, [time, dim] or segments.
    x
        Data to predict, same dimensions.
    n_ahead
        Steps ahead, at least 1.

    Returns
    -------
    Mean squared error in squared units of `x`.

    Raises
    ------
    ConfigError
        `n_ahead` is below 1.
    DataError
        Non-finite data, no segment longer than `n_ahead`, or shapes that do not match.
    """
    segments_of_both(x, x_train)
    weights = linear_fit(x_train)
    return prediction_error(lambda z, n: _iterate(weights, z, n), x, n_ahead=n_ahead)


def linear_fit(x: Trajectory) -> Float[np.ndarray, "dim_plus_1 dim"]:
    """Least-squares weights of the next state on the state and a constant (the last row).

    Parameters
    ----------
    x
        Data, [time, dim] or segments; no step crosses a segment's edge.

    Raises
    ------
    DataError
        Non-finite data, or no segment of two bins.
    """
    now, later = (tensor.double().numpy() for tensor in _pairs(x, 1))
    design = np.column_stack((now, np.ones(len(now))))
    return np.linalg.lstsq(design, later, rcond=None)[0]


def _iterate(weights: np.ndarray, z: Tensor, n: int) -> Tensor:
    matrix, offset = torch.from_numpy(weights[:-1]), torch.from_numpy(weights[-1])
    z = z.double()
    for _ in range(n):
        z = z @ matrix + offset
    return z


def _pairs(x: Trajectory, n_ahead: int) -> tuple[Tensor, Tensor]:
    """Every state that has a state n steps later in its segment, and that state."""
    if n_ahead < 1:
        raise ConfigError(f"n_ahead is {n_ahead}", fix="predict at least 1 step ahead")
    segments = segments_of(x)
    require_finite(segments)
    starts = np.concatenate([segment[:-n_ahead] for segment in segments])
    targets = np.concatenate([segment[n_ahead:] for segment in segments])
    if not len(starts):
        longest = max(len(segment) for segment in segments)
        raise DataError(
            f"no segment is longer than {n_ahead} bins (the longest has {longest})",
            fix=f"lower n_ahead to at most {longest - 1}, or give longer segments",
        )
    return torch.from_numpy(starts), torch.from_numpy(targets)
