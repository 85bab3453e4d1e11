"""The raw kinds that sources give (events, series, intervals) and the stream they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from neurodsr.data.channels import Channels


class Intervals(NamedTuple):
    """Stretches of time [start, stop), s; `values` are the table's other columns, if any."""

    starts: Float[np.ndarray, " interval"]
    stops: Float[np.ndarray, " interval"]
    columns: dict[str, np.ndarray]


class Events(NamedTuple):
    """Points in time of many channels, stored flat: spikes, licks, pulses.

    Channel c owns `times[offsets[c]:offsets[c + 1]]`, sorted, in s. `observed[c]` lists the
    stretches in which channel c was watched, shape (interval, 2); None where the file is silent.
    `durations` has one entry an event, s, where events last; `columns` holds what else the file
    says of the channels, one entry a channel (a unit's quality, say).
    """

    times: Float[np.ndarray, " event"]
    offsets: Int[np.ndarray, " channels_plus_1"]
    channels: Channels
    observed: tuple[Float[np.ndarray, "interval 2"], ...] | None
    notes: tuple[str, ...] = ()
    durations: Float[np.ndarray, " event"] | None = None
    columns: Mapping[str, np.ndarray] = MappingProxyType({})


class Series(NamedTuple):
    """Samples of a continuous signal: `values` [sample, channel] may be lazy, `times` in s.

    `times` increase strictly; like `values` and `valid` they may be lazy: they have `len`, slices,
    `np.asarray` and `searchsorted`. `valid` [sample, channel] is False where the file holds no
    number (NaN, lost tracking). `columns` holds what else the file says of the channels, one
    entry a channel (whether an ROI was accepted, say).

    `confidence` [sample, channel] is how sure a tracker was of each value, 0 where there is no
    number; None where the file does not say. Values that it was not sure of are not `valid`, but
    are kept: `neurodsr.data.confidence.keep_sure` draws the line elsewhere.
    """

    values: Float[np.ndarray, "sample channel"]
    valid: Bool[np.ndarray, "sample channel"]
    times: Float[np.ndarray, " sample"]
    channels: Channels
    unit: str
    notes: tuple[str, ...] = ()
    columns: Mapping[str, np.ndarray] = MappingProxyType({})
    confidence: Float[np.ndarray, "sample channel"] | None = None


@dataclass(frozen=True, repr=False)
class Stream:
    """One modality on the grid.

    Parameters
    ----------
    values
        Shape (time, channel); 0 where `mask` is False. A lazy array (zarr) is welcome.
    mask
        Shape (time, channel), True where something was observed.
    channels
        What is known of each channel.
    unit
        Physical unit of the values as the file spells it; "count" for counts.
    notes
        What loading repaired or dropped, in the reader's words.
    exposure
        Fraction of each bin in which each channel was watched, shape (time, channel): above 0 and
        at most 1 where `mask` is True, 0 where it is False. None: bins were watched whole wherever
        `mask` is True. Only for values that add up over time, such as counts: of what half a bin
        was watched for, half is expected. Means, angles and labels have none.
    """

    values: Shaped[Any, "time channel"]
    mask: Bool[Any, "time channel"]
    channels: Channels
    unit: str
    notes: tuple[str, ...] = ()
    exposure: Float[Any, "time channel"] | None = None

    def __repr__(self) -> str:
        return f"Stream of {self.n_channels} channels in {self.n_bins} bins, unit {self.unit!r}"

    def __post_init__(self) -> None:
        if self.values.shape != self.mask.shape or self.values.shape[1:] != (len(self.channels),):
            raise AssertionError(
                f"values {self.values.shape}, mask {self.mask.shape}, "
                f"{len(self.channels)} channels do not belong together"
            )
        if self.exposure is not None and self.exposure.shape != self.values.shape:
            raise AssertionError(
                f"values {self.values.shape} and exposure {self.exposure.shape} do not belong "
                "together"
            )

    def transform(
        self, change: Callable[[Any], Any], *, channels: Channels | None = None
    ) -> Stream:
        """The stream with values, mask and exposure all changed in the same way.

        Parameters
        ----------
        change
            Gives the new array for each of them, such as some of its bins or channels.
        channels
            Those of the new arrays; default: the same as before.
        """
        return Stream(
            change(self.values),
            change(self.mask),
            self.channels if channels is None else channels,
            self.unit,
            self.notes,
            None if self.exposure is None else change(self.exposure),
        )

    @property
    def n_bins(self) -> int:
        """Number of bins on the grid."""
        return self.values.shape[0]

    @property
    def n_channels(self) -> int:
        """Number of recorded dimensions."""
        return self.values.shape[1]
