"""The kind `lfp`: power of an electrical signal in bands of frequencies, bin by bin."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from neurodsr.data.lazy import LazyArray
from neurodsr.data.streams import Series, Stream
from neurodsr.errors import DataError
from neurodsr.modalities.base import Modality
from neurodsr.modalities.selection import Selection
from neurodsr.modalities.signal_modality import nothing_observed
from neurodsr.modalities.signals import choose_channels, refuse_missing
from pydantic import Field, field_validator

from neurodsr_lfp.bands import Band, Powers, band_names, in_bands, joint_power, loud, scaled

if TYPE_CHECKING:  # torch takes seconds to import; the command line must not wait for it
    from neurodsr.data.channels import Channels
    from neurodsr.data.time import TimeGrid
    from neurodsr.modalities.decoders import Decoder
    from neurodsr.sources.base import Source

THETA, GAMMA = (4.0, 8.0), (30.0, 80.0)


class LfpPower(Modality):
    """Power of the local field potential in bands of frequencies, such as theta and gamma."""

    # The version of the contract that this class is written for; another one is refused.
    api_version: ClassVar[str] = "1"

    kind: Literal["lfp"] = Field("lfp", description="Band power of a field potential.")
    bands: tuple[Band, ...] = Field(
        (THETA, GAMMA),
        min_length=1,
        description="Lowest and highest frequency of each band, Hz; default: theta and gamma.",
    )
    window: float | None = Field(
        None,
        gt=0,
        description="Length of the window around a bin that its power is taken from, s. Default: a "
        "bin, or what a band needs if that is longer: four divided by its width, and a period of "
        "its lowest frequency.",
    )
    scale: Literal["log", "linear"] = Field(
        "log",
        description="log: in dB, ten times the decimal logarithm of the power, whose noise is near "
        "Gaussian; linear: the power itself, in the square of the signal's unit.",
    )
    floor: float = Field(
        1e-16,
        gt=0,
        description="Power below which a signal counts as flat (blanked, unplugged) and is masked, "
        "in the square of its unit; the default is (10 nV)^2, less than any amplifier's noise.",
    )
    where: Selection = Field(
        default_factory=dict,
        description="Electrodes that are used, by what the file says of each, such as region: CA1: "
        "column -> value, values, or {min, max}.",
    )
    channels: tuple[str, ...] | None = Field(
        None, description="Ids of the electrodes that are used; default: all."
    )

    @field_validator("bands")
    @classmethod
    def _are_bands(cls, bands: tuple[Band, ...]) -> tuple[Band, ...]:
        for low, high in bands:
            if not 0 < low < high:
                raise ValueError(f"{low:g} to {high:g} is no band: write [lowest, highest] in Hz")
        names = band_names(bands)
        if len(set(names)) < len(names):
            raise ValueError(f"a band comes twice: {', '.join(names)}")
        return bands

    def load(self, source: Source, grid: TimeGrid) -> Stream:
        """Power of each electrode in each band; computed when sliced where the signal is large.

        Raises
        ------
        DataError
            The clock is irregular, a band reaches beyond half the sampling rate or needs a longer
            window, too much is missing, or no bin has a power above the floor.
        """
        where = f"{source.path}:/{self.path}"
        found = with_regions(source.series(self.path))
        series = choose_channels(found, self.where, self.channels, where=where)
        refuse_missing(series, limit=self.max_missing, where=where)
        powers = self._powers(series, grid, where)
        values, mask = scaled(powers, scale=self.scale, floor=self.floor)
        notes: tuple[str, ...] = (f"a power below {self.floor:g} in a bin is masked",)
        if not isinstance(series.values, LazyArray):
            notes = self._flat_notes(powers, grid, where)
            values, mask = np.asarray(values), np.asarray(mask)
        channels = in_bands(series.channels, band_names(self.bands))
        return Stream(values, mask, channels, self._unit(series.unit), (*series.notes, *notes))

    def build_decoder(self, channels: Channels, latent_dim: int, *, bin_width: float) -> Decoder:
        """A linear mean with Gaussian noise; in dB, the noise of a power is nearly that."""
        from neurodsr.modalities.gaussian import GaussianDecoder

        return GaussianDecoder(len(channels), latent_dim)

    def _unit(self, of_signal: str) -> str:
        squared = f"{of_signal}^2" if of_signal else ""
        return squared if self.scale == "linear" else f"dB re {squared}" if squared else "dB"

    def _powers(self, series: Series, grid: TimeGrid, where: str) -> Powers:
        try:
            return joint_power(series, grid, self.bands, window=self.window)
        except DataError as error:
            raise DataError(error.what, where=where, fix=error.fix) from error

    def _flat_notes(self, powers: Powers, grid: TimeGrid, where: str) -> tuple[str, ...]:
        """What is to be said of bins without power; an error where that is all there is."""
        power, known = np.asarray(powers[0]), np.asarray(powers[1])
        if not known.any():
            raise nothing_observed(grid, where=where)
        n_flat = int((known & ~loud(power, known, floor=self.floor)).sum())
        if n_flat == known.sum():
            raise DataError(
                f"no power is above the floor of {self.floor:g}; the largest is "
                f"{power[known].max():.3g}",
                where=where,
                fix="set floor below the power of the signal's noise, in the square of its unit",
            )
        if not n_flat:
            return ()
        return (f"{n_flat} of {known.sum()} powers are below {self.floor:g}, and were masked",)


def with_regions(series: Series) -> Series:
    """The series with the region of each electrode among what it can be chosen by."""
    return series._replace(columns={"region": np.array(series.channels.regions), **series.columns})
