"""How sure a measure is: intervals from resampling whole blocks of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch

from neurodsr.errors import ConfigError, DataError

Block = TypeVar("Block")


def bootstrap_interval(
    statistic: Callable[[Sequence[Block]], float],
    blocks: Sequence[Block],
    *,
    n_resamples: int = 200,
    level: float = 0.95,
    generator: torch.Generator,
) -> tuple[float, float]:
    """Interval that holds the true value of a statistic in `level` of all repetitions.

    The percentile bootstrap: blocks are drawn with replacement, as many as there are, and the
    statistic's quantiles over resamples are the interval. Blocks and not bins are drawn, because
    neighboring bins resemble each other and would make the interval far too narrow. With fewer
    than some 20 blocks the interval is still too narrow.

    Parameters
    ----------
    statistic
        Takes a list of blocks to a number; a mean over them, or a measure of them as segments.
    blocks
        Pieces of data that are nearly independent: trials, or stretches longer than the
        data's memory.
    n_resamples
        Number of resamples.
    level
        Coverage, between 0 and 1.
    generator
        Source of the draws, on the CPU.

    Returns
    -------
    Lower and upper end, in units of the statistic.

    Raises
    ------
    ConfigError
        `level` or `n_resamples` out of range.
    DataError
        Fewer than two blocks.

    References
    ----------
    Efron & Tibshirani 1993, An Introduction to the Bootstrap, Chapman & Hall (percentile
    intervals).
    """
    if not 0 < level < 1 or n_resamples < 1:
        raise ConfigError(
            f"level={level}, n_resamples={n_resamples}",
            fix="use a level between 0 and 1 and at least 1 resample (0.95 and 200 are usual)",
        )
    n = len(blocks)
    if n < 2:
        raise DataError(
            f"{n} block{'' if n == 1 else 's'} cannot show a spread",
            fix="cut the data into at least 2 blocks; 20 and more give trustworthy intervals",
        )
    draws = torch.randint(n, (n_resamples, n), generator=generator).tolist()
    values = [statistic([blocks[i] for i in draw]) for draw in draws]
    tail = (1 - level) / 2
    low, high = np.quantile(values, (tail, 1 - tail))
    return float(low), float(high)
