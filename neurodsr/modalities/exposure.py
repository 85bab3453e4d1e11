"""Counts of bins that were watched for a part of their time."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.modalities.observed import Observed, as_numbers


def watched(seen: Observed) -> Float[Tensor, "*batch time channel"]:
    """Fraction of each bin from which a count is known; 0 where it is masked."""
    known = as_numbers(seen.mask, seen.values.dtype)
    return known if seen.exposure is None else known * seen.exposure


def scaled(rate: Float[Tensor, "*batch time channel"], seen: Observed) -> Tensor:
    """Expected counts of the time that was watched, from those of whole bins.

    A bin that was not watched at all stays whole: nothing is scored there, and a rate of 0 has no
    finite gradient.
    """
    if seen.exposure is None:
        return rate
    return rate * torch.where(seen.exposure > 0, seen.exposure, 1)


def per_whole_bin(seen: Observed) -> Float[Tensor, "*batch time channel"]:
    """Counts as whole bins would have had them at the same rate; 0 where they are masked."""
    known = seen.values * as_numbers(seen.mask, seen.values.dtype)
    if seen.exposure is None:
        return known
    return known / torch.where(seen.exposure > 0, seen.exposure, 1)


def mean_rate(seen: Observed) -> tuple[Float[Tensor, " channel"], Float[Tensor, " channel"]]:
    r"""Counts per whole bin watched, $\sum x / \sum e$, and the number $\sum e$ of these bins.

    It is the most likely constant rate of Poisson counts. A channel without a count is given
    half of one, so that its rate is not 0; one that was never watched counts as one bin.
    """
    number = watched(seen).sum(0)
    number = torch.where(number > 0, number, 1)
    mean = (seen.values * seen.mask).sum(0) / number
    return mean.maximum(0.5 / number), number
