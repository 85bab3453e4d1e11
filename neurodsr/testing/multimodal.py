"""Lorenz-63 through every kind of instrument, as recordings ready to train on and to judge.

    simulation = multimodal_lorenz(seed=0, missing=0.5)
    config = configure_run(
        simulation.recording,
        streams={"signal": {"kind": "behavior"}, "counts": {"kind": "spikes"}},
        sections={"ensemble": {"n_members": 4}},
    )
    surrogate = train(simulation.recording, config)
    evaluation, _ = evaluate(surrogate, simulation.recording)

A configuration may name any part of the streams: what it does not name is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Num

from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.data.truth import Truth
from neurodsr.seeds import derive_seed
from neurodsr.testing.lorenz import EXPONENT, lorenz63, standardize
from neurodsr.testing.observe_counts import poisson_counts
from neurodsr.testing.observe_labels import ordinal_view
from neurodsr.testing.observe_signals import LinearView, bold_view, calcium_view
from neurodsr.testing.prepare import hide_stretches
from neurodsr.testing.tuning import draw_tuning

LONGEST_STEP = 0.01
"""Longest Runge-Kutta step of the simulated orbits, Lorenz time units."""


class Simulation(NamedTuple):
    """A recording whose `truth` is known, and the parameters of each stream's instrument.

    `views` holds by stream what the instrument's function returned (a `Bold`, `OrdinalItems`);
    of counts it holds their `Tuning`.
    """

    recording: Recording
    views: Mapping[str, Any]


def multimodal_lorenz(
    *,
    seed: int,
    n_bins: int = 40_000,
    bin_width: float = 0.02,
    missing: float = 0.0,
    noise: float = 0.5,
    n_reference: int = 100_000,
) -> Simulation:
    """A Lorenz-63 latent seen by a noisy signal, by ratings and by counts; a time unit lasts 1 s.

    Streams: `signal`, the three coordinates with Gaussian noise; `items`, 8 ordinal items of 5
    levels; `counts`, 3 Poisson channels of about one count a bin.

    Parameters
    ----------
    seed
        Seed of orbit, tuning, noise and gaps.
    n_bins
        Length of the recording, bins.
    bin_width
        Width of a bin, s.
    missing
        Fraction of each stream's stretches that is hidden; see `hide_stretches`.
    noise
        Sd of the noise on the signal, in sd of the state.
    n_reference
        Length of the independent orbit, bins.
    """
    truth = _truth(seed, n_bins, dt=bin_width, time_unit=1.0, n_reference=n_reference)
    state = _state(truth)
    jitter = _generator(seed, "signal").normal(0.0, noise, state.shape)
    signal = LinearView(state + jitter, np.eye(3))
    items = ordinal_view(state, n_items=8, n_levels=5, generator=_generator(seed, "items"))
    tuning = draw_tuning(3, n_channels=3, mean=1.0, generator=_generator(seed, "tuning"))
    counts = poisson_counts(tuning.mean(state), generator=_generator(seed, "counts"))
    levels = tuple(str(level) for level in range(5))
    streams = {
        "signal": _stream(signal.values, unit="sd"),
        "items": _stream(items.values, unit="label", levels=levels),
        "counts": _stream(counts, unit="count"),
    }
    recording = _recording(f"multimodal-lorenz-seed-{seed}", bin_width, streams, truth)
    views = {"signal": signal, "items": items, "counts": tuning}
    return Simulation(hide_stretches(recording, fraction=missing, seed=seed), views)


def calcium_lorenz(
    *,
    seed: int,
    n_bins: int = 30_000,
    bin_width: float = 1 / 30,
    n_cells: int = 30,
    decay: float = 0.4,
    noise: float = 0.2,
    n_reference: int = 100_000,
) -> Simulation:
    """A Lorenz-63 latent seen through a calcium indicator; a time unit lasts 2 s.

    Stream: `calcium`, cells of 5 events/s with a rise of 0.05 s. A turn of the orbit takes about
    1.5 s, so that the decay smears it over a quarter.

    Parameters
    ----------
    seed
        Seed of orbit, tuning and noise.
    n_bins, bin_width
        Number of frames, and the interval between them, s.
    n_cells
        Number of cells.
    decay
        Time constant of the indicator, s.
    noise
        Sd of the noise, in peaks of a single event.
    n_reference
        Length of the independent orbit, bins.
    """
    truth = _truth(seed, n_bins, dt=bin_width, time_unit=2.0, n_reference=n_reference)
    view = calcium_view(
        _state(truth),
        n_cells=n_cells,
        decay=decay,
        rise=0.05,
        rate=5.0,
        bin_width=bin_width,
        noise=noise,
        generator=_generator(seed, "calcium"),
    )
    streams = {"calcium": _stream(view.values, unit="a.u.")}
    recording = _recording(f"calcium-lorenz-seed-{seed}", bin_width, streams, truth)
    return Simulation(recording, {"calcium": view})


def bold_lorenz(
    *,
    seed: int,
    n_bins: int = 20_000,
    bin_width: float = 0.5,
    repetition_time: float = 1.0,
    n_regions: int = 20,
    noise: float = 0.1,
    noise_correlation: float = 0.3,
    n_reference: int = 100_000,
) -> Simulation:
    """A Lorenz-63 latent seen through hemodynamics; a time unit lasts 15 s.

    Stream: `bold`, one volume every `repetition_time`. A turn of the orbit takes about 11 s,
    twice the width of the response's main lobe (5 s): it stays visible, but the third coordinate
    loses two fifths of its size.

    Parameters
    ----------
    seed
        Seed of orbit, directions and noise.
    n_bins, bin_width
        Length of the recording, bins, and the width of a bin, s.
    repetition_time
        Time from volume to volume (TR), s.
    n_regions
        Number of regions.
    noise, noise_correlation
        Sd of the noise, in sd of the state, and its correlation from volume to volume.
    n_reference
        Length of the independent orbit, bins.
    """
    truth = _truth(seed, n_bins, dt=bin_width, time_unit=15.0, n_reference=n_reference)
    view = bold_view(
        _state(truth),
        n_regions=n_regions,
        bin_width=bin_width,
        repetition_time=repetition_time,
        noise=noise,
        noise_correlation=noise_correlation,
        generator=_generator(seed, "bold"),
    )
    streams = {"bold": _stream(view.values, mask=view.mask, unit="a.u.")}
    recording = _recording(f"bold-lorenz-seed-{seed}", bin_width, streams, truth)
    return Simulation(recording, {"bold": view})


def _truth(seed: int, n_bins: int, *, dt: float, time_unit: float, n_reference: int) -> Truth:
    """The system in recording time, where a time unit lasts `time_unit` s and a bin `dt` s."""

    def states(purpose: str, n: int) -> Float[np.ndarray, "time 3"]:
        step = dt / time_unit
        substeps = ceil(step / LONGEST_STEP - 1e-9)
        source = _generator(seed, purpose)
        return standardize(lorenz63(n, dt=step, generator=source, substeps=substeps))

    state = states("orbit", n_bins)
    channels = Channels(("x", "y", "z"))
    stream = Stream(state, np.ones(state.shape, dtype=bool), channels, "sd")
    return Truth(stream, states("reference", n_reference), EXPONENT / time_unit)


def _state(truth: Truth) -> Float[np.ndarray, "time 3"]:
    return np.asarray(truth.state.values)


def _stream(
    values: Num[np.ndarray, "time channel"],
    *,
    unit: str,
    mask: Bool[np.ndarray, "time channel"] | None = None,
    levels: tuple[str, ...] = (),
) -> Stream:
    channels = Channels(tuple(str(i) for i in range(values.shape[1])), levels=levels)
    seen = np.ones(values.shape, dtype=bool) if mask is None else mask
    return Stream(values.astype(np.float32), seen, channels, unit)


def _recording(
    name: str, bin_width: float, streams: Mapping[str, Stream], truth: Truth
) -> Recording:
    """One unbroken segment from time 0 on."""
    grid = TimeGrid(0.0, bin_width, truth.state.n_bins)
    whole = Intervals(np.array([grid.start]), np.array([grid.stop]), {})
    return Recording(name, grid, streams, whole, truth=truth)


def _generator(seed: int, *purpose: str) -> np.random.Generator:
    """One generator a purpose: a longer recording keeps the tuning of a shorter one."""
    return np.random.default_rng(derive_seed(seed, "simulation", *purpose))
