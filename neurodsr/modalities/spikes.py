"""Spike counts of sorted units, with a Poisson observation model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from neurodsr.data.streams import Stream
from neurodsr.errors import DataError
from neurodsr.modalities.base import Modality
from neurodsr.modalities.selection import Selection
from neurodsr.modalities.watched import choose_units, watched_spans

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor
    from torch.distributions import Distribution

    from neurodsr.data.channels import Channels
    from neurodsr.data.time import TimeGrid
    from neurodsr.modalities.poisson import PoissonDecoder
    from neurodsr.sources.base import Source


class Spikes(Modality):
    """Spikes of a units table, counted in bins; bins outside a unit's observation are masked."""

    kind: Literal["spikes"] = Field("spikes", description="Spike counts of sorted units.")
    path: str = Field("units", description="The units table in the file.")
    where: Selection = Field(
        default_factory=dict,
        description="Units that are used: column of the table -> value, values, or {min, max}.",
    )
    unobserved: Literal["auto", "throughout", "span"] = Field(
        "auto",
        description="When units count as watched where the file has no obs_intervals: throughout, "
        "within the span of their spikes, or (auto) throughout but for long silence at an end of "
        "the recording that their rate makes implausible.",
    )

    def load(self, source: Source, grid: TimeGrid) -> Stream:
        """Count the spikes of every unit in every bin.

        Raises
        ------
        DataError
            No unit meets `where`, or no spike lies on the grid.
        """
        where = f"{source.path}:/{self.path}"
        events, left_out = choose_units(source.events(self.path), self.where, where=where)
        spans, masked = watched_spans(events, grid, rule=self.unobserved)
        events = events._replace(observed=spans)
        counts, mask = grid.count(events), grid.observed(events)
        if events.observed is not None:
            counts[~mask] = 0
        if not counts.any():
            raise DataError(
                f"no spikes of {len(events.channels)} units between {grid.start:g} s and "
                f"{grid.stop:g} s",
                where=where,
                fix="check grid.start and grid.stop against what `neurodsr inspect` prints",
            )
        return Stream(counts, mask, events.channels, "count", (*events.notes, *left_out, *masked))

    def build_decoder(
        self, channels: Channels, latent_dim: int, *, bin_width: float
    ) -> PoissonDecoder:
        """Poisson counts with a log-linear rate."""
        from neurodsr.modalities.poisson import PoissonDecoder

        return PoissonDecoder(len(channels), latent_dim)

    def score(
        self,
        predicted: Distribution,
        x: Float[Tensor, "*batch time channel"],
        mask: Bool[Tensor, "*batch time channel"],
        null: Distribution,
    ) -> dict[str, float]:
        r"""Bits per spike: log-likelihood gain over the constant rate, per spike, in bits.

        $(\mathcal L - \mathcal L_\text{constant rate}) / (n_\text{spikes} \ln 2)$

        References
        ----------
        Pei et al. 2021, Neural Latents Benchmark (bits per spike).
        """
        gain = ((predicted.log_prob(x) - null.log_prob(x)) * mask).sum()
        n_spikes, n_seen = (x * mask).sum().clamp_min(1), mask.sum().clamp_min(1)
        return {
            "bits_per_spike": (gain / n_spikes / np.log(2)).item(),
            "log_likelihood": ((predicted.log_prob(x) * mask).sum() / n_seen).item(),
        }
