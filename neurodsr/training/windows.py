"""Training windows: batch k is a pure function of (seed, k), and no window crosses a segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional

from neurodsr.data.recording import Recording
from neurodsr.errors import DataError
from neurodsr.modalities.observed import Observed, joined
from neurodsr.models.observation import as_observed
from neurodsr.seeds import generator

Stretches = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Tensors:
    """All streams as float32 tensors, one entry per contiguous stretch of bins."""

    stretches: tuple[Mapping[str, Observed], ...]

    @property
    def lengths(self) -> list[int]:
        """Bins of each stretch."""
        return [len(next(iter(s.values())).values) for s in self.stretches]

    def pooled(self) -> dict[str, Observed]:
        """All stretches one after the other, for means and scales."""
        return {name: joined([s[name] for s in self.stretches]) for name in self.stretches[0]}


def to_tensors(recording: Recording, stretches: Stretches) -> Tensors:
    """Read the given stretches of bins of every stream into memory."""
    return Tensors(
        tuple(
            {name: as_observed(s, slice(a, b)) for name, s in recording.streams.items()}
            for a, b in stretches
        )
    )


class WindowSampler:
    """Random windows of padded stretches; outside a stretch nothing is seen.

    Parameters
    ----------
    arrays
        Per name the arrays of all stretches, each [time, ...].
    length
        Bins of a window, without context.
    context
        Bins added at either end.
    batch_size
        Windows drawn together.
    seed
        The sampler's own seed.

    Raises
    ------
    DataError
        No stretch is as long as a window.
    """

    def __init__(
        self,
        arrays: Mapping[str, list[Tensor]],
        *,
        length: int,
        batch_size: int,
        seed: int,
        context: int = 0,
    ) -> None:
        lengths = [len(a) for a in next(iter(arrays.values()))]
        if max(lengths) < length:
            raise DataError(
                f"the longest stretch has {max(lengths)} bins, a window {length}",
                # A window of the dynamics holds one bin more than its steps.
                fix=f"set encoder.window and dynamics.window to {max(lengths) - 1} or less, "
                "or use a smaller bin_width",
            )
        self._arrays = {
            name: torch.cat([functional.pad(a, (0, 0, context, context)) for a in stretches])
            for name, stretches in arrays.items()
        }
        self._starts = _window_starts(lengths, length, context)
        self._offsets = torch.arange(length + 2 * context)
        self._batch_size, self._seed = batch_size, seed

    def batch(self, k: int) -> dict[str, Tensor]:
        """Batch k, [batch, time, ...] of every array, with context."""
        draw = torch.randint(
            len(self._starts), (self._batch_size,), generator=generator(self._seed, "windows", k)
        )
        bins = (self._starts[draw, None] + self._offsets).flatten()
        shape = (self._batch_size, -1)
        # Whole rows are copied, in a third of the time that indexing with `bins` takes.
        return {k: a.index_select(0, bins).unflatten(0, shape) for k, a in self._arrays.items()}


def _window_starts(lengths: list[int], length: int, context: int) -> Int[Tensor, " window"]:
    starts, offset = [], 0
    for n in lengths:
        starts.append(offset + torch.arange(max(0, n - length + 1)))
        offset += n + 2 * context
    return torch.cat(starts)
