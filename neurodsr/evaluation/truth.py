"""A surrogate of a simulated recording beside the system that was simulated."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.data.truth import Truth
from neurodsr.evaluation.parts import Parts
from neurodsr.evaluation.results import Measure
from neurodsr.measures.spectrum import power_spectrum_distance
from neurodsr.measures.state_space import state_space_divergence

N_CELLS = 30
TRUE_VALUE = "true system"
SPECTRUM_BINS = 10_000
SPECTRUM_SMOOTHING = 20.0


class Alignment(NamedTuple):
    """The affine map from latents to true states, fitted on the encoded training data."""

    weights: Float[np.ndarray, "latent_plus_1 dim"]

    def __call__(self, z: Float[Tensor, "*time latent"]) -> Float[np.ndarray, "*time dim"]:
        """Latents in the coordinates of the truth."""
        z = z.double().numpy()
        return z @ self.weights[:-1] + self.weights[-1]


def align(parts: Parts, truth: Truth) -> Alignment:
    """Least squares from encoded training data to the true states of the same bins."""
    z = torch.cat(parts.encoded_train).double().numpy()
    states = _true_states(truth, parts.split.train)
    design = np.column_stack([z, np.ones(len(z))])
    return Alignment(np.linalg.lstsq(design, states, rcond=None)[0])


def truth_measures(
    parts: Parts, truth: Truth, orbits: Float[Tensor, "start time latent"], exponent: float | None
) -> list[Measure]:
    """Aligned state-space divergence, spectral distance, exponent, and held-out state R2."""
    alignment = align(parts, truth)
    generated = alignment(orbits)
    n = min(len(truth.reference), generated.shape[0] * generated.shape[1])
    points = generated.reshape(-1, generated.shape[-1])
    thinned = points[np.linspace(0, len(points) - 1, n).astype(int)]
    return [
        Measure(
            name="aligned state-space divergence",
            value=state_space_divergence(truth.reference, thinned, n_bins=N_CELLS),
            better="lower",
            convention=f"{N_CELLS} cells a dimension, {n} generated bins of "
            f"{len(orbits)} orbits, {len(truth.reference)} true bins",
        ),
        Measure(
            name="aligned spectral distance",
            value=_spectral(truth.reference, generated),
            floor=_spectral_floor(truth.reference),
            better="lower",
            convention=f"Hellinger, stretches of {SPECTRUM_BINS} bins, smoothing "
            f"{SPECTRUM_SMOOTHING:g} frequency bins",
        ),
        Measure(
            name="largest exponent",
            value=exponent,
            baselines={TRUE_VALUE: truth.exponent},
            unit="1/s",
            better="equal",
            convention="median over starts",
        ),
        Measure(
            name="held-out state R2",
            value=_state_r2(parts, truth, alignment),
            better="higher",
            convention="encoder, affine alignment fitted on training bins",
        ),
    ]


def _true_states(truth: Truth, stretches: tuple[tuple[int, int], ...]) -> np.ndarray:
    return np.concatenate([np.asarray(truth.state.values[a:b], dtype=float) for a, b in stretches])


def _state_r2(parts: Parts, truth: Truth, alignment: Alignment) -> float:
    states = _true_states(truth, parts.split.test)
    residual = states - alignment(torch.cat(parts.encoded_test))
    return float(np.mean(1 - (residual**2).mean(0) / states.var(0)))


def _cut(x: np.ndarray, length: int) -> list[np.ndarray]:
    return [x[a : a + length] for a in range(0, len(x) - length + 1, length)]


def _spectral(reference: np.ndarray, generated: np.ndarray) -> float:
    length = min(SPECTRUM_BINS, len(reference), generated.shape[1])
    pieces = [piece for orbit in generated for piece in _cut(orbit, length)]
    return power_spectrum_distance(_cut(reference, length), pieces, smoothing=SPECTRUM_SMOOTHING)


def _spectral_floor(reference: np.ndarray) -> float | None:
    half = len(reference) // 2
    if half < SPECTRUM_BINS:
        return None
    return power_spectrum_distance(
        _cut(reference[:half], SPECTRUM_BINS),
        _cut(reference[half:], SPECTRUM_BINS),
        smoothing=SPECTRUM_SMOOTHING,
    )
