"""Bands of frequencies side by side: their power, their names, and the logarithm of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Bool, Float
from neurodsr.data.band_power import band_power
from neurodsr.data.channels import Channels
from neurodsr.data.lazy import LazyArray, lazy_pair
from neurodsr.data.streams import Series

if TYPE_CHECKING:
    from neurodsr.data.time import TimeGrid

Band = tuple[float, float]
"""Lowest and highest frequency, Hz."""
Scale = Literal["log", "linear"]

Powers = tuple[LazyArray, LazyArray]
"""Values and mask [time, channel], computed when they are sliced."""


def band_names(bands: Sequence[Band]) -> tuple[str, ...]:
    """What each band is called, such as "4-8 Hz"."""
    return tuple(f"{low:.15g}-{high:.15g} Hz" for low, high in bands)


def joint_power(
    series: Series, grid: TimeGrid, bands: Sequence[Band], *, window: float | None
) -> Powers:
    """Power of a signal in several bands, all channels of one after those of the other.

    Each band reads the samples that the bins asked for need once.

    Parameters
    ----------
    window
        Length of the windows, s; default: what each band needs, `band_power`.

    Raises
    ------
    DataError
        The clock is irregular, a band reaches beyond half the sampling rate, or the window is too
        short for it.
    """
    each = [band_power(series, grid, band=band, window=window) for band in bands]

    def read(first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        parts = [(power[first:stop], known[first:stop]) for power, known in each]
        power, known = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
        return power, known

    shape = (grid.n_bins, len(series.channels) * len(bands))
    return lazy_pair(read, shape=shape, dtype=np.float32)


def scaled(powers: Powers, *, scale: Scale, floor: float) -> Powers:
    r"""The power in its scale, $10 \log_{10} P$ for log, masked where it is below the floor."""
    power, known = powers

    def read(first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        mask = loud(power[first:stop], known[first:stop], floor=floor)
        seen = np.where(mask, power[first:stop], 1.0)
        return np.where(mask, 10 * np.log10(seen) if scale == "log" else seen, 0.0), mask

    return lazy_pair(read, shape=power.shape, dtype=np.float32)


def loud(
    power: Float[np.ndarray, "time channel"],
    known: Bool[np.ndarray, "time channel"],
    *,
    floor: float,
) -> Bool[np.ndarray, "time channel"]:
    """Where a power is known and at least the floor: a flat signal has none, and no logarithm."""
    return known & (power >= floor)


def in_bands(channels: Channels, names: Sequence[str]) -> Channels:
    """A channel for each electrode and band, "electrode/band", at the electrode's place."""
    plain = channels.to_plain()
    repeated = {name: list(values) * len(names) for name, values in plain.items()}
    ids = [f"{i}/{name}" for name in names for i in channels.ids]
    return Channels.from_plain(repeated | {"ids": ids, "levels": []})
