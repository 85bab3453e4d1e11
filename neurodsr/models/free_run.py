"""The model on its own: long free runs, and what the instruments would have seen of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.kernels.orbit import run_freely
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.modalities.decoders import Decoder
from neurodsr.modalities.observed import Observed
from neurodsr.models.observation import ObservationModel


def free_run(
    pwl: PiecewiseLinearMap,
    z0: Float[Tensor, "*member start latent"],
    n_bins: int,
    *,
    keep: int | None = None,
    noise: float | Float[Tensor, "*member latent"] | None = None,
    seed: int = 0,
    chunk: int = 5000,
) -> Float[Tensor, "*member start kept latent"]:
    """Free orbits from many starts; only the last `keep` bins are held in memory.

    Parameters
    ----------
    pwl
        The map, or a stack of members.
    z0
        Starting states.
    n_bins
        Length of the run.
    keep
        Bins returned, from the end; default: all.
    noise
        Standard deviation of process noise, for all latents or for each; default: none.
    seed
        Of the noise; the run is a pure function of it.
    chunk
        Bins at a time where no compiled kernel runs.
    """
    return run_freely(pwl, z0, n_bins, keep=keep, noise=noise, seed=seed, chunk=chunk)


@torch.no_grad()
def simulate_stream(
    decoder: Decoder, z: Float[Tensor, "*batch time latent"], *, seed: int
) -> Float[Tensor, "*batch time channel"]:
    """What an instrument would record along a latent path, a pure function of the seed."""
    with torch.random.fork_rng(devices=[]):  # global random state stays as it is
        torch.manual_seed(seed)
        return decoder.simulate(z)


@torch.no_grad()
def simulate_streams(
    model: ObservationModel,
    z: Float[Tensor, "time latent"],
    masks: Mapping[str, Tensor],
    *,
    seed: int,
    first: int = 0,
) -> dict[str, Observed]:
    """What the instruments would record along a latent path, with the recording's own gaps.

    `masks` [time, channel] of each stream are used from bin `first` on, and from the start
    again where they end.
    """
    simulated = {}
    for i, name in enumerate(model.names):
        values = simulate_stream(model.decoder(name), z, seed=seed + i)
        mask = masks[name][(first + torch.arange(len(z))) % len(masks[name])]
        simulated[name] = Observed(values * mask, mask)
    return simulated
