"""What every modality of sampled signals has in common: channels chosen, samples put on bins."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from neurodsr.data.lazy import LazyArray, blockwise
from neurodsr.data.streams import Series, Stream
from neurodsr.errors import DataError
from neurodsr.modalities.base import Modality
from neurodsr.modalities.labels import table_of
from neurodsr.modalities.selection import Selection
from neurodsr.modalities.signals import choose_channels, refuse_missing, resampler

if TYPE_CHECKING:
    from neurodsr.data.time import TimeGrid
    from neurodsr.sources.base import Source


class SignalModality(Modality, ABC):
    """A modality whose values are samples of a signal; subclasses say how it is observed."""

    where: Selection = Field(
        default_factory=dict,
        description="Channels that are used, by what the file says of each, such as Accepted: 1: "
        "column -> value, values, or {min, max}.",
    )
    channels: tuple[str, ...] | None = Field(
        None, description="Ids of the channels that are used; default: all."
    )
    resample: Literal["auto", "mean", "interpolate", "sample"] = Field(
        "auto",
        description="How a signal meets the grid: the mean of the samples in a bin, a line between "
        "samples, or each sample in the bin of its time alone (volumes of a scanner); auto: the "
        "mean where a bin has a sample or more, else a line.",
    )
    max_gap: float | None = Field(
        None,
        gt=0,
        description="Longest gap between samples that is interpolated over, s; longer ones are "
        "masked. Default: three times the median sample interval.",
    )

    def read_series(self, source: Source) -> Series:
        """The chosen channels of the series, before they meet the grid.

        Raises
        ------
        DataError
            A column or channel is not there, none is left, too many values are missing, or the
            path names a column of a table such as trials.
        """
        where = f"{source.path}:/{self.path}"
        if table_of(source, self.path) is not None:
            raise DataError(
                "a column of a table has one value a row, and is no signal",
                where=where,
                fix="use kind: behavior with observation: categorical or ordinal for it",
            )
        series = choose_channels(source.series(self.path), self.where, self.channels, where=where)
        refuse_missing(series, limit=self.max_missing, where=where)
        return series

    def put_on_grid(self, series: Series, grid: TimeGrid, *, where: str) -> Stream:
        """The series in bins.

        Parameters
        ----------
        where
            File and path of the series, for errors.

        Raises
        ------
        DataError
            Nothing is observed on the grid.
        """
        resample = resampler(series, grid, self.resample, max_gap=self.max_gap)
        if isinstance(series.values, LazyArray):
            values, mask = blockwise(
                grid, resample, n_channels=len(series.channels), dtype=np.float32
            )
            return Stream(values, mask, series.channels, series.unit, series.notes)
        values, mask = resample(grid)
        if not mask.any():
            raise nothing_observed(grid, where=where)
        return Stream(values.astype(np.float32), mask, series.channels, series.unit, series.notes)


def nothing_observed(grid: TimeGrid, *, where: str) -> DataError:
    """The error for a stream without a single observed bin."""
    return DataError(
        f"nothing is observed between {grid.start:g} s and {grid.stop:g} s",
        where=where,
        fix="check grid.start and grid.stop against what `neurodsr inspect` prints",
    )
