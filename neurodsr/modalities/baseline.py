"""The slow drift of a fluorescence trace: a low quantile in a window around each sample."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import percentile_filter

from neurodsr.data.lazy import LazyArray
from neurodsr.data.streams import Series
from neurodsr.errors import DataError
from neurodsr.modalities.signals import sample_interval

QUANTILE = 20.0
"""In percent: cells are silent most of the time, so that it follows the light of a silent cell."""
N_SAMPLES = 200
"""Samples of a window that are looked at, evenly spaced; a slow drift needs no more."""


def running_baseline(series: Series, window: float, *, where: str) -> Series:
    """The traces less their own baseline, with a note.

    The baseline at a sample is the 20 % quantile of the samples within half a window of it (lines
    bridge invalid ones); it is subtracted, not divided by. So half a window of the future has a
    part in it, as it has in dF/F.

    Parameters
    ----------
    window
        Length of the window, s.

    Raises
    ------
    DataError
        The window is not longer than ten samples, or longer than the traces.
    """
    n = round(window / sample_interval(series))
    if not 10 <= n <= len(series.times):
        raise DataError(
            f"a drift window of {window:g} s is {n} samples of a trace of {len(series.times)}",
            where=where,
            fix="choose a window of many decays, such as drift: 60, and shorter than the recording",
        )
    values = np.asarray(series.values, dtype=np.float64)
    valid = np.asarray(series.valid)
    baseline = np.stack([_baseline(x, ok, n) for x, ok in zip(values.T, valid.T, strict=True)], 1)
    note = f"a running baseline, the {QUANTILE:g} % quantile within {window:g} s, was subtracted"
    lazy = isinstance(series.valid, LazyArray)
    return series._replace(
        values=np.where(valid, values - baseline, 0.0),
        valid=valid if lazy else series.valid,
        notes=(*series.notes, note),
    )


def _baseline(x: np.ndarray, valid: np.ndarray, n: int) -> np.ndarray:
    """Quantiles of a thinned trace, and lines between them."""
    if not valid.any():
        return np.zeros_like(x)
    every = np.arange(len(x))
    filled = np.interp(every, every[valid], x[valid])
    step = max(1, n // N_SAMPLES)
    some = np.arange(0, len(x), step)
    quantiles = percentile_filter(filled[some], QUANTILE, size=max(3, n // step), mode="nearest")
    return np.interp(every, some, quantiles)
