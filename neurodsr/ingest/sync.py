r"""Offset and drift between two clocks, from the events that both of them timed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from neurodsr.errors import DataError
from neurodsr.ingest.clocks import Affine

MIN_EVENTS = 3
MAX_RESIDUAL = 0.05
"""Of the median interval between events: beyond, the two lists are not of the same events."""
LARGE_DRIFT = 200.0
"""Parts per million; crystals are better than this, so more is worth a look (own choice)."""


class ClockFit(NamedTuple):
    """How a stream's clock runs against the run's, and how well the events say so."""

    affine: Affine
    residual: float
    n_events: int

    @property
    def drift(self) -> float:
        """Parts per million."""
        return (self.affine.slope - 1) * 1e6

    def describe(self) -> str:
        """One sentence for the notes."""
        large = "; a large drift, check the two lists" if abs(self.drift) > LARGE_DRIFT else ""
        return (
            f"clock from {self.n_events} shared events: offset {self.affine.offset:.6g} s, drift "
            f"{self.drift:.3g} ppm, residual {self.residual * 1e3:.3g} ms rms{large}"
        )


def fit_clock(
    own: Float[np.ndarray, " own_event"],
    reference: Float[np.ndarray, " reference_event"],
    *,
    where: str,
) -> ClockFit:
    r"""Least-squares line through the times of the same events on two clocks.

    $t_\text{run} = a + b\, t_\text{stream}$ over matched events. Where one clock saw more events,
    the run of consecutive ones that fits best is taken: events may be missing at the ends, not
    in between.

    Parameters
    ----------
    own, reference
        Sorted times on the stream's and on the run's clock, s.
    where
        The two paths, for errors.

    Raises
    ------
    DataError
        Fewer than three events, or the two lists do not fit.
    """
    n = min(len(own), len(reference))
    if n < MIN_EVENTS:
        raise DataError(
            f"{len(own)} and {len(reference)} shared events; at least {MIN_EVENTS} are needed",
            where=where,
            fix="name two lists of the same pulses in clock.sync, or declare clock.offset",
        )
    fits = [
        _line(own[i : i + n], reference[j : j + n])
        for i in range(len(own) - n + 1)
        for j in range(len(reference) - n + 1)
    ]
    best = min(fits, key=lambda fit: fit.residual)
    typical = float(np.median(np.diff(reference)))
    if not (best.residual <= MAX_RESIDUAL * typical and abs(best.drift) < 1e5):
        raise DataError(
            f"the shared events do not fit one another: {len(own)} and {len(reference)} of them, "
            f"residual {best.residual:.3g} s at intervals of {typical:.3g} s",
            where=where,
            fix="check that both lists time the same pulses and none is missing in between",
        )
    return best


def _line(own: np.ndarray, reference: np.ndarray) -> ClockFit:
    # Centered, so that a clock that counts from 1970 loses no digits.
    x, y = own - own.mean(), reference - reference.mean()
    spread = float(x @ x)
    slope = float(x @ y) / spread if spread > 0 else 0.0
    residual = float(np.sqrt(np.mean((y - slope * x) ** 2)))
    offset = float(reference.mean() - slope * own.mean())
    return ClockFit(Affine(offset, slope), residual, len(own))
