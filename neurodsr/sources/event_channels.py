"""Events of a file brought into order: a channel a label, sorted, nothing dropped unsaid."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, Shaped

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Events
from neurodsr.errors import DataError
from neurodsr.sources.table_events import doubt_seconds

UNLABELED = "unlabeled"


def ordered_events(
    times: Shaped[np.ndarray, " event"],
    labels: Shaped[np.ndarray, " event"],
    *,
    where: str,
    durations: Float[np.ndarray, " event"] | None = None,
) -> Events:
    """Events with one channel for each label, in order of the labels, each sorted in time.

    Events without a finite time are dropped, and unknown durations become 0; both are noted.

    Parameters
    ----------
    times, durations
        In s, in the file's order.
    labels
        Channel of each event: its name, or a number that sorts as one.

    Raises
    ------
    DataError
        The times are no numbers, as many as labels, or none of them is finite.
    """
    _refuse_wrong(times, labels, where)
    found = np.unique(labels[np.isfinite(times.astype(np.float64))])
    channels = Channels(ids=tuple(str(label) or UNLABELED for label in found))
    # A label whose times are all unknown has no place among those found; its events are dropped.
    codes = np.searchsorted(found, labels)
    return coded_events(times, codes, channels, where=where, durations=durations)


def coded_events(
    times: Shaped[np.ndarray, " event"],
    codes: Int[np.ndarray, " event"],
    channels: Channels,
    *,
    where: str,
    durations: Float[np.ndarray, " event"] | None = None,
) -> Events:
    """Events of known channels, each sorted in time; a channel may have none.

    Events without a finite time are dropped, and unknown durations become 0; both are noted.

    Parameters
    ----------
    times, durations
        In s, in the file's order.
    codes
        Number of each event's channel, from 0.

    Raises
    ------
    DataError
        None of the times is finite.
    """
    times, notes = times.astype(np.float64), []
    order = np.flatnonzero(np.isfinite(times))
    if len(order) < len(times):
        notes.append(f"{len(times) - len(order)} events without a finite time were dropped")
    if not len(order):
        raise DataError(
            f"none of {len(times)} events has a finite time",
            where=where,
            fix="write the times again in s, or leave this object out",
        )
    if backward := _backward(times[order], codes[order]):
        notes.append(f"{backward} event times that ran backward were sorted")
    order = order[np.lexsort((times[order], codes[order]))]
    lasting, repairs = _durations(durations, order)
    return Events(
        times=times[order],
        offsets=_offsets(np.bincount(codes[order], minlength=len(channels))),
        channels=channels,
        observed=None,
        notes=(*notes, *repairs, *doubt_seconds(times[order])),
        durations=lasting,
    )


def _backward(times: np.ndarray, codes: np.ndarray) -> int:
    """Steps backward within a channel, in the file's order."""
    order = np.argsort(codes, kind="stable")
    return int(((np.diff(times[order]) < 0) & (np.diff(codes[order]) == 0)).sum())


def _offsets(counts: np.ndarray) -> Int[np.ndarray, " channels_plus_1"]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _durations(
    durations: np.ndarray | None, order: np.ndarray
) -> tuple[Float[np.ndarray, " event"] | None, tuple[str, ...]]:
    if durations is None:
        return None, ()
    kept = durations[order].astype(np.float64)
    unknown = ~(np.isfinite(kept) & (kept >= 0))
    if unknown.all():
        return None, ()
    n = int(unknown.sum())
    notes = (f"{n} events of unknown or negative duration: 0 s was used",) if n else ()
    return np.where(unknown, 0.0, kept), notes


def _refuse_wrong(times: np.ndarray, labels: np.ndarray, where: str) -> None:
    if times.dtype.kind not in "iuf" or times.ndim != 1 or labels.shape != times.shape:
        raise DataError(
            f"event times of type {times.dtype} and shape {times.shape} with labels of shape "
            f"{labels.shape}",
            where=where,
            fix="one time in s is needed for each event; write the object again",
        )
