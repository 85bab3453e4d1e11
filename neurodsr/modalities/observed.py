"""What was seen of one stream, as tensors: values, mask, and how long each bin was watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor


class Observed(NamedTuple):
    """Values and mask of one stream, any batch axes first.

    `exposure` is the fraction of each bin in which the channel was watched, 0 where the mask is
    False; None where every bin that was watched was watched whole. It is only for values that add
    up over time, such as counts: half a bin has half of a whole one's, which is no matter of means,
    angles or labels.
    """

    values: Float[Tensor, "*batch time channel"]
    mask: Bool[Tensor, "*batch time channel"]
    exposure: Float[Tensor, "*batch time channel"] | None = None

    def each(self, change: Callable[[Tensor], Tensor]) -> Observed:
        """The same change, such as a slice of time, made to all that is there."""
        return Observed(*(None if part is None else change(part) for part in self))

    def bins(self, which: slice) -> Observed:
        """Some bins."""
        return self.each(lambda part: part[..., which, :])

    def without(self, hidden: Bool[Tensor, "*batch time _"]) -> Observed:
        """The same with some entries hidden."""
        kept = as_bytes(self.mask) * as_bytes(~hidden)
        return self._replace(mask=kept.view(torch.bool))

    def unknown(self) -> Observed:
        """Nothing but how long each bin was watched."""
        return Observed(
            torch.zeros_like(self.values), torch.zeros_like(self.mask), exposure=self.exposure
        )


def as_bytes(mask: Bool[Tensor, "..."]) -> UInt8[Tensor, "..."]:
    """The same memory read as 1 for True and 0 for False.

    With bytes torch computes in vectors; with truth values it takes up to six times as long.
    """
    return mask.view(torch.uint8)


def as_numbers(mask: Bool[Tensor, "..."], dtype: torch.dtype) -> Float[Tensor, "..."]:
    """1 where True, 0 where False."""
    return as_bytes(mask).to(dtype)


def joined(pieces: list[Observed]) -> Observed:
    """Stretches one after the other."""
    parts = zip(*pieces, strict=True)
    return Observed(*(None if part[0] is None else torch.cat(part, dim=-2) for part in parts))
