"""Figures of the free-running dynamics: spectra, Lyapunov exponents, forecasts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurodsr.report.figures.canvas import (
    CONTROL,
    CYCLE,
    DATA,
    INK,
    SURROGATE,
    Picture,
    is_narrow,
    label_decades,
    legend_above,
    panels,
    picture,
)

_MAX_SPECTRA = 6


def spectra_picture(
    frequency: Float[np.ndarray, " frequency"],
    data: Float[np.ndarray, "frequency dim"],
    generated: Float[np.ndarray, "frequency dim"],
) -> Picture:
    """Power of data and surrogate over frequency (Hz), one panel a dimension."""
    n = min(data.shape[1], _MAX_SPECTRA)
    more = f" The first {n} of {data.shape[1]} dimensions are shown." if data.shape[1] > n else ""
    rows = math.ceil(n / 3)

    def draw(figure: Figure) -> None:
        draw_spectra(figure, frequency, data[:, :n], generated[:, :n])

    return picture(
        draw,
        alt="Power spectra of the data and of the free-running surrogate on logarithmic axes.",
        caption="The surrogate should have the data's peaks at the same frequencies and the same "
        "slope. A single sharp peak where the data are broad means a limit cycle." + more,
        height=0.6 + 2.5 * rows,
        narrow_height=0.6 + 1.9 * n,
    )


def draw_spectra(
    figure: Figure,
    frequency: Float[np.ndarray, " frequency"],
    data: Float[np.ndarray, "frequency dim"],
    generated: Float[np.ndarray, "frequency dim"],
) -> None:
    """One panel a dimension; frequency 0 has no place on a logarithmic axis."""
    n, positive = data.shape[1], frequency > 0
    columns = 1 if is_narrow(figure) else min(n, 3)
    grid = figure.subplots(math.ceil(n / columns), columns, squeeze=False, sharex=True, sharey=True)
    for k, ax in enumerate(grid.flat):
        ax.set_visible(k < n)
        if k < n:
            for power, color, name in (
                (data[:, k], DATA, "data"),
                (generated[:, k], SURROGATE, "surrogate"),
            ):
                ax.loglog(frequency[positive], _positive(power[positive]), color=color, label=name)
            ax.set_title(f"Dimension {k + 1}")
            label_decades(ax.xaxis)
            label_decades(ax.yaxis)
    figure.supxlabel("Frequency (Hz)", fontsize=9.5)
    figure.supylabel("Power (arbitrary units)", fontsize=9.5)
    legend_above(figure, grid.flat[0], columns=2)


def _positive(power: np.ndarray) -> np.ndarray:
    return np.where(power > 0, power, np.nan)


def lyapunov_picture(
    exponents: Sequence[float],
    sd: Sequence[float],
    *,
    time: Float[np.ndarray, " step"] | None,
    running: Float[np.ndarray, "step latent"] | None,
    true_exponent: float | None,
) -> Picture:
    """Lyapunov exponents (1/s), and how their estimates settled, where that was kept."""

    def draw(figure: Figure) -> None:
        axes = panels(figure, 1 if running is None else 2)
        _draw_exponents(axes[-1], exponents, sd, true_exponent)
        if running is not None and time is not None:
            _draw_running(axes[0], time, running, true_exponent)
        if true_exponent is not None:
            legend_above(figure, axes[-1], columns=1)

    return picture(
        draw,
        alt=f"Lyapunov exponents in descending order; the largest is {exponents[0]:.3g} per s.",
        caption="A largest exponent above zero means chaos, near zero a cycle, below zero a fixed "
        "point. An estimate that still drifts at the right edge was averaged too briefly. Error "
        "bars: spread over starts (sd).",
        height=3.2,
        narrow_height=3.0 if running is None else 5.6,
    )


def _draw_exponents(
    ax: Axes, exponents: Sequence[float], sd: Sequence[float], true_exponent: float | None
) -> None:
    rank = np.arange(1, len(exponents) + 1)
    bars = list(sd) if len(sd) == len(exponents) else None
    ax.axhline(0, color="#888888", lw=0.8)
    _mark_truth(ax, true_exponent)
    ax.errorbar(rank, exponents, yerr=bars, fmt="none", ecolor=INK, capsize=3)
    ax.scatter(rank, exponents, color=[_color(k) for k in range(len(rank))], s=28, zorder=3)
    ax.set(xlabel="Exponent, by size", ylabel="Lyapunov exponent (1/s)", title="Spectrum")
    ax.set_xlim(0.5, len(exponents) + 0.5)
    ax.xaxis.get_major_locator().set_params(integer=True)


def _draw_running(
    ax: Axes, time: np.ndarray, running: np.ndarray, true_exponent: float | None
) -> None:
    ax.axhline(0, color="#888888", lw=0.8)
    _mark_truth(ax, true_exponent)
    for k in range(min(running.shape[1], 8)):
        ax.plot(time, running[:, k], color=_color(k), lw=1.2)
    settled = running[len(running) // 5 :]  # the first estimates swing widely
    low, high = float(np.nanmin(settled)), float(np.nanmax(settled))
    margin = 0.15 * max(high - low, 1e-6)
    ax.set_ylim(low - margin, high + margin)
    ax.set(xlabel="Time averaged over (s)", ylabel="Running estimate (1/s)", title="Convergence")


def _mark_truth(ax: Axes, true_exponent: float | None) -> None:
    if true_exponent is not None:
        label = f"largest exponent of the true system, {true_exponent:.3g} per s"
        ax.axhline(true_exponent, color=INK, lw=1.0, ls="--", label=label)


def _color(rank: int) -> str:
    return CYCLE[rank % len(CYCLE)]


def forecast_picture(
    horizon: Float[np.ndarray, " step"],
    gain: Float[np.ndarray, " step"],
    shuffled: Float[np.ndarray, " step"] | None,
) -> Picture:
    """What a free run knows of the future, over the constant prediction, by horizon (s)."""

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        ax.axhline(0, color="#888888", lw=0.8)
        ax.plot(horizon, gain, color=SURROGATE, label="surrogate, from the encoded state")
        if shuffled is not None:
            ax.plot(horizon, shuffled, color=CONTROL, ls="--", label="from a shuffled state")
        ax.set(xlabel="Horizon (s)", ylabel="Gain (nats per bin)")
        ax.set_xlim(left=0)
        legend_above(figure, ax, columns=1 if is_narrow(figure) else 2)

    return picture(
        draw,
        alt="Log-likelihood gain of free-run forecasts over the constant prediction, by horizon.",
        caption="Above zero the surrogate knows more of the future than the mean does. In a "
        "chaotic system the gain must vanish with the horizon; the shuffled control shows what is "
        "gained without knowing the state.",
        height=3.2,
        narrow_height=3.2,
    )
