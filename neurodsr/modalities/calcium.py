"""Calcium imaging: fluorescence through an indicator's kinetics, or deconvolved events."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator

from neurodsr.config import changed_keys
from neurodsr.data.streams import Series, Stream
from neurodsr.errors import DataError, nearest
from neurodsr.modalities.baseline import running_baseline
from neurodsr.modalities.filters.kinetics import INDICATORS, kernel_length, require_physiological
from neurodsr.modalities.signal_modality import SignalModality

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    from neurodsr.data.channels import Channels
    from neurodsr.data.time import TimeGrid
    from neurodsr.modalities.decoders import Decoder
    from neurodsr.modalities.observed import Observed
    from neurodsr.sources.base import Source

UNKNOWN_DECAY, UNKNOWN_RISE = 0.4, 0.05
"""Where an indicator is not named: between the fast and the slow ones, s."""
SPREAD = {"fixed": 1.0, "learned": 2.0}
"""Factor by which a time constant may leave its start."""
UNKNOWN_SPREAD = 3.0
OF_FLUORESCENCE = frozenset(
    ("indicator", "decay", "rise", "kinetics", "saturation", "noise", "drift", "deconvolution")
)
"""What deconvolved events have no use for."""


class Calcium(SignalModality):
    """Fluorescence of cells: activity that an indicator smears over time, with noise."""

    kind: Literal["calcium"] = Field("calcium", description="Calcium imaging of cells.")
    observation: Literal["fluorescence", "events"] = Field(
        "fluorescence",
        description="Fluorescence (raw or dF/F), or events that deconvolution made of it.",
    )
    indicator: str | None = Field(
        None, description=f"Its name, for its kinetics: {', '.join(INDICATORS)}."
    )
    decay: float | None = Field(
        None, gt=0, description="Decay time constant, s; default: the indicator's, else 0.4."
    )
    rise: float | None = Field(
        None,
        ge=0,
        description="Rise time constant, s; 0 is instantaneous. Default: the indicator's, else an "
        "eighth of the decay.",
    )
    kinetics: Literal["learned", "fixed"] = Field(
        "learned",
        description="Whether both time constants are learned, from half to twice their start (a "
        "third to three times where neither indicator nor decay is given).",
    )
    saturation: bool = Field(False, description="Whether light saturates with calcium.")
    noise: Literal["gaussian", "student"] = Field(
        "gaussian", description="Noise of the light; student has heavy tails, for motion artifacts."
    )
    drift: float | None = Field(
        None,
        gt=0,
        description="Window, s, in which the 20 % quantile of each cell is its baseline, to be "
        "subtracted; default: a constant baseline, which is learned.",
    )
    deconvolution: float | None = Field(
        None,
        gt=0,
        description="Power of the noise over that of the activity for which the encoder's view is "
        "deconvolved, such as 1; default: the encoder sees the light as it is.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Calcium:
        unused = sorted(OF_FLUORESCENCE & changed_keys(self))
        if self.observation == "events" and unused:
            raise ValueError(f"{', '.join(unused)}: only for observation: fluorescence")
        return self

    @model_validator(mode="after")
    def _known_indicator(self) -> Calcium:
        if self.indicator is not None and self.indicator not in INDICATORS:
            raise ValueError(
                f"unknown indicator {self.indicator!r}: {nearest(self.indicator, INDICATORS)} (for "
                "an indicator that is not in the list give decay and rise, in s)"
            )
        return self

    @property
    def time_constants(self) -> tuple[float, float]:
        """Decay and rise to start from, s."""
        known = INDICATORS.get(self.indicator or "")
        decay = self.decay or (known.decay if known else UNKNOWN_DECAY)
        ratio = known.rise / known.decay if known else UNKNOWN_RISE / UNKNOWN_DECAY
        return decay, ratio * decay if self.rise is None else self.rise

    def load(self, source: Source, grid: TimeGrid) -> Stream:
        """Put the cells' light on the grid, less its running baseline where that is asked for.

        Raises
        ------
        DataError
            The time constants are not physiological, an event is negative, or nothing is
            observed on the grid.
        """
        where = f"{source.path}:/{self.path}"
        series = self.read_series(source)
        if self.observation == "events":
            _refuse_negative(series, where=where)
            return self.put_on_grid(series, grid, where=where)
        require_physiological(*self.time_constants, where=where)
        if self.drift is not None:
            series = running_baseline(series, self.drift, where=where)
        stream = self.put_on_grid(series, grid, where=where)
        return replace(stream, notes=(*stream.notes, *self._kinetics_notes(grid.bin_width)))

    def build_decoder(self, channels: Channels, latent_dim: int, *, bin_width: float) -> Decoder:
        """Activity, kinetics and noise; for events, their odds and sizes."""
        if self.observation == "events":
            from neurodsr.modalities.event_sizes import EventSizeDecoder

            return EventSizeDecoder(len(channels), latent_dim)
        from neurodsr.modalities.calcium_decoder import CalciumDecoder

        decay, rise = self.time_constants
        return CalciumDecoder(
            len(channels),
            latent_dim,
            bin_width=bin_width,
            decay=decay,
            rise=rise,
            spread=self._spread(bin_width),
            saturates=self.saturation,
            heavy_tails=self.noise == "student",
        )

    def features(
        self, seen: Observed, channels: Channels, *, bin_width: float
    ) -> tuple[Float[Tensor, "*batch time feature"], Bool[Tensor, "*batch time feature"]]:
        """The light as it is, or deconvolved from what was observed of the window."""
        if not self.context(bin_width):
            return super().features(seen, channels, bin_width=bin_width)
        from neurodsr.modalities.filters.indicator import rise_decay_kernel
        from neurodsr.modalities.filters.view import deconvolved

        decay, rise = (seen.values.new_tensor([t]) for t in self.time_constants)
        length = kernel_length(*self.time_constants)
        kernel = rise_decay_kernel(rise, decay, bin_width=bin_width, length=length)
        return deconvolved(
            seen, kernel, noise=self.deconvolution, half_length=self.context(bin_width)
        )

    def context(self, bin_width: float) -> int:
        """Two decays, where the view is deconvolved."""
        if self.deconvolution is None or self.observation == "events":
            return 0
        return max(1, round(2 * self.time_constants[0] / bin_width))

    def _spread(self, bin_width: float) -> float:
        """How far time constants may be learned; bins longer than the decay do not show them."""
        if bin_width > self.time_constants[0]:
            return 1.0
        unknown = self.kinetics == "learned" and self.indicator is None and self.decay is None
        return UNKNOWN_SPREAD if unknown else SPREAD[self.kinetics]

    def _kinetics_notes(self, bin_width: float) -> tuple[str, ...]:
        decay, rise = self.time_constants
        if self.kinetics == "learned" and bin_width > decay:
            return (
                f"bins of {bin_width:g} s do not show a decay of {decay:g} s: the kinetics stay "
                "as they are given",
            )
        if self.indicator is None and self.decay is None:
            return (
                f"neither indicator nor decay is given: kinetics start from a decay of {decay:g} s "
                f"and a rise of {rise:g} s",
            )
        return ()


def _refuse_negative(series: Series, *, where: str) -> None:
    """Deconvolved events have no sign; the first negative one is named.

    Raises
    ------
    DataError
        There is one.
    """
    step = 2**16
    for first in range(0, len(series.times), step):
        rows = slice(first, first + step)
        wrong = np.asarray(series.values[rows] < 0) & np.asarray(series.valid[rows])
        if wrong.any():
            i, c = (int(k) for k in np.argwhere(wrong)[0])
            size, time = float(series.values[rows][i, c]), float(series.times[first + i])
            raise DataError(
                f"channel {series.channels.ids[c]!r} has an event of size {size:g} at {time:g} s",
                where=where,
                fix="events cannot be negative: use observation: fluorescence for this trace, or "
                "set what is below 0 to 0 in the file",
            )
