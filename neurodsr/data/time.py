"""The one clock, and the only code that turns seconds into bins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Integer, Num

from neurodsr.data.counting import count
from neurodsr.data.coverage import exposure, observed, within
from neurodsr.data.resampling import bin_means, bridged
from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.errors import DataError

MAX_DIGITS = 9
"""Decimals that a start or a bin width may have and still be taken as decimal numbers, in s."""


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
    first
        Number of the first bin, counted from `start`; other than 0 in a part of a grid only.
    """

    start: float
    bin_width: float
    n_bins: int
    first: int = 0

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
        """Bin edges, s: start + bin_width * (first + arange(n_bins + 1))."""
        return self.at(self.first + np.arange(self.n_bins + 1))

    def at(self, n_widths: Num[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
        """Times so many bin widths after the start, s, each rounded once.

        Three widths of 0.1 s are 0.3 s, where 3 * 0.1 would be 0.30000000000000004 s: else a
        spike at 0.3 s would lie before the bin that begins there, and every other sample of a
        regular clock in the wrong bin.
        """
        scale, start, width = self._whole
        return (start + width * n_widths) / scale

    @cached_property
    def _whole(self) -> tuple[float, float, float]:
        """A scale in which start and bin width are whole numbers, and these; else 1 and they."""
        last = self.first + self.n_bins
        for scale in (*(10.0**digits for digits in range(MAX_DIGITS + 1)), 1 / self.bin_width):
            scale = float(round(scale))
            start, width = (float(round(x * scale)) for x in (self.start, self.bin_width))
            # Products and sums of whole numbers below 2^53 are exact.
            small = abs(start) + width * (last + 1) < 2**53
            if scale and small and (start / scale, width / scale) == (self.start, self.bin_width):
                return scale, start, width
        return 1.0, self.start, self.bin_width

    def part(self, first: int, last: int) -> TimeGrid:
        """The bins [first, last) of this grid, with the very same edges."""
        part = TimeGrid(self.start, self.bin_width, last - first, self.first + first)
        # By itself it might be short enough for a scale that the whole is too long for.
        part.__dict__["_whole"] = self._whole
        return part

    @property
    def centers(self) -> Float[np.ndarray, " n_bins"]:
        """Middle of each bin, s."""
        return self.at(self.first + np.arange(self.n_bins) + 0.5)

    @property
    def stop(self) -> float:
        """Right edge of the last bin, s."""
        return float(self.at(np.array([self.first + self.n_bins]))[0])

    def index(self, times: Float[np.ndarray, " event"]) -> Int[np.ndarray, " event"]:
        """Bin of each time; -1 before the grid, n_bins from its end on.

        A search in the one array of edges: a time on an edge falls in the bin that it opens,
        which floor(t / bin_width) gets wrong (0.29 s at 10 ms would fall in bin 28).
        """
        return np.searchsorted(self.edges, times, side="right") - 1

    def count(self, events: Events) -> Integer[np.ndarray, "n_bins channel"]:
        """Events of each channel in each bin, in the smallest unsigned type that holds them."""
        return count(self, events)

    def observed(self, events: Events) -> Bool[np.ndarray, "n_bins channel"]:
        """Bins that lie wholly inside a stretch in which the channel was watched.

        Read-only, and without memory for each channel, where all were watched alike.
        """
        return observed(self, events)

    def exposure(self, events: Events) -> Float32[np.ndarray, "n_bins channel"] | None:
        """Fraction of each bin in which each channel was watched, from 0 to 1.

        None where it would say no more than `observed`: every bin was watched whole, by one
        stretch, or not at all. Otherwise exactly 1 in every bin that is `observed`; time in two
        stretches counts once. Read-only where all channels were watched alike.
        """
        return exposure(self, events)

    def inside(self, intervals: Intervals) -> Bool[np.ndarray, " n_bins"]:
        """Bins that lie wholly inside one of the intervals."""
        return within(self, intervals.starts, intervals.stops)

    def average(
        self, series: Series
    ) -> tuple[Float[np.ndarray, "n_bins channel"], Bool[np.ndarray, "n_bins channel"]]:
        """Mean of the valid samples in each bin; bins without one are masked."""
        return bin_means(series, self.edges)

    def interpolate(
        self, series: Series, *, max_gap: float
    ) -> tuple[Float[np.ndarray, "n_bins channel"], Bool[np.ndarray, "n_bins channel"]]:
        """Linear interpolation at the bin centers, masked where samples are too far apart.

        A bin is observed where a valid sample lies on its center, or where the valid samples on
        both sides of it lie at most `max_gap` s apart.
        """
        return bridged(series, self.centers, max_gap=max_gap)


def _resolution(*times: float) -> float:
    return float(np.spacing(np.abs(times).max()))
