"""The encoded path as maps are trained on it: which windows and which noise step k sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from neurodsr.errors import DataError
from neurodsr.kernels.noise import process_noise
from neurodsr.seeds import derive_seed
from neurodsr.training.draws import NOISE, WINDOWS, draw_below, step_seed


class Teacher(NamedTuple):
    """All encoded stretches as one path, and where a window may begin.

    Parameters
    ----------
    path
        The stretches, one after the other.
    starts
        First bins of all windows that cross no end of a stretch.
    window
        Steps along a window, which holds one bin more.
    variance
        Of the whole path, summed over latents.
    """

    path: Float[Tensor, "bin latent"]
    starts: Int[Tensor, " start"]
    window: int
    variance: Float[Tensor, ""]

    @classmethod
    def of(cls, stretches: Sequence[Float[Tensor, "_time latent"]], *, window: int) -> Teacher:
        """Lay stretches end to end.

        Raises
        ------
        DataError
            No stretch is as long as a window.
        """
        longest = max(len(s) for s in stretches)
        if longest < window + 1:
            raise DataError(
                f"the longest stretch has {longest} bins, a window {window + 1}",
                fix=f"set dynamics.window to {longest - 1} or less, or use a smaller bin_width",
            )
        path, starts, first = torch.cat(list(stretches)), [], 0
        for stretch in stretches:
            starts.append(torch.arange(first, first + max(0, len(stretch) - window)))
            first += len(stretch)
        return cls(path, torch.cat(starts), window, path.var(0).sum())

    def windows(self, seed: int, k: int, n: int) -> Float[Tensor, "batch bin latent"]:
        """The n windows of step k, every one of them equally likely."""
        picks = draw_below(len(self.starts), seed=step_seed(seed, WINDOWS, k), n=n)
        bins = self.starts[torch.from_numpy(picks), None] + torch.arange(self.window + 1)
        # Whole rows are copied, in a third of the time that indexing with `bins` takes.
        rows = self.path.index_select(0, bins.flatten().to(self.path.device))
        return rows.unflatten(0, tuple(bins.shape))

    def noise(
        self, sd: Float[Tensor, " latent"], seed: int, k: int, n: int
    ) -> Float[Tensor, "batch step latent"]:
        """Normal numbers for the forcing signal of step k."""
        own = step_seed(seed, NOISE, k)
        (noise,) = process_noise(sd.cpu()[None], seed=own, n_steps=self.window, n_batch=n)
        return noise.to(sd.device)


def windows_seed(seed: int) -> int:
    """The seed of a member's windows and noise."""
    return derive_seed(seed, "dynamics")
