"""Power of a signal in a band of frequencies, bin by bin, from windows around the bins."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from neurodsr.data.lazy import LazyArray, RegularTimes, blockwise, everywhere
from neurodsr.data.streams import Series
from neurodsr.errors import DataError

if TYPE_CHECKING:
    from neurodsr.data.time import TimeGrid

BLOCK_BYTES = 32 * 2**20
"""Samples that are read at a time, if they were float32."""
CACHE_BYTES = 2**20
"""Samples that are made float32 at a time: they are used right away, from the cache."""
REGULAR = 1e-3
"""Fraction of the median step by which the steps of a regular clock may differ."""
GAP = 1.5
"""Median steps from which on samples are missing."""


def band_power(
    series: Series, grid: TimeGrid, *, band: tuple[float, float], window: float | None = None
) -> tuple[LazyArray, LazyArray]:
    r"""Mean squared amplitude of a signal in a band of frequencies, in a window around each bin.

    $$ P = \frac{2\,\Delta f}{f_s \sum_n w_n^2}
           \sum_i \Big| \sum_n w_n\, (x_n - \bar x)\, e^{-2\pi\mathrm{i} f_i n / f_s} \Big|^2 $$

    with the Hann taper $w$, the mean $\bar x$ of the window weighted by it, and frequencies $f_i$
    in the middle of equal parts $\Delta f \le f_s / N$ of the band. At that spacing the sum is
    the integral of the periodogram over the band: a sine of amplitude $a$ in it gives $a^2/2$,
    white noise of variance $s^2$ gives $s^2$ times the part of $[0, f_s/2]$ that the band takes.
    A sine loses from its power what lies across the edge of the band when it is nearer to it than
    two divided by the window.

    Parameters
    ----------
    series
        Samples of a regular clock; they may be lazy, and so are values and mask.
    band
        Lowest and highest frequency, Hz.
    window
        Length of the windows, s: whole samples, centered on the bins. Default: a bin, or what
        the band needs if that is longer: four divided by its width, at which the taper's main
        lobe is as wide as the band, and a period of its lowest frequency.

    Returns
    -------
    The power, float32, in the square of the series' unit, and which bins have one: those whose
    window lies in the series and has neither a gap nor, in that channel, a sample that is no
    number.

    Raises
    ------
    DataError
        The clock is irregular, the band reaches beyond half the sampling rate, or the window
        holds less than a period of the lowest frequency or less than two of the band's width.

    References
    ----------
    Welch 1967, IEEE Trans. Audio Electroacoust. 15:70-73 (tapered periodograms); Harris 1978,
    Proc. IEEE 66:51-83 (the Hann taper). The frequencies are our own choice: those of the discrete
    Fourier transform would make the band wider or narrower than it was asked for. So is the
    default of the window.
    """
    interval = _interval(series.times)
    _check_band(band, rate=1 / interval)
    projection = _projection(interval, band, _window(band, window, bin_width=grid.bin_width))
    samples = _Samples.of(series)

    def read(part: TimeGrid) -> tuple[np.ndarray, np.ndarray]:
        return projection.power(samples, part.centers)

    return blockwise(grid, read, n_channels=len(series.channels), dtype=np.float32)


def _interval(times: Float[np.ndarray, " sample"] | RegularTimes) -> float:
    """Time between samples of a regular clock, s; gaps do not make it irregular."""
    if isinstance(times, RegularTimes):
        return times.interval
    steps = np.diff(times)
    median = float(np.median(steps)) if len(steps) else np.nan
    odd = (np.abs(steps - median) > REGULAR * median) & (steps < GAP * median)
    if odd.any() or not len(steps):
        spread = f"{steps.min():.6g} to {steps.max():.6g} s apart" if len(steps) else "too few"
        raise DataError(
            f"band power needs a regular clock, but the samples are {spread}",
            fix="write the series again with its rate if it is regular but for the rounding of its "
            "timestamps, or use the signal itself",
        )
    return median


@dataclass(frozen=True)
class _Projection:
    """The window as a matrix [part, sample], whose products with a signal square to the power."""

    matrix: Float32[np.ndarray, "part sample"]
    interval: float

    @property
    def length(self) -> int:
        return self.matrix.shape[1]

    def power(
        self, samples: _Samples, centers: Float[np.ndarray, " n_bins"]
    ) -> tuple[Float[np.ndarray, "n_bins channel"], Bool[np.ndarray, "n_bins channel"]]:
        """Power in the window around each center, and where there is one."""
        shape = (len(centers), len(samples.scale))
        values, mask = np.zeros(shape), np.zeros(shape, dtype=bool)
        first, whole = self._windows(samples.series.times, centers)
        bins = np.flatnonzero(whole)
        # Windows far apart are read one by one, those side by side in blocks.
        apart = np.flatnonzero(np.diff(first[bins]) > self.length + samples.step) + 1
        for group in np.split(bins, apart) if len(bins) else ():
            low, high = int(first[group[0]]), int(first[group[-1]]) + self.length
            done = 0
            for start, signal, valid in samples.pieces(low, high, overlap=self.length):
                ready = int(
                    np.searchsorted(first[group], start + len(signal) - self.length, "right")
                )
                for k in group[done:ready]:
                    rows = slice(first[k] - start, first[k] - start + self.length)
                    mask[k] = True if valid is None else valid[rows].all(axis=0)
                    parts = self.matrix @ signal[rows]
                    values[k] = np.einsum("pc,pc->c", parts, parts)
                done = ready
        values *= samples.scale**2
        values[~mask] = 0.0
        return values, mask

    def _windows(
        self, times: Any, centers: np.ndarray
    ) -> tuple[Int[np.ndarray, " n_bins"], Bool[np.ndarray, " n_bins"]]:
        """First sample of each window, and whether all its samples are there."""
        # A sample half an interval before a center belongs to it, whatever way it was rounded.
        half = (0.5 + REGULAR) * self.interval
        middle = times.searchsorted(centers - half, side="left")
        first = middle - self.length // 2
        whole = (first >= 0) & (first + self.length <= len(times))
        low = first.clip(0, max(0, len(times) - self.length))
        high = (low + self.length - 1).clip(max=len(times) - 1)
        start, stop = times[low], times[high]
        near = GAP / 2 * self.interval
        whole &= stop - start < (self.length - 1) * self.interval + near
        whole &= np.abs(start + (self.length // 2) * self.interval - centers) < near
        return first, whole


def _projection(interval: float, band: tuple[float, float], window: float) -> _Projection:
    low, high = band
    n = round(window / interval)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n)
    # Fewer frequencies would leave gaps between them: the taper's spectrum is 1 / window wide.
    n_parts = int(np.ceil((high - low) * n * interval - 1e-9))
    width = (high - low) / n_parts
    frequencies = low + (np.arange(n_parts) + 0.5) * width
    waves = taper * np.exp(-2j * np.pi * interval * np.outer(frequencies, np.arange(n)))
    # Whatever the offset of the signal, it must not leak into the band.
    waves -= np.outer(waves.sum(axis=1), taper / taper.sum())
    waves *= np.sqrt(2 * width * interval / (taper**2).sum())
    return _Projection(np.concatenate([waves.real, waves.imag]).astype(np.float32), interval)


def _check_band(band: tuple[float, float], *, rate: float) -> None:
    low, high = band
    if not 0 < low < high <= rate / 2:
        raise DataError(
            f"a band of {low:g} to {high:g} Hz in a signal of {rate:g} samples per s",
            fix=f"choose a lowest frequency above 0 and a highest of at most {rate / 2:g} Hz",
        )


def _window(band: tuple[float, float], window: float | None, *, bin_width: float) -> float:
    """Length of the windows, s: the default, or the one given if the band can be told in it."""
    low, high = band
    if window is None:
        return max(bin_width, 4 / (high - low), 1 / low)
    shortest = max(1 / low, 2 / (high - low))
    if not shortest * (1 - 1e-9) <= window < np.inf:
        raise DataError(
            f"a window of {window:g} s cannot hold apart what lies from {low:g} to {high:g} Hz",
            fix=f"choose a window of at least {shortest:.3g} s: a period of the lowest frequency, "
            "and two of the band's width",
        )
    return window


@dataclass(frozen=True)
class _Samples:
    """A signal as float32 holds it, but for a factor and an offset of each channel."""

    series: Series
    reference: Float[np.ndarray, " channel"]
    scale: Float[np.ndarray, " channel"]

    @classmethod
    def of(cls, series: Series) -> _Samples:
        n = len(series.channels)
        stored = series.values.stored if isinstance(series.values, LazyArray) else None
        if stored is not None:
            return cls(series, np.zeros(n), stored.gain)
        return cls(series, np.array(series.values[0:1], dtype=np.float64).reshape(n), np.ones(n))

    @property
    def step(self) -> int:
        """Samples in a block: a power of two, as chunks in files often are."""
        return 1 << max(0, (BLOCK_BYTES // (4 * max(1, len(self.scale)))).bit_length() - 1)

    def pieces(
        self, low: int, high: int, *, overlap: int
    ) -> Iterator[tuple[int, Float32[np.ndarray, "sample channel"], np.ndarray | None]]:
        """First sample, samples and mask of stretches that overlap, each of which fits in a cache.

        Each is gone when the next one is asked for. The mask is None where all are numbers.
        """
        step = max(overlap, CACHE_BYTES // (4 * max(1, len(self.scale))))
        signal = np.empty((overlap + step, len(self.scale)), dtype=np.float32)
        valid = None if everywhere(self.series.valid) else np.ones(signal.shape, dtype=bool)
        held, end = 0, low
        for block, known in self._blocks(low, high):
            for first in range(0, len(block), step):
                rows, kept = slice(first, first + step), min(held, overlap)
                new = slice(kept, kept + len(block[rows]))
                signal[:kept], signal[new] = signal[held - kept : held], block[rows]
                if valid is not None:
                    valid[:kept], valid[new] = valid[held - kept : held], known[rows]
                held, end = new.stop, end + new.stop - kept
                yield end - held, signal[:held], None if valid is None else valid[:held]

    def _blocks(self, low: int, high: int) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Samples and which are numbers, block after block; the next one is read meanwhile."""
        ends = [low, *range((low // self.step + 1) * self.step, high, self.step), high]
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(self.read, *ends[:2])
            for stretch in pairwise(ends[1:]):
                block = ahead.result()
                ahead = reader.submit(self.read, *stretch)
                yield block
            yield ahead.result()

    def read(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Samples, but for factor and offset, and which are numbers; None if all are."""
        values, valid = self.series.values, self.series.valid
        stored = values.stored if isinstance(values, LazyArray) else None
        known = None if everywhere(valid) else np.asarray(valid[first:last])
        if stored is not None:
            return stored.load(first, last), known
        # Rounded to float32 only without the offset, which may be much larger than the signal.
        signal = np.asarray(values[first:last]) - self.reference
        return (signal if known is None else np.where(known, signal, 0.0)), known
