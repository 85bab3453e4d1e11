"""evaluate(): judge the chosen member on held-out data and on its own, beside floors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.data.recording import Recording
from neurodsr.errors import DataError
from neurodsr.evaluation.cross_modal import cross_modal_scores
from neurodsr.evaluation.figure_data import figure_arrays
from neurodsr.evaluation.forecast import Forecast, forecast_gain
from neurodsr.evaluation.observed_space import observed_measures
from neurodsr.evaluation.parts import Parts, take_apart
from neurodsr.evaluation.results import Evaluation, Measure
from neurodsr.evaluation.stream_fit import fit_streams
from neurodsr.evaluation.truth import align, truth_measures
from neurodsr.evaluation.verdict import judge
from neurodsr.measures.lyapunov import lyapunov_spectrum
from neurodsr.measures.spectrum import power_spectrum_distance
from neurodsr.measures.state_space import state_space_divergence
from neurodsr.models.free_run import free_run
from neurodsr.models.selfcheck import N_CELLS
from neurodsr.seeds import derive_seed, generator
from neurodsr.surrogate import Surrogate

N_STARTS = 8
N_GENERATED = 100_000
N_TRANSIENT = 25_000
N_EXPONENT_STEPS = 20_000
MIN_SPECTRUM_BINS = 16
STEPS = 6

Progress = Callable[[str, int, int], None]


def evaluate(
    surrogate: Surrogate, recording: Recording, *, progress: Progress | None = None
) -> tuple[Evaluation, dict[str, np.ndarray]]:
    """Judge a surrogate on the test stretch of a recording and on long free runs.

    Parameters
    ----------
    surrogate
        The trained ensemble; its chosen member is judged.
    recording
        The recording it was trained on, with the truth where it is known.
    progress
        Called as progress(stage, done, total).

    Returns
    -------
    The evaluation, and the arrays that the report draws.
    """
    tell = _steps(progress)
    parts = take_apart(surrogate, recording)
    tell()
    orbits = _free_orbits(parts)
    tell()
    exponents = _exponents(parts, orbits)
    tell()
    fits, matrix = fit_streams(parts), cross_modal_scores(parts)
    tell()
    forecast, notes = _forecast(parts)
    floors = _latent_floors(parts)
    truth = []
    if recording.truth is not None:
        largest = exponents[:, 0].median().item() if len(exponents) else None
        truth = truth_measures(parts, recording.truth, orbits, largest)
    seed = derive_seed(surrogate.config.seed, "simulated observations")
    observed, remarks = observed_measures(parts, orbits, seed=seed)
    measures = [*truth, *_latent_measures(parts, floors, forecast), *observed]
    tell()
    verdict = judge(surrogate.members[0], forecast, spectrum_floor=floors[1], truth=truth)
    if not len(exponents):
        notes.append("no Lyapunov exponents: every free run diverged or collapsed")
    evaluation = Evaluation(
        members=surrogate.members,
        measures=tuple(measures),
        exponents=tuple(exponents.mean(0).tolist()) if len(exponents) else (),
        exponents_sd=tuple(exponents.std(0, correction=0).tolist()) if len(exponents) else (),
        streams=tuple(fits),
        cross_modal=tuple(matrix),
        verdict=verdict,
        notes=(*notes, *remarks),
    )
    alignment = None if recording.truth is None else align(parts, recording.truth)
    arrays = figure_arrays(parts, recording, orbits, forecast, alignment)
    tell()
    return evaluation, arrays


def _steps(progress: Progress | None) -> Callable[[], None]:
    done = 0

    def tell() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress("evaluate", done, STEPS)

    return tell


def _free_orbits(parts: Parts) -> Float[Tensor, "start time latent"]:
    """Free orbits of the chosen member from encoded test states, without their transient."""
    z = torch.cat(parts.encoded_test)
    g = generator(parts.surrogate.config.seed, "free run starts")
    starts = z[torch.randint(len(z), (N_STARTS,), generator=g)]
    return free_run(parts.pwl, starts, N_TRANSIENT + N_GENERATED, keep=N_GENERATED)


def _exponents(parts: Parts, orbits: Tensor) -> Float[Tensor, "start latent"]:
    """Lyapunov exponents of the orbits, 1/s; starts that diverged are left out."""
    spectra = lyapunov_spectrum(parts.pwl, orbits[:, 0], n_steps=N_EXPONENT_STEPS)
    return spectra[spectra.isfinite().all(-1)] / parts.surrogate.bin_width


def _forecast(parts: Parts) -> tuple[Forecast | None, list[str]]:
    try:
        return forecast_gain(parts), []
    except DataError as error:
        return None, [f"no forecast: {error.what}"]


def _latent_floors(parts: Parts) -> tuple[float, float]:
    """Divergence and spectral distance of encoded test data from encoded training data.

    Test stretches are shorter than free runs, so a good surrogate may well lie below its floor.
    """
    project = parts.axes.project
    train, test = project(parts.longest_train).numpy(), project(parts.longest_test).numpy()
    pooled_train = project(torch.cat(parts.encoded_train)).numpy()
    pooled_test = project(torch.cat(parts.encoded_test)).numpy()
    spectrum = power_spectrum_distance(train, test) if len(test) >= MIN_SPECTRUM_BINS else 0.0
    return state_space_divergence(pooled_train, pooled_test, n_bins=N_CELLS), spectrum


def _latent_measures(
    parts: Parts, floors: tuple[float, float], forecast: Forecast | None
) -> list[Measure]:
    chosen = parts.surrogate.members[0]
    others = parts.surrogate.members
    divergences = [m.self_divergence for m in others]
    measures = [
        Measure(
            name="self-divergence",
            value=chosen.self_divergence,
            low=min(divergences),
            high=max(divergences),
            floor=floors[0],
            better="lower",
            convention=f"re-encoded free runs against encoded training data, {N_CELLS} cells "
            "along each of the leading principal axes; interval: range over members",
        ),
        Measure(
            name="self spectral distance",
            value=chosen.self_spectrum,
            low=min(m.self_spectrum for m in others),
            high=max(m.self_spectrum for m in others),
            floor=floors[1],
            better="lower",
            convention="Hellinger; interval: range over members",
        ),
    ]
    return measures if forecast is None else [*measures, _forecast_measure(forecast)]


def _forecast_measure(forecast: Forecast) -> Measure:
    return Measure(
        name="forecast gain",
        value=forecast.value,
        low=forecast.low,
        high=forecast.high,
        floor=None,
        baselines={"constant prediction": 0.0},
        unit="nats per bin",
        better="higher",
        convention=f"{forecast.judged_at} bins after the last bin the encoder saw; "
        "interval: bootstrap over blocks of the test stretch",
    )
