r"""Free runs: a map on its own from many starts, with process noise where that is wanted.

$$z_{t+1} = F(z_t) + \sigma \odot \varepsilon_t, \qquad \varepsilon_t \sim \mathcal N(0, 1)$$
"""

from __future__ import annotations

from ctypes import Structure, byref, c_int64, c_uint64, c_void_p

import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.errors import ConfigError
from neurodsr.kernels.library import load_library
from neurodsr.kernels.native import SUFFIX, View
from neurodsr.kernels.native_map import Maps, check_map, lay_out, stacked, view_of
from neurodsr.kernels.noise import process_noise
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.kernels.scan import scan

MOST_STEPS = 2**33
"""After so many steps the counter of the noise would begin again."""


class FreeRun(Structure):
    """The C `FreeRun`."""

    _fields_ = (
        ("maps", Maps),
        *((name, c_int64) for name in ("batch", "n_steps", "every", "kept")),
        ("seed", c_uint64),
        ("z0", View),
        ("noise", c_void_p),
        ("states", View),
    )


@torch.no_grad()
def run_freely(
    pwl: PiecewiseLinearMap,
    z0: Float[Tensor, "*member start latent"],
    n_steps: int,
    *,
    every: int = 1,
    keep: int | None = None,
    noise: float | Float[Tensor, "*member latent"] | None = None,
    seed: int = 0,
    chunk: int = 5000,
) -> Float[Tensor, "*member start kept latent"]:
    r"""Free orbits from many starts; only the states that are asked for are held in memory.

    $z_{t+1} = F(z_t) + \sigma \odot \varepsilon_t$, without inputs and without gradients.

    Parameters
    ----------
    pwl
        The map, or a stack of members.
    z0
        Starting states.
    n_steps
        Length of the run.
    every
        Keep every so many-th state, counted back from the last.
    keep
        Number of states returned, from the end; default: as many as there are.
    noise
        Standard deviation of the process noise, for all latents or for each; default: none.
    seed
        Of the noise. Each number depends on the seed, the member, the start's place, the latent and
        the step, on nothing else, so that a run among others is the run alone.
    chunk
        Steps at a time where no compiled kernel runs.

    Returns
    -------
    States after steps ..., `n_steps - every`, `n_steps`.

    Raises
    ------
    ConfigError
        Counts are below 1, shapes or kinds of numbers disagree, or `noise` is negative.
    """
    check_map(pwl, z0, where="run_freely")
    _check_counts(n_steps=n_steps, every=every, keep=1 if keep is None else keep, chunk=chunk)
    kept = n_steps // every if keep is None else min(keep, n_steps // every)
    sd = None if noise is None else _standard_deviations(noise, pwl)
    single, maps = z0.ndim == 2, stacked(pwl)
    z = z0.unsqueeze(0) if single else z0
    states = z.new_empty(*z.shape[:2], kept, z.shape[2])
    if z.device.type == "cpu" and z.dtype in SUFFIX and load_library() is not None:
        _run_compiled(maps, z, sd, seed, n_steps, every, states)
    else:
        _run_in_chunks(maps, z, sd, seed, n_steps, every, states, chunk)
    return states.squeeze(0) if single else states


def _run_compiled(
    pwl: PiecewiseLinearMap,
    z0: Tensor,
    sd: Tensor | None,
    seed: int,
    n_steps: int,
    every: int,
    states: Tensor,
) -> None:
    if not states.numel():
        return
    maps, alive = lay_out(pwl)
    problem = FreeRun(
        maps,
        z0.shape[1],
        n_steps,
        every,
        states.shape[2],
        seed & 2**64 - 1,
        view_of(z0),
        None if sd is None else sd.data_ptr(),
        view_of(states),
    )
    getattr(load_library().functions, f"neurodsr_run_freely_{SUFFIX[z0.dtype]}")(byref(problem))
    del alive


def _run_in_chunks(
    pwl: PiecewiseLinearMap,
    z: Tensor,
    sd: Tensor | None,
    seed: int,
    n_steps: int,
    every: int,
    states: Tensor,
    chunk: int,
) -> None:
    """The same in plain torch; the scan of some steps at a time, so that memory stays bounded."""
    kept = states.shape[2]
    first = n_steps - 1 - every * (kept - 1)
    for t in range(0, n_steps, chunk):
        n = min(chunk, n_steps - t)
        drive = None
        if sd is not None:
            drive = process_noise(sd, seed=seed, n_steps=n, n_batch=z.shape[1], first=t)
        piece = scan(pwl, z, n_steps=n, drive=drive)
        z = piece[:, :, -1].contiguous()
        i = max(0, -(-(t - first) // every))
        chosen = piece[:, :, first + i * every - t :: every]
        states[:, :, i : i + chosen.shape[2]] = chosen


def _standard_deviations(noise: float | Tensor, pwl: PiecewiseLinearMap) -> Tensor:
    """Contiguous [member, latent]."""
    sd = torch.as_tensor(noise, dtype=pwl.A.dtype, device=pwl.A.device)
    fits = sd.ndim <= pwl.A.ndim and all(
        a in (1, n) for a, n in zip(reversed(sd.shape), reversed(pwl.A.shape), strict=False)
    )
    if not fits or not bool((sd >= 0).all()) or not bool(sd.isfinite().all()):
        raise ConfigError(
            f"noise has shape {tuple(sd.shape)} and smallest value {float(sd.min()):g}",
            where="run_freely",
            fix=f"give one standard deviation >= 0, or one for each latent {tuple(pwl.A.shape)}",
        )
    return sd.detach().expand(pwl.A.shape).reshape(-1, pwl.latent_dim).contiguous()


def _check_counts(**counts: int) -> None:
    for name, value in counts.items():
        if not 1 <= value <= MOST_STEPS:
            raise ConfigError(
                f"{name} is {value}",
                where="run_freely",
                fix=f"choose {name} from 1 to {MOST_STEPS}",
            )
