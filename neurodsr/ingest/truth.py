"""Read what is known of a simulated recording, to judge the surrogate by."""

from __future__ import annotations

import numpy as np

from neurodsr.data.streams import Stream
from neurodsr.data.time import TimeGrid
from neurodsr.data.truth import Truth
from neurodsr.errors import DataError
from neurodsr.run_config import TruthConfig
from neurodsr.sources.base import Source


def load_truth(source: Source, config: TruthConfig, grid: TimeGrid) -> Truth:
    """The true state on the grid, and the reference orbit bin by bin.

    Raises
    ------
    DataError
        The state does not cover the grid, or state and reference differ in dimension.
    """
    state, reference = source.series(config.path), source.series(config.reference)
    values, mask = grid.average(state)
    where = f"{source.path}:/{config.path}"
    if not mask.all():
        raise DataError(
            f"the true state is missing in {int((~mask.all(1)).sum())} of {grid.n_bins} bins",
            where=where,
            fix="leave the truth section out, or choose grid.start and grid.stop inside it",
        )
    if values.shape[1] != reference.values.shape[1]:
        raise DataError(
            f"the true state has {values.shape[1]} dimensions, the reference "
            f"{reference.values.shape[1]}",
            where=where,
            fix="name two series of the same system in the truth section",
        )
    orbit = np.asarray(reference.values[:], dtype=np.float32).astype(float)
    stream = Stream(values.astype(np.float32), mask, state.channels, state.unit)
    return Truth(stream, orbit, config.exponent)
