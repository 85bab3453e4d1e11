"""Free-running measures in the coordinates of the instruments, for continuous streams."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from torch import Tensor

from neurodsr.errors import DataError
from neurodsr.evaluation.parts import Parts, pooled
from neurodsr.evaluation.results import Measure
from neurodsr.measures.spectrum import power_spectrum_distance
from neurodsr.measures.state_space import default_bins, state_space_divergence
from neurodsr.modalities.observed import Observed
from neurodsr.models.free_run import simulate_stream

MAX_CHANNELS = 5


def observed_measures(
    parts: Parts, orbits: Float[Tensor, "start time latent"], *, seed: int
) -> tuple[list[Measure], list[str]]:
    """Divergence and spectral distance of simulated against held-out values, and notes.

    For each continuous stream of at most five channels that is observed throughout; the floor
    is the training against the test stretch, the baseline white noise of the same mean and
    spread. Notes say which streams were left out, and why.
    """
    measures, notes = [], []
    for name in parts.surrogate.config.streams:
        if not parts.model.modalities[name].natural_score.continuous:
            continue
        test, train = pooled(parts.test, name), pooled(parts.train, name)
        reason = _not_comparable(train, test)
        if reason:
            notes.append(f"no free-running measures of {name}: {reason}")
            continue
        simulated = _simulated(parts, orbits, name, seed)
        measures += _compare(name, train.values.numpy(), test.values.numpy(), simulated)
    return measures, notes


def _not_comparable(train: Observed, test: Observed) -> str:
    if test.values.shape[1] > MAX_CHANNELS:
        return f"{test.values.shape[1]} channels, more than {MAX_CHANNELS}"
    for part, seen in (("training", train), ("test", test)):
        if not seen.mask.all():
            return f"{int((~seen.mask.all(-1)).sum())} bins of the {part} stretch are masked"
        if bool((seen.values.std(0) == 0).any()):
            return f"a channel does not change in the {part} stretch"
    return ""


def _simulated(parts: Parts, orbits: Tensor, name: str, seed: int) -> np.ndarray:
    """What the stream's instrument would record along each orbit, without gaps."""
    return simulate_stream(parts.model.decoder(name), orbits, seed=seed).numpy()


def _compare(
    name: str, train: np.ndarray, test: np.ndarray, simulated: np.ndarray
) -> list[Measure]:
    cells = default_bins(test.shape[1])
    values = [state_space_divergence(test, s, n_bins=cells) for s in simulated]
    spectra = [power_spectrum_distance(test, s) for s in simulated]
    noise = np.random.default_rng(0).normal(test.mean(0), test.std(0), simulated[0].shape)
    return [
        Measure(
            name=f"state-space divergence of {name}",
            value=float(np.median(values)),
            low=float(np.min(values)),
            high=float(np.max(values)),
            floor=state_space_divergence(test, train, n_bins=cells),
            baselines={"white noise": state_space_divergence(test, noise, n_bins=cells)},
            better="lower",
            convention=f"{cells} cells a dimension, {simulated.shape[1]} generated bins against "
            f"{len(test)} held-out ones; median and range over {len(simulated)} starts",
        ),
        Measure(
            name=f"spectral distance of {name}",
            value=float(np.median(spectra)),
            low=float(np.min(spectra)),
            high=float(np.max(spectra)),
            floor=_floor(test, train),
            baselines={"white noise": power_spectrum_distance(test, noise)},
            better="lower",
            convention="Hellinger, smoothing 20 n / 100,000 frequency bins; median and range "
            f"over {len(simulated)} starts",
        ),
    ]


def _floor(test: np.ndarray, train: np.ndarray) -> float | None:
    try:
        return power_spectrum_distance(test, train)
    except DataError:
        return None
