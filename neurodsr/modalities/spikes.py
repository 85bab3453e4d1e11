"""Spike counts of sorted units: when they were watched, how they scatter, what their past does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from pydantic import Field

from neurodsr.data.streams import Events, Series, Stream
from neurodsr.errors import DataError
from neurodsr.modalities.base import Modality
from neurodsr.modalities.count_checks import (
    count_notes,
    refuse_above,
    refuse_silence,
)
from neurodsr.modalities.count_series import sum_counts
from neurodsr.modalities.scores import BITS_PER_EVENT, BITS_PER_SPIKE, Score
from neurodsr.modalities.selection import Selection
from neurodsr.modalities.signals import choose_channels, kept_channels, refuse_missing
from neurodsr.modalities.watched import select_channels, watched_spans, while_watched

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float32, Integer
    from torch import Tensor

    from neurodsr.data.channels import Channels
    from neurodsr.data.time import TimeGrid
    from neurodsr.modalities.counts import CountDecoder
    from neurodsr.modalities.observed import Observed
    from neurodsr.sources.base import Source


class CountObservation(NamedTuple):
    """What an observation model of counts needs.

    Parameters
    ----------
    law
        Its class in `neurodsr.modalities.count_laws`; by name, since torch takes seconds.
    score
        What its predictions are judged by.
    most
        Largest count that a bin may have; None for any.
    """

    law: str
    score: Score = BITS_PER_SPIKE
    most: int | None = None


OBSERVATIONS = {
    "poisson": CountObservation("PoissonLaw"),
    "negative-binomial": CountObservation("NegativeBinomialLaw"),
    "zero-inflated-poisson": CountObservation("ZeroInflatedLaw"),
    "bernoulli": CountObservation("BernoulliLaw", score=BITS_PER_EVENT, most=1),
}


class Spikes(Modality):
    """Spikes of a units table, counted in bins; bins outside a unit's observation are masked."""

    kind: Literal["spikes"] = Field("spikes", description="Spike counts of sorted units.")
    path: str = Field(
        "units",
        description="The units table in the file, or a series of spike counts, one a sample.",
    )
    where: Selection = Field(
        default_factory=dict,
        description="Units that are used: column of the table -> value, values, or {min, max}.",
    )
    channels: tuple[str, ...] | None = Field(
        None, description="Ids of the channels that are used; default: all."
    )
    unobserved: Literal["auto", "throughout", "span"] = Field(
        "auto",
        description="When units count as watched where the file has no obs_intervals: throughout, "
        "within the span of their spikes, or (auto) throughout but for long silence at an end of "
        "the recording that their rate makes implausible.",
    )
    min_exposure: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Fraction of a bin in which a unit must have been watched for the bin to be "
        "used; its expected count is then that fraction of a whole bin's. 1: whole bins only.",
    )
    observation: Literal["poisson", "negative-binomial", "zero-inflated-poisson", "bernoulli"] = (
        Field(
            "poisson",
            description="How counts scatter around the rate: as independent spikes (poisson), more "
            "than these (negative-binomial), with silent bins beside them "
            "(zero-inflated-poisson), or as one spike at most in bins of about 1 ms (bernoulli).",
        )
    )
    link: Literal["exponential", "softplus"] = Field(
        "exponential",
        description="From the latent drive to the rate: exponential, or softplus, which grows "
        "linearly.",
    )
    history: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="How long a unit's own spikes act on its rate (refractoriness, bursts), s; "
        "0: not at all.",
    )

    def load(self, source: Source, grid: TimeGrid) -> Stream:
        """Count the spikes of every unit in every bin.

        Raises
        ------
        DataError
            A column or unit is not there, none is left, no spike lies on the grid, a bin holds
            more spikes than the observation model knows of, or of a series too much is missing or
            no count.
        """
        where = f"{source.path}:/{self.path}"
        held = self._choose(_read(source, self.path), where)
        put = self._sum if isinstance(held, Series) else self._count
        stream = put(held, grid, where)
        refuse_silence(stream, grid, where=where)
        most = OBSERVATIONS[self.observation].most
        if most is not None:
            refuse_above(stream, most, held, grid, where=where)
        return replace(stream, notes=(*stream.notes, *count_notes(stream)))

    def build_decoder(
        self, channels: Channels, latent_dim: int, *, bin_width: float
    ) -> CountDecoder:
        """Counts whose rate follows the latents, and the unit's own past if that is asked for."""
        from neurodsr.modalities import count_laws
        from neurodsr.modalities.counts import CountDecoder
        from neurodsr.modalities.links import LINKS

        return CountDecoder(
            len(channels),
            latent_dim,
            law=getattr(count_laws, OBSERVATIONS[self.observation].law),
            link=LINKS[self.link],
            n_lags=max(1, round(self.history / bin_width)) if self.history else 0,
        )

    @property
    def natural_score(self) -> Score:
        """Bits per spike."""
        return OBSERVATIONS[self.observation].score

    def features(
        self, seen: Observed, channels: Channels, *, bin_width: float
    ) -> tuple[Float[Tensor, "*batch time channel"], Bool[Tensor, "*batch time channel"]]:
        """Counts per whole bin, so that a bin watched by half does not look like a pause."""
        from neurodsr.modalities.exposure import per_whole_bin

        if seen.exposure is None:
            return seen.values, seen.mask
        return per_whole_bin(seen), seen.mask

    def _choose(self, held: Events | Series, where: str) -> Events | Series:
        if isinstance(held, Series):
            series = choose_channels(held, self.where, self.channels, where=where)
            refuse_missing(series, limit=self.max_missing, where=where)
            return series
        keep, left_out = kept_channels(
            held.channels, held.columns, self.where, self.channels, where=where, called="units"
        )
        events = held if keep.all() else select_channels(held, keep)
        return events._replace(notes=(*events.notes, *left_out))

    def _count(self, events: Events, grid: TimeGrid, where: str) -> Stream:
        spans, masked = watched_spans(events, grid, rule=self.unobserved)
        # Guessed spans are no measurement: of these, whole bins only.
        told, events = events.observed is not None, events._replace(observed=spans)
        exposure = grid.exposure(events) if told else None
        outside: tuple[str, ...] = ()
        if exposure is not None:
            events, outside = while_watched(events)
        notes = (*events.notes, *masked, *outside)
        counts = grid.count(events)
        if spans is None:
            return Stream(counts, grid.observed(events), events.channels, "count", notes)
        mask = grid.observed(events) if exposure is None else exposure >= self.min_exposure
        return _masked(counts, mask, exposure, events.channels, notes)

    def _sum(self, series: Series, grid: TimeGrid, where: str) -> Stream:
        counts, exposure = sum_counts(series, grid, where=where)
        mask = exposure >= self.min_exposure
        return _masked(counts, mask, exposure, series.channels, series.notes)


def _read(source: Source, path: str) -> Events | Series:
    """Spike times, or a series of counts; where it is neither, the refusal that fits the path."""
    try:
        return source.events(path)
    except DataError as no_events:
        try:
            return source.series(path)
        except DataError as no_series:
            listed = (
                e.path == path.strip("/") and e.kind == "series" for e in source.list_streams()
            )
            raise (no_series if any(listed) else no_events) from None


def _masked(
    counts: Integer[np.ndarray, "n_bins channel"],
    mask: Bool[np.ndarray, "n_bins channel"],
    exposure: Float32[np.ndarray, "n_bins channel"] | None,
    channels: Channels,
    notes: tuple[str, ...],
) -> Stream:
    """The stream with nothing where it is masked, and exposure only where it says something."""
    counts[~mask] = 0
    if exposure is not None:
        exposure = np.where(mask, exposure, np.float32(0))
        exposure = None if (exposure == mask).all() else exposure
    return Stream(counts, mask, channels, "count", notes, exposure=exposure)
