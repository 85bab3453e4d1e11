"""Functional MRI: activity seen through the blood, one volume at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator

from neurodsr.data.streams import Series, Stream
from neurodsr.errors import DataError
from neurodsr.modalities.confounds import read_regressors, regress_out
from neurodsr.modalities.hrf import HrfConfig
from neurodsr.modalities.signal_modality import SignalModality
from neurodsr.modalities.signals import sample_interval

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    from neurodsr.data.channels import Channels
    from neurodsr.data.time import TimeGrid
    from neurodsr.modalities.decoders import Decoder
    from neurodsr.modalities.observed import Observed
    from neurodsr.sources.base import Source

SLOW = 4.0
"""A TR above it, s, leaves one volume or none to the main lobe of the response; our own choice."""
REACH = 16.0
"""How far to either side deconvolution looks, s: 4 s to the next volume, and 12 s, after which the
response has mostly fallen."""


class Fmri(SignalModality):
    """BOLD of regions or voxels: activity through the hemodynamic response, with noise.

    Weights of nuisance regressors depend on the grid, since they are fitted on its first part.
    """

    kind: Literal["fmri"] = Field("fmri", description="BOLD of functional MRI.")
    resample: Literal["auto", "mean", "interpolate", "sample"] = Field(
        "sample",
        description="How volumes meet the grid: each in the bin of its acquisition time alone, the "
        "other bins missing (sample), or as signals do (auto, mean, interpolate).",
    )
    hrf: Literal["canonical", "derivatives", "learned"] = Field(
        "canonical",
        description="Hemodynamic response: the double gamma of `response`; with its time and "
        "dispersion derivatives, weighted by each channel for itself; or one whose delays and "
        "ratio are learned within physiological bounds, the same for all channels.",
    )
    response: HrfConfig = Field(
        default_factory=HrfConfig,
        description="Parameters of the response, s; where it is learned, those to start from.",
    )
    noise: Literal["white", "ar1"] = Field(
        "white",
        description="Noise of the signal: independent in each volume (white), or correlated over "
        "time, with a time constant that each channel learns (ar1).",
    )
    nuisance: tuple[str, ...] = Field(
        (),
        description="Nuisance regressors that are taken out of the signal: paths of series in the "
        "same file (confounds), or path and channel (confounds/trans_x).",
    )
    nuisance_fit: float = Field(
        0.7,
        gt=0,
        le=1,
        description="Fraction of a session's grid, from its start on, on which their weights are "
        "fitted. At most what `split` leaves for training keeps test data out of them, for a "
        "single session without `segments`. With several sessions or with segments test data have "
        "a part in them: regress the nuisance out beforehand, or leave it out.",
    )
    deconvolution: float | None = Field(
        1.0,
        gt=0,
        description="Power of the noise over that of the activity for which the encoder's view is "
        "deconvolved; anything from 0.1 to 10 did equally well. null: the encoder sees the volumes "
        "as they are.",
    )

    @model_validator(mode="after")
    def _learnable(self) -> Fmri:
        if self.hrf == "learned":
            self.response.refuse_unlearnable()
        return self

    def load(self, source: Source, grid: TimeGrid) -> Stream:
        """Put the volumes on the grid, less what nuisance regressors explain of them.

        Raises
        ------
        DataError
            The response is longer than the grid, a nuisance regressor is not there or has too
            few volumes to be fitted on, or nothing is observed on the grid.
        """
        where = f"{source.path}:/{self.path}"
        series = self.read_series(source)
        self._refuse_long_response(grid, where)
        _refuse_impossible(sample_interval(series), where)
        notes = _slow_notes(series)
        if self.nuisance:
            series = self._without_nuisance(series, source, grid, where)
        stream = self.put_on_grid(series, grid, where=where)
        return replace(stream, notes=(*stream.notes, *notes))

    def build_decoder(self, channels: Channels, latent_dim: int, *, bin_width: float) -> Decoder:
        """Response, linear readout and noise."""
        from neurodsr.modalities.bold_decoder import BoldDecoder
        from neurodsr.modalities.correlated_noise import CorrelatedNoise
        from neurodsr.modalities.responses import RESPONSES

        n = len(channels)
        return BoldDecoder(
            n,
            latent_dim,
            response=RESPONSES[self.hrf](self.response, bin_width=bin_width),
            memory=CorrelatedNoise(n, bin_width=bin_width) if self.noise == "ar1" else None,
        )

    def features(
        self, seen: Observed, channels: Channels, *, bin_width: float
    ) -> tuple[Float[Tensor, "*batch time feature"], Bool[Tensor, "*batch time feature"]]:
        """The volumes as they are, or the activity behind those that were observed."""
        if self.deconvolution is None:
            return super().features(seen, channels, bin_width=bin_width)
        from neurodsr.modalities.filters.view import deconvolved
        from neurodsr.modalities.responses import canonical_response

        kernel = canonical_response(self.response, bin_width=bin_width)().to(seen.values)
        return deconvolved(
            seen, kernel, noise=self.deconvolution, half_length=self.context(bin_width)
        )

    def context(self, bin_width: float) -> int:
        """16 s, where the view is deconvolved."""
        return 0 if self.deconvolution is None else max(1, round(REACH / bin_width))

    def _refuse_long_response(self, grid: TimeGrid, where: str) -> None:
        lasts = grid.n_bins * grid.bin_width
        if self.response.length > lasts:
            raise DataError(
                f"a hemodynamic response of {self.response.length:g} s on a grid of {lasts:g} s",
                where=where,
                fix="use a longer recording, or a shorter response: {length: 20}, which leaves "
                "out the end of the undershoot",
            )

    def _without_nuisance(
        self, series: Series, source: Source, grid: TimeGrid, where: str
    ) -> Series:
        times = np.asarray(series.times)
        # Rounded down, so that it never reaches beyond a split of the same fraction.
        stop = float(grid.edges[int(self.nuisance_fit * grid.n_bins)])
        cleaned = regress_out(
            series,
            read_regressors(source, self.nuisance, times),
            (times >= grid.start) & (times < stop),
            max_missing=self.max_missing,
            where=where,
        )
        note = (
            f"nuisance regressors were fitted from {grid.start:g} to {stop:g} s, nuisance_fit = "
            f"{self.nuisance_fit:g} of the grid: at most what `split` leaves for training keeps "
            "the test out of them in a single session without segments; with several sessions or "
            "segments, regress the nuisance out beforehand or leave it out"
        )
        return cleaned._replace(notes=(*cleaned.notes, note))


def _refuse_impossible(interval: float, where: str) -> None:
    from neurodsr.sources.volume_clock import LONGEST

    if LONGEST < interval < np.inf:
        raise DataError(
            f"volumes are {interval:g} s apart, and no scanner takes longer than {LONGEST:g} s",
            where=where,
            fix="declare the repetition time in s, not in ms: clock: {interval: 2.0}",
        )


def _slow_notes(series: Series) -> tuple[str, ...]:
    interval = sample_interval(series)
    if not SLOW < interval < np.inf:
        return ()
    return (
        f"volumes are {interval:g} s apart: the hemodynamic response rises and falls between two, "
        "and fast dynamics do not show",
    )
