"""The Lorenz-63 system: the chaotic orbit with known answers behind every simulated session."""

from __future__ import annotations

from typing import TypeVar, no_type_check

import numpy as np
from jaxtyping import Float

SIGMA, RHO, BETA = 10.0, 28.0, 8.0 / 3.0
"""Parameters of Lorenz 1963, at which the system is chaotic."""

EXPONENT = 0.906
"""Largest Lyapunov exponent per time unit at those parameters, the value commonly quoted; the
divergence of simulated orbits agrees."""

MEAN, SD = (0.0, 0.0, 23.55), (7.924, 9.013, 8.617)
"""Mean and sd of each coordinate over the attractor; orbits of 10^6 samples of 0.02 agree with the
sds within 0.2 %."""

Coordinate = TypeVar("Coordinate", float, np.ndarray)


# Called a million times an orbit: checking each call would cost ten times the arithmetic.
@no_type_check
def flow(x: Coordinate, y: Coordinate, z: Coordinate) -> tuple[Coordinate, Coordinate, Coordinate]:
    r"""The velocity of the Lorenz-63 system at a state, per time unit.

    $\dot x = \sigma (y - x),\quad \dot y = x (\rho - z) - y,\quad \dot z = x y - \beta z$

    Plain floats and arrays are both welcome.

    References
    ----------
    Lorenz 1963, J. Atmos. Sci. 20:130-141.
    """
    return SIGMA * (y - x), x * (RHO - z) - y, x * y - BETA * z


@no_type_check
def advance(
    state: tuple[Coordinate, Coordinate, Coordinate], h: float
) -> tuple[Coordinate, Coordinate, Coordinate]:
    """The state one classical Runge-Kutta step (fourth order) of `h` time units later."""
    x, y, z = state
    half = h / 2
    ax, ay, az = flow(x, y, z)
    bx, by, bz = flow(x + half * ax, y + half * ay, z + half * az)
    cx, cy, cz = flow(x + half * bx, y + half * by, z + half * bz)
    dx, dy, dz = flow(x + h * cx, y + h * cy, z + h * cz)
    return (
        x + h / 6 * (ax + 2 * (bx + cx) + dx),
        y + h / 6 * (ay + 2 * (by + cy) + dy),
        z + h / 6 * (az + 2 * (bz + cz) + dz),
    )


def lorenz63(
    n_bins: int,
    *,
    dt: float,
    generator: np.random.Generator,
    n_transient: int = 2000,
    substeps: int = 2,
) -> Float[np.ndarray, "time 3"]:
    """An orbit on the Lorenz attractor, from a random start.

    Parameters
    ----------
    n_bins
        Samples returned.
    dt
        Time units between samples.
    generator
        Draws the start.
    n_transient
        Samples discarded first, so that the orbit has reached the attractor.
    substeps
        Runge-Kutta steps between samples; a step of at most 0.01 keeps the statistics exact
        to well below their sampling error.

    Returns
    -------
    States in the system's own coordinates, shape (time, 3); see `standardize`.
    """
    x, y, z = generator.normal(MEAN, SD).tolist()
    orbit = np.empty((n_bins, 3))
    # Plain floats: in a loop of single states they are ten times quicker than small arrays.
    for k in range(-n_transient, n_bins):
        for _ in range(substeps):
            x, y, z = advance((x, y, z), dt / substeps)
        if k >= 0:
            orbit[k] = x, y, z
    return orbit


def standardize(orbit: Float[np.ndarray, "time 3"]) -> Float[np.ndarray, "time 3"]:
    """The orbit with mean 0 and sd 1 over the attractor in each coordinate.

    Constants of the system, not of the sample: all orbits of a study share one coordinate frame.
    """
    return (orbit - np.array(MEAN)) / np.array(SD)
