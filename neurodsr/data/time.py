"""The one clock, and the only code that turns seconds into bins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.errors import DataError


@dataclass(frozen=True)
class TimeGrid:
    """Bins k = 0..n_bins-1 of equal width, bin k = [edges[k], edges[k+1]).

    Parameters
    ----------
    start
        Left edge of bin 0, s on the file's clock.
    bin_width
        Width of a bin, s.
    n_bins
        Number of bins.
    """

    start: float
    bin_width: float
    n_bins: int

    def __post_init__(self) -> None:
        if not (np.isfinite(self.start) and 0 < self.bin_width < np.inf and self.n_bins > 0):
            raise DataError(
                f"a grid of {self.n_bins} bins of {self.bin_width} s from {self.start} s is empty",
                fix="choose a stop after the start and a bin_width shorter than the recording",
            )
        resolution = _resolution(self.start, self.start + self.bin_width * self.n_bins)
        # Below some eight steps of the clock, rounded edges give visibly unequal bins.
        if not self.bin_width > 8 * resolution:
            raise DataError(
                f"a bin_width of {self.bin_width} s is too fine for times around {self.start} s, "
                f"which the computer tells apart by {resolution:.1e} s only",
                fix="choose wider bins, or subtract the recording's start from all times",
            )

    @classmethod
    def spanning(cls, start: float, stop: float, bin_width: float) -> TimeGrid:
        """The grid of whole bins inside [start, stop].

        A last bin that ends at `stop` but for the rounding of these numbers counts as whole.
        """
        if not (np.isfinite(stop - start) and stop > start and bin_width > 0):
            return cls(float(start), float(bin_width), 0)
        n_bins = (stop - start) / bin_width
        rounding = 1e-12 * n_bins + 2 * _resolution(start, stop) / bin_width
        return cls(float(start), float(bin_width), int(np.floor(n_bins + rounding)))

    @cached_property
    def edges(self) -> Float[np.ndarray, " n_bins_plus_1"]:
        """Bin edges, s: start + bin_width * arange(n_bins + 1)."""
        return self.start + self.bin_width * np.arange(self.n_bins + 1)

    @property
    def centers(self) -> Float[np.ndarray, " n_bins"]:
        """Middle of each bin, s."""
        return self.start + self.bin_width * (np.arange(self.n_bins) + 0.5)

    @property
    def stop(self) -> float:
        """Right edge of the last bin, s."""
        return float(self.edges[-1])

    def index(self, times: Float[np.ndarray, " event"]) -> Int[np.ndarray, " event"]:
        """Bin of each time; -1 before the grid, n_bins from its end on.

        A search in the one array of edges: a time on an edge falls in the bin that it opens,
        which floor(t / bin_width) gets wrong (0.29 s at 10 ms would fall in bin 28).
        """
        return np.searchsorted(self.edges, times, side="right") - 1

    def count(self, events: Events) -> Int[np.ndarray, "n_bins channel"]:
        """Events of each channel in each bin."""
        counts = np.zeros((self.n_bins, len(events.channels)), dtype=np.int64)
        for c in range(len(events.channels)):
            bins = self.index(events.times[events.offsets[c] : events.offsets[c + 1]])
            inside = bins[(bins >= 0) & (bins < self.n_bins)]
            counts[:, c] = np.bincount(inside, minlength=self.n_bins)
        return counts

    def observed(self, events: Events) -> Bool[np.ndarray, "n_bins channel"]:
        """Bins that lie wholly inside a stretch in which the channel was watched."""
        mask = np.ones((self.n_bins, len(events.channels)), dtype=bool)
        for c, stretches in enumerate(events.observed or ()):
            mask[:, c] = self._within(stretches[:, 0], stretches[:, 1])
        return mask

    def inside(self, intervals: Intervals) -> Bool[np.ndarray, " n_bins"]:
        """Bins that lie wholly inside one of the intervals."""
        return self._within(intervals.starts, intervals.stops)

    def _within(self, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
        mask = np.zeros(self.n_bins, dtype=bool)
        # An unknown end (NaN, as of a trial that never stopped) promises nothing.
        known = starts < stops
        starts, stops = starts[known], stops[known]
        first = np.searchsorted(self.edges, starts, side="left")
        last = np.searchsorted(self.edges, stops, side="right") - 1
        for a, b in zip(first, last, strict=True):
            mask[a : max(a, b)] = True
        return mask

    def average(
        self, series: Series
    ) -> tuple[Float[np.ndarray, "n_bins channel"], Bool[np.ndarray, "n_bins channel"]]:
        """Mean of the valid samples in each bin; bins without one are masked."""
        bins = self.index(series.times)
        inside = (bins >= 0) & (bins < self.n_bins)
        bins = bins[inside]
        values, valid = np.asarray(series.values)[inside], np.asarray(series.valid)[inside]
        total = np.zeros((self.n_bins, values.shape[1]))
        number = np.zeros((self.n_bins, values.shape[1]))
        np.add.at(total, bins, np.where(valid, values, 0.0))
        np.add.at(number, bins, valid)
        return total / np.maximum(number, 1), number > 0

    def interpolate(
        self, series: Series, *, max_gap: float
    ) -> tuple[Float[np.ndarray, "n_bins channel"], Bool[np.ndarray, "n_bins channel"]]:
        """Linear interpolation at the bin centers, masked where samples are too far apart.

        A bin is observed where a valid sample lies on its center, or where the valid samples on
        both sides of it lie at most `max_gap` s apart.
        """
        values = np.zeros((self.n_bins, len(series.channels)))
        mask = np.zeros(values.shape, dtype=bool)
        for c in range(values.shape[1]):
            valid = np.asarray(series.valid[:, c])
            times = series.times[valid]
            if not len(times):
                continue
            mask[:, c] = self._bridged(times, max_gap)
            filled = np.interp(self.centers, times, np.asarray(series.values[:, c])[valid])
            values[:, c] = np.where(mask[:, c], filled, 0.0)
        return values, mask

    def _bridged(self, times: np.ndarray, max_gap: float) -> np.ndarray:
        before = np.searchsorted(times, self.centers, side="right") - 1
        after = np.searchsorted(times, self.centers, side="left")
        inside = (before >= 0) & (after < len(times))
        # A sample on the center is both neighbors at once: a gap of 0.
        gap = times[after.clip(max=len(times) - 1)] - times[before.clip(min=0)]
        # Differences of rounded times: those of a 30 Hz camera exceed 1/30 s every other frame.
        rounding = 2 * _resolution(times[0], times[-1])
        return inside & (gap <= max_gap + rounding)


def _resolution(*times: float) -> float:
    return float(np.spacing(np.abs(times).max()))
