"""The attractor of the data beside the one that the surrogate generates."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurodsr.report.figures.canvas import (
    DATA,
    SURROGATE,
    Picture,
    is_narrow,
    panels,
    picture,
)


def attractor_picture(
    data: Float[np.ndarray, "time dim"], generated: Float[np.ndarray, "time dim"], *, reference: str
) -> Picture:
    """Both orbits in the same frame, at the same scale; `reference` says what `data` is."""
    n = min(data.shape[1], 3)

    def draw(figure: Figure) -> None:
        draw_attractors(figure, data[:, :n], generated[:, :n], reference=reference)

    return picture(
        draw,
        alt=f"Two orbits in the same {n} coordinates: {reference.lower()}, and the free-running "
        "surrogate.",
        caption="Look for the same shape, the same holes and the same density. A fixed point, a "
        "single loop or a cloud without structure on the right means that the surrogate did not "
        "find the dynamics. Both panels have the same axes.",
        height=4.2,
        narrow_height=6.8,
    )


def draw_attractors(
    figure: Figure,
    data: Float[np.ndarray, "time dim"],
    generated: Float[np.ndarray, "time dim"],
    *,
    reference: str,
) -> None:
    """Two panels: in space, in the plane, or as histograms, as the dimension allows."""
    orbits = [x[np.isfinite(x).all(axis=1)] for x in (data, generated)]
    if not all(len(x) for x in orbits):
        raise ValueError("an orbit holds no finite point")
    limits = _common_limits(orbits)
    draw_panel = {1: _histogram, 2: _plane}.get(data.shape[1], _space)
    names = (reference, "Surrogate, running freely")
    axes = _space_panels(figure) if draw_panel is _space else panels(figure, 2)
    for ax, orbit, color, name in zip(axes, orbits, (DATA, SURROGATE), names, strict=True):
        draw_panel(ax, orbit, color, limits)
        ax.set_title(name, color=color, fontweight="bold", y=0.97 if draw_panel is _space else None)


def _space_panels(figure: Figure) -> list[Axes]:
    shape = (2, 1) if is_narrow(figure) else (1, 2)
    return [figure.add_subplot(*shape, k + 1, projection="3d") for k in range(2)]


def _common_limits(orbits: list[np.ndarray]) -> np.ndarray:
    # The data's range decides: one escaped point of a bad surrogate must not shrink both panels.
    low, high = orbits[0].min(axis=0), orbits[0].max(axis=0)
    margin = 0.15 * np.maximum(high - low, 1e-9)
    low = np.maximum(low - 4 * margin, np.minimum(low - margin, orbits[1].min(axis=0)))
    high = np.minimum(high + 4 * margin, np.maximum(high + margin, orbits[1].max(axis=0)))
    return np.stack([low, high], axis=1)


def _space(ax: Axes, orbit: np.ndarray, color: str, limits: np.ndarray) -> None:
    inside = ((orbit >= limits[:, 0]) & (orbit <= limits[:, 1])).all(axis=1)
    shown = np.where(inside[:, None], orbit, np.nan)  # a 3-D axis does not clip
    if is_continuous(orbit, limits):
        ax.plot(*shown.T, color=color, lw=0.5, alpha=0.55)
    else:
        ax.scatter(*shown.T, color=color, s=1.6, alpha=0.5, lw=0)
    ax.set(xlim=limits[0], ylim=limits[1], zlim=limits[2])
    ax.set(xlabel="Coordinate 1", ylabel="Coordinate 2", zlabel="Coordinate 3")
    ax.view_init(elev=18, azim=-60)
    ax.set_box_aspect(None, zoom=0.84 if is_narrow(ax.figure) else 1.0)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.pane.set_facecolor("#fafafa")
        axis.pane.set_edgecolor("#dddddd")
        axis._axinfo["grid"].update(color="#e6e6e6", linewidth=0.5)


def _plane(ax: Axes, orbit: np.ndarray, color: str, limits: np.ndarray) -> None:
    if is_continuous(orbit, limits):
        ax.plot(*orbit.T, color=color, lw=0.5, alpha=0.6, rasterized=True)
    else:
        ax.scatter(*orbit.T, color=color, s=2, alpha=0.5, lw=0, rasterized=True)
    ax.set(xlim=limits[0], ylim=limits[1], xlabel="Coordinate 1", ylabel="Coordinate 2")


def _histogram(ax: Axes, orbit: np.ndarray, color: str, limits: np.ndarray) -> None:
    ax.hist(orbit[:, 0], bins=np.linspace(*limits[0], 60), color=color, density=True)
    ax.set(xlim=limits[0], xlabel="Coordinate 1", ylabel="Density")


def is_continuous(orbit: np.ndarray, limits: np.ndarray) -> bool:
    """Whether lines between successive points of an orbit, shape (time, dim), follow it."""
    # Lines between points far apart on the orbit would draw chords that no trajectory takes.
    span = np.maximum(limits[:, 1] - limits[:, 0], 1e-12)
    jump = np.linalg.norm(np.diff(orbit, axis=0) / span, axis=1)
    return len(jump) > 0 and float(np.median(jump)) < 0.06
