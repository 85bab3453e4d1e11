"""Is a free-running member alive, and does it look like the data? Found without any truth.

Loss and forecasts do not see death: members whose free run ends in a fixed point or a cycle
forecast as well as the good ones. So every member runs freely, long and from many starts; what
the instruments would have seen of it is sampled, encoded again, and compared with the encoded
data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.measures.lyapunov import largest_exponent
from neurodsr.measures.spectrum import power_spectrum_distance
from neurodsr.measures.state_space import state_space_divergence
from neurodsr.models.free_run import free_run, simulate_streams
from neurodsr.models.observation import ObservationModel

N_CELLS = 15  # per dimension: coarse enough for 20,000 points
SPREAD_FLOOR = 0.5  # an orbit with less than half of the data's spread has died
N_SIMULATED = 8  # orbits that are observed and encoded again
COVERAGE_FLOOR = 0.25  # so has one that visits less than a quarter of the cells that data visit


class SelfCheck(NamedTuple):
    """What the free runs of one member showed."""

    dead: Bool[Tensor, " start"]
    exponents: Float[Tensor, " start"]
    divergence: float
    spectrum: float
    orbits: Float[Tensor, "start time latent"]


class Axes(NamedTuple):
    """The leading principal axes of the encoded data, at most three."""

    center: Float[Tensor, " latent"]
    directions: Float[Tensor, "latent axis"]

    def project(self, z: Float[Tensor, "*time latent"]) -> Float[Tensor, "*time axis"]:
        """Coordinates along the axes."""
        return (z - self.center) @ self.directions


def principal_axes(z: Float[Tensor, "time latent"], *, n_axes: int = 3) -> Axes:
    """Directions of largest variance of a latent path."""
    center = z.mean(0)
    _, vectors = torch.linalg.eigh(torch.cov((z - center).T).reshape(z.shape[1], -1).double())
    return Axes(center, vectors.flip(1)[:, :n_axes].to(z.dtype))


def self_check(
    model: ObservationModel,
    pwl: PiecewiseLinearMap,
    encoded: Sequence[Float[Tensor, "_time latent"]],
    masks: Mapping[str, Tensor],
    *,
    n_starts: int,
    n_bins: int,
    seed: int,
    n_kept: int = 20_000,
) -> SelfCheck:
    """Long free runs of one member from many encoded states, judged against the encoded data.

    Parameters
    ----------
    model
        The member's encoder and decoders.
    pwl
        The member's map.
    encoded
        Encoded training data, a path for each contiguous stretch.
    masks
        Masks of the training data, so that simulated recordings have the same gaps.
    n_starts, n_bins
        Number and length of the free runs.
    seed
        Of the starts and the simulated observations.
    """
    pooled, longest = torch.cat(list(encoded)), max(encoded, key=len)
    picks = torch.randperm(len(pooled), generator=torch.Generator().manual_seed(seed))
    starts = pooled[picks[torch.arange(n_starts) % len(pooled)]]
    orbits = free_run(pwl, starts, n_bins, keep=min(n_kept, n_bins))
    axes = principal_axes(pooled)
    pieces = [p for z in orbits[:N_SIMULATED] for p in z.split(len(longest))]
    pieces = [p for p in pieces if len(p) == min(len(longest), orbits.shape[1])]
    seen = [axes.project(z).numpy() for z in _reencode(model, pieces, masks, seed=seed)]
    exponents = largest_exponent(pwl, orbits[:, 0], n_steps=min(3000, n_bins) // 5 * 5)
    return SelfCheck(
        dead=dead_orbits(axes.project(orbits), axes.project(pooled)),
        exponents=exponents,
        divergence=state_space_divergence(
            axes.project(pooled).numpy(), np.concatenate(seen), n_bins=N_CELLS
        ),
        spectrum=power_spectrum_distance(axes.project(longest).numpy(), seen),
        orbits=orbits,
    )


def dead_orbits(
    orbits: Float[Tensor, "start time axis"], data: Float[Tensor, "data_time axis"]
) -> Bool[Tensor, " start"]:
    """Orbits that left the finite numbers, lost their spread, or shrank to a few cells.

    Cells are those of the data's range, `N_CELLS` a dimension; the data are cut to the length
    of an orbit, so that both had the same time to visit them.
    """
    reference = data[: orbits.shape[1]]
    low, high = data.amin(0), data.amax(0)
    spread = data.std(0).norm()
    visited = _n_cells(reference, low, high)
    return torch.tensor(
        [
            not bool(orbit.isfinite().all())
            or bool(orbit.std(0).norm() < SPREAD_FLOOR * spread)
            or _n_cells(orbit, low, high) < COVERAGE_FLOOR * visited
            for orbit in orbits
        ]
    )


def _n_cells(z: Tensor, low: Tensor, high: Tensor) -> int:
    """Cells visited; cubes of one size, so that axes which hold only noise count as one."""
    size = (high - low).max().clamp_min(1e-12) / N_CELLS
    cells = ((z - low) / size).floor().clamp(-1, N_CELLS)
    return len(cells.unique(dim=0))


def _reencode(
    model: ObservationModel, paths: Sequence[Tensor], masks: Mapping[str, Tensor], *, seed: int
) -> list[Tensor]:
    """Encode simulated recordings of latent paths; a diverged one stands at zero.

    Each path takes its gaps from another part of the recording.
    """
    n_bins = len(next(iter(masks.values())))
    return [
        model.encode(
            simulate_streams(
                model,
                z.nan_to_num(0, 0, 0),
                masks,
                seed=seed + 97 * i,
                first=i * n_bins // len(paths),
            )
        )
        for i, z in enumerate(paths)
    ]
