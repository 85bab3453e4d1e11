"""What is known of a simulated recording; it judges, and never trains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from neurodsr.data.streams import Stream


@dataclass(frozen=True)
class Truth:
    """The system behind a simulated recording.

    Parameters
    ----------
    state
        The true state in every bin of the recording, a stream.
    reference
        A long independent orbit of the same system, one row a bin.
    exponent
        Largest Lyapunov exponent of the system, 1/s.
    """

    state: Stream
    reference: Float[np.ndarray, "reference_time dim"]
    exponent: float
