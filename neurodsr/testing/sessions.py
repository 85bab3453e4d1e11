"""Simulated sessions with known truth: the demo's three modalities, and Lorenz-63 seen directly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from neurodsr.testing.lorenz import EXPONENT, lorenz63, standardize
from neurodsr.testing.observe import categorical_view, gaussian_view, poisson_units, spike_times

REGIONS = ("VISp", "CA1", "MOs")
LEVELS = ("left", "none", "right")


@dataclass(frozen=True)
class SimulatedSession:
    """A session whose truth is known; `write_nwb.write_session` makes a file of it.

    Bin k is [k, k + 1) * bin_width, s from the session's start; states, position, choice and
    `direct` are sampled at the bin centers. What a session does not record is empty or None.

    Parameters
    ----------
    id
        Name of the session, unique for its kind and seed.
    description
        What was simulated, in one sentence.
    seed
        Seed that all its random numbers derive from.
    bin_width
        Width of a bin, s.
    state
        True latent state, standardized, shape (time, 3).
    reference
        An independent orbit of the same system with the same bins, shape (bin, 3).
    exponent
        Largest Lyapunov exponent of the system in recording time, 1/s.
    counts
        Spikes per bin, shape (time, channel), or None.
    spikes
        Sorted spike times of each neuron, s; counting them gives `counts`.
    regions
        Brain region of each neuron.
    position
        Continuous behavior, shape (time, 2), m, or None.
    choice
        Codes of `LEVELS`, shape (time,), or None.
    direct
        Noisy state observed as it is, shape (time, 3), or None.
    """

    id: str
    description: str
    seed: int
    bin_width: float
    state: Float[np.ndarray, "time 3"]
    reference: Float[np.ndarray, "bin 3"]
    exponent: float
    counts: Int[np.ndarray, "time channel"] | None = None
    spikes: tuple[np.ndarray, ...] = ()
    regions: tuple[str, ...] = ()
    position: Float[np.ndarray, "time 2"] | None = None
    choice: Int[np.ndarray, " time"] | None = None
    direct: Float[np.ndarray, "time 3"] | None = None

    @property
    def duration(self) -> float:
        """Length of the session, s: the right edge of its last bin."""
        return self.bin_width * len(self.state)


def demo_session(
    *,
    seed: int,
    n_bins: int = 40_000,
    bin_width: float = 0.02,
    n_units: int = 40,
    rate: float = 10.0,
    noise: float = 0.3,
    n_reference: int = 100_000,
) -> SimulatedSession:
    """The demo's session: a Lorenz-63 latent seen through spikes, a 2-D position and a choice.

    Parameters
    ----------
    seed
        Seed of the orbit, the tuning and the noise.
    n_bins
        Length of the session, bins.
    bin_width
        Width of a bin, s; one Lorenz time unit lasts 1 s.
    n_units
        Neurons, shared out over the three regions in order.
    rate
        Their mean firing rate, Hz.
    noise
        Sd of the noise on the position, in sd of the state.
    n_reference
        Length of the independent orbit, bins.
    """
    orbit, second, tuning, timing, moving, choosing = _generators(seed, 6)
    state = standardize(lorenz63(n_bins, dt=bin_width, generator=orbit))
    counts = poisson_units(state, n_units=n_units, rate=rate, bin_width=bin_width, generator=tuning)
    spikes = spike_times(counts, bin_width=bin_width, start=0.0, generator=timing)
    return SimulatedSession(
        id=f"demo-seed-{seed}",
        description=f"Simulated: a Lorenz-63 latent drives {n_units} Poisson neurons in three "
        "regions, a 2-D position and a choice of three levels.",
        seed=seed,
        bin_width=bin_width,
        state=state,
        reference=standardize(lorenz63(n_reference, dt=bin_width, generator=second)),
        exponent=EXPONENT,
        counts=counts,
        spikes=tuple(spikes),
        regions=tuple(REGIONS[i * len(REGIONS) // n_units] for i in range(n_units)),
        position=gaussian_view(state, n_dims=2, noise=noise, generator=moving),
        choice=categorical_view(state, n_levels=len(LEVELS), generator=choosing),
    )


def lorenz_session(
    *, seed: int, n_bins: int = 100_000, dt: float = 0.01, noise: float = 0.05
) -> SimulatedSession:
    """Lorenz-63 observed directly, with Gaussian noise of `noise` sd of each coordinate.

    One Lorenz time unit lasts 1 s, so `dt` is the bin width, s.
    """
    orbit, second, observing = _generators(seed, 3)
    state = standardize(lorenz63(n_bins, dt=dt, generator=orbit))
    return SimulatedSession(
        id=f"lorenz63-seed-{seed}",
        description=f"Simulated: Lorenz-63 observed directly, noise sd {noise:g} of each "
        "coordinate's.",
        seed=seed,
        bin_width=dt,
        state=state,
        reference=standardize(lorenz63(100_000, dt=dt, generator=second)),
        exponent=EXPONENT,
        direct=state + observing.normal(0.0, noise, state.shape),
    )


def demo_config(
    *, file: str = "demo.nwb", bin_width: float = 0.02, seed: int = 0
) -> dict[str, Any]:
    """The demo's run configuration as plain data, for `RunConfig.from_plain` or a YAML file."""
    return {
        "schema_version": 1,
        "file": file,
        "grid": {"bin_width": bin_width},
        "streams": {
            "units": {"kind": "spikes", "path": "units"},
            "position": {"kind": "behavior", "path": "processing/behavior/Position/position"},
            "choice": {
                "kind": "behavior",
                "path": "processing/behavior/BehavioralTimeSeries/choice",
                "observation": "categorical",
            },
        },
        "dynamics": {"latent_dim": 3},
        "truth": {
            "path": "processing/simulation/state",
            "reference": "processing/simulation/reference",
            "exponent": EXPONENT,
        },
        "seed": seed,
    }


def _generators(seed: int, n: int) -> list[np.random.Generator]:
    """One generator a purpose: a longer session keeps the tuning of a shorter one."""
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(n)]
