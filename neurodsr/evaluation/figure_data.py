"""The arrays that the report draws, thinned to what a figure can show."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.data.recording import Recording
from neurodsr.evaluation.forecast import Forecast
from neurodsr.evaluation.parts import Parts
from neurodsr.evaluation.predictions import predict_hidden
from neurodsr.evaluation.truth import Alignment
from neurodsr.measures.lyapunov import lyapunov_history
from neurodsr.measures.spectrum import frequencies, power_spectrum

N_POINTS = 5000
N_FREQUENCIES = 1000
N_EXCERPT = 500


def figure_arrays(
    parts: Parts,
    recording: Recording,
    orbits: Float[Tensor, "start time latent"],
    forecast: Forecast | None,
    alignment: Alignment | None,
) -> dict[str, np.ndarray]:
    """Attractors, spectra, exponents, an excerpt of every stream, and the forecast curve."""
    arrays = _attractors(parts, recording, orbits, alignment)
    arrays |= _spectra(parts, orbits) | _exponents(parts, orbits) | _excerpt(parts, recording)
    if forecast is not None:
        arrays["forecast/horizon"] = forecast.horizon * parts.surrogate.bin_width
        arrays["forecast/gain"] = forecast.gain
        arrays["forecast/shuffled"] = forecast.shuffled
    return {k: np.ascontiguousarray(v) for k, v in arrays.items()}


def _attractors(
    parts: Parts, recording: Recording, orbits: Tensor, alignment: Alignment | None
) -> dict[str, np.ndarray]:
    """The first bins of one orbit: aligned to the truth, else along the principal axes."""
    orbit = orbits[0, :N_POINTS]
    if alignment is not None:
        data = recording.truth.reference[:N_POINTS, :3]
        return {"attractor/data": data, "attractor/generated": alignment(orbit)[:, :3]}
    project = parts.axes.project
    data = project(parts.longest_train[:N_POINTS]).numpy()
    return {"attractor/data": data, "attractor/generated": project(orbit).numpy()}


def _spectra(parts: Parts, orbits: Tensor) -> dict[str, np.ndarray]:
    """Spectra of encoded training data and of equally long free orbits."""
    data = parts.axes.project(parts.longest_train).numpy()
    n = min(len(data), orbits.shape[1])
    generated = [parts.axes.project(z[:n]).numpy() for z in orbits]
    keep = slice(1, N_FREQUENCIES + 1)
    return {
        "spectrum/frequency": frequencies(n, parts.surrogate.bin_width)[keep],
        "spectrum/data": power_spectrum(data[:n])[keep],
        "spectrum/generated": power_spectrum(generated)[keep],
    }


def _exponents(parts: Parts, orbits: Tensor) -> dict[str, np.ndarray]:
    history = lyapunov_history(parts.pwl, orbits[0, 0], n_steps=20_000, every=5)
    running = history[19::20].numpy() / parts.surrogate.bin_width
    time = parts.surrogate.bin_width * 100 * np.arange(1, len(running) + 1)
    return {"lyapunov/running": running, "lyapunov/time": time}


@torch.no_grad()
def _excerpt(parts: Parts, recording: Recording) -> dict[str, np.ndarray]:
    """The start of the longest test stretch: what was recorded, and what was predicted of it."""
    i = int(np.argmax([len(z) for z in parts.encoded_test]))
    first, last = parts.split.test[i]
    n = min(N_EXCERPT, last - first)
    arrays = {"raster/time": recording.grid.centers[first : first + n]}
    for name, seen in parts.test[i].items():
        predicted = predict_hidden(parts, parts.test[i], name).values
        arrays[f"raster/{name}/values"] = seen.values[:n].numpy()
        arrays[f"raster/{name}/mask"] = seen.mask[:n].numpy()
        arrays[f"raster/{name}/predicted"] = predicted[:n].numpy()
    return arrays
