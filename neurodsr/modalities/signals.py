"""A sampled signal on its way to the grid: which channels, how much is missing, how resampled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Bool

from neurodsr.data.channels import Channels
from neurodsr.data.lazy import Read, everywhere, take_channels
from neurodsr.data.streams import Series
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError, nearest
from neurodsr.modalities.selection import Selection, select_rows

Resample = Literal["auto", "mean", "interpolate", "sample"]
GAP = 3.0
"""Median sample intervals that are interpolated over unless the configuration says otherwise."""
BLOCK_VALUES = 2**22
"""Values of a long series that are looked at together."""
LOOKED_AT = 4096
"""Steps from which the sample interval of a long series is taken."""


def choose_channels(
    series: Series, selection: Selection, ids: tuple[str, ...] | None, *, where: str
) -> Series:
    """The channels that meet the conditions and are named, in the file's order, with a note.

    Raises
    ------
    DataError
        A column or channel is not there, or no channel is left.
    """
    keep, notes = kept_channels(series.channels, series.columns, selection, ids, where=where)
    if keep.all():
        return series
    return series._replace(
        values=take_channels(series.values, np.flatnonzero(keep)),
        valid=take_channels(series.valid, np.flatnonzero(keep)),
        confidence=None
        if series.confidence is None
        else take_channels(series.confidence, np.flatnonzero(keep)),
        channels=series.channels.select(keep),
        columns={name: np.asarray(column)[keep] for name, column in series.columns.items()},
        notes=(*series.notes, *notes),
    )


def kept_channels(
    channels: Channels,
    columns: Mapping[str, np.ndarray],
    selection: Selection,
    ids: tuple[str, ...] | None,
    *,
    where: str,
    called: str = "channels",
) -> tuple[Bool[np.ndarray, " channel"], tuple[str, ...]]:
    """Which channels meet the conditions and are named, and a note on those that do not.

    Parameters
    ----------
    columns
        What the file says of each channel.
    called
        What they are called in notes and errors.

    Raises
    ------
    DataError
        A column or channel is not there, or no channel is left.
    """
    n = len(channels)
    keep = select_rows(columns, selection, n_rows=n, where=where)
    if ids is not None:
        unknown = [i for i in ids if i not in channels.ids]
        if unknown:
            raise DataError(
                f"there is no channel {unknown[0]!r}: {nearest(unknown[0], channels.ids)}",
                where=where,
                fix="correct `channels`; `neurodsr inspect --json` lists the ids",
            )
        keep &= np.isin(channels.ids, ids)
    if n and not keep.any():
        raise DataError(
            f"none of {n} {called} is left",
            where=where,
            fix="loosen `where` and `channels`; `neurodsr inspect` lists the values of columns",
        )
    left_out = n - int(keep.sum())
    by = ", ".join(selection) or "name"
    return keep, (f"{left_out} of {n} {called} were left out by {by}",) if left_out else ()


def refuse_missing(series: Series, *, limit: float, where: str) -> None:
    """Refuse a signal of which too much is missing; a lazy one is looked through for that.

    Raises
    ------
    DataError
        The fraction of values that are no number is above the limit.
    """
    if limit == 1 or everywhere(series.valid):
        return
    n, n_channels = series.valid.shape
    step = max(1, BLOCK_VALUES // n_channels)
    blocks = (series.valid[first : first + step] for first in range(0, n, step))
    n_valid = sum(int(np.count_nonzero(block)) for block in blocks)
    missing = (n * n_channels - n_valid) / (n * n_channels)
    if missing > limit:
        raise DataError(
            f"{missing:.1%} of the values are missing (NaN, infinite or unsure); at most "
            f"{limit:.0%} may be",
            where=where,
            fix="leave the stream or its worst channels out, or raise max_missing",
        )


def resampler(series: Series, grid: TimeGrid, how: Resample, *, max_gap: float | None) -> Read:
    """How the signal becomes values and mask of any part of the grid; decided for the whole."""
    interval = sample_interval(series)
    if how == "auto":
        how = "mean" if interval <= grid.bin_width else "interpolate"
    if how == "interpolate":
        gap = max_gap or GAP * interval
        return lambda part: _plain(part.interpolate(series, max_gap=gap))
    return lambda part: _plain(part.average(series))


def sample_interval(series: Series) -> float:
    """Median time from one sample to the next, s; infinite where there is only one."""
    steps = np.diff(np.asarray(series.times[: LOOKED_AT if _is_lazy(series) else None]))
    return float(np.median(steps)) if len(steps) else np.inf


def _is_lazy(series: Series) -> bool:
    return not isinstance(series.times, np.ndarray)


def _plain(resampled: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    values, mask = resampled
    return np.where(mask, values, 0.0), mask
