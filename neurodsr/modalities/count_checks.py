"""What is wrong, or only odd, about the counts of a stream of spikes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from neurodsr.data.streams import Events, Series, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError

SHOWN = 5
FEW = 20
"""Spikes of all units below which a note says that there are hardly any."""
BUSY = 0.95
"""Fraction of bins with a spike from which on narrower bins would tell much more of a unit."""


def refuse_silence(stream: Stream, grid: TimeGrid, *, where: str) -> None:
    """Refuse a stream without a single spike.

    Raises
    ------
    DataError
        With the time that was looked at.
    """
    if not stream.values.any():
        raise DataError(
            f"no spikes of {stream.n_channels} units between {grid.start:g} s and {grid.stop:g} s",
            where=where,
            fix="check grid.start and grid.stop against what `neurodsr inspect` prints",
        )


def refuse_above(
    stream: Stream, most: int, held: Events | Series, grid: TimeGrid, *, where: str
) -> None:
    """Refuse bins with more spikes than the observation model knows of.

    Parameters
    ----------
    most
        Largest count that a bin may have.
    held
        What was counted: spike times tell how narrow a bin must be to hold one at most.

    Raises
    ------
    DataError
        With the number of these bins, and the bin width that would do.
    """
    above = stream.values > most
    if not above.any():
        return
    worst = int(above.sum(0).argmax())
    finest = shortest_interval(held, grid) if isinstance(held, Events) else 0.0
    narrow = f"a bin_width of at most {_rounded_down(finest):g} s, or " if finest > 0 else ""
    raise DataError(
        f"{int(above.any(1).sum())} of {stream.n_bins} bins hold more than {most} spike of a "
        f"unit, up to {int(stream.values.max())}, most of them of unit "
        f"{stream.channels.ids[worst]!r}",
        where=where,
        fix=f"choose {narrow}observation: poisson",
    )


def shortest_interval(events: Events, grid: TimeGrid) -> float:
    """Shortest time between two spikes of a unit on the grid, s; 0 where no unit has two."""
    shortest = np.inf
    for c in range(len(events.channels)):
        times = events.times[events.offsets[c] : events.offsets[c + 1]]
        on_grid = times[slice(*times.searchsorted([grid.start, grid.stop]))]
        shortest = min(shortest, np.diff(on_grid).min(initial=np.inf))
    return float(shortest) if np.isfinite(shortest) else 0.0


def count_notes(stream: Stream) -> tuple[str, ...]:
    """Sentences on units that say hardly anything: those that always fire, few spikes in all."""
    total = int(stream.values.sum(dtype=np.int64))
    active, seen = np.count_nonzero(stream.values, axis=0), np.count_nonzero(stream.mask, axis=0)
    busy = (active >= BUSY * seen) & (active > FEW)
    few = f"few spikes: {total} in all, which hardly tell anything" if total < FEW else ""
    return tuple(filter(None, (_busy_note(stream, busy), few)))


def _busy_note(stream: Stream, busy: Bool[np.ndarray, " channel"]) -> str:
    ids = [stream.channels.ids[c] for c in np.flatnonzero(busy)]
    if not ids:
        return ""
    who = "1 unit fires" if len(ids) == 1 else f"{len(ids)} units fire"
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return (
        f"{who} in at least {BUSY:.0%} of the bins: narrower bins would show more: "
        f"{', '.join(ids[:SHOWN])}{more}"
    )


def _rounded_down(width: float) -> float:
    """Two digits of a number, not above it."""
    digit = 10.0 ** (np.floor(np.log10(width)) - 1)
    return float(f"{np.floor(width / digit) * digit:.2g}")
