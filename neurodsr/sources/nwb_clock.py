"""The clock of an NWB time series, from its timestamps or from start and rate."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from neurodsr.errors import DataError
from neurodsr.sources.base import DeclaredClock
from neurodsr.sources.clock_rules import (
    Clock,
    rated_clock,
    regular_clock,
    stamped_clock,
    two_clocks,
)
from neurodsr.sources.nwb_nodes import Node, read_all, reading

MAX_COMPARED = 2**24
"""Timestamps up to which those of several series are compared one by one."""


def read_clock(node: Node, *, n_samples: int, declared: DeclaredClock | None = None) -> Clock:
    """The times of a series' samples, from its timestamps or from start and rate.

    Timestamps that are NaN are dropped, up to 1 % of samples out of order are sorted, and all
    but the first of equal times are dropped; each repair is noted.

    Parameters
    ----------
    declared
        The interval of the samples, where the timestamps count frames or there is no clock.

    Raises
    ------
    DataError
        No clock, a wrong rate, another number of timestamps than of samples, frame numbers
        instead of times, more than 1 % out of order (two clocks, or a clock that was reset),
        timestamps and a rate that differ by more than a sample, or a declared interval although
        the file has a clock.
    """
    interval = _declared_interval(declared, node.where)
    start, rate = _start_and_rate(node)
    if (stamps := node.dataset("timestamps")) is not None:
        where = f"{node.where}/timestamps"
        found = read_all(stamps, where)
        clock = stamped_clock(found, n_samples=n_samples, interval=interval, where=where)
        return clock if rate is None else _beside_rate(clock, start, rate, where=node.where)
    if rate is None and interval is not None:
        return regular_clock(start, interval, n_samples)
    if rate is None:
        raise DataError(
            "neither timestamps nor a rate: the samples have no time",
            where=node.where,
            fix="declare it with clock: {rate: <samples per s>}, or write the series again with "
            "starting_time and rate, or with timestamps",
        )
    if interval is not None:
        raise two_clocks(f"a rate of {rate:g} Hz", node.where)
    return rated_clock(start, rate, n_samples=n_samples, where=node.where)


def _beside_rate(clock: Clock, start: float, rate: float, *, where: str) -> Clock:
    """The clock of timestamps beside a start and a rate, which must agree to within a sample."""
    rows = np.arange(len(clock.times)) if clock.rows is None else clock.rows
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = float(np.abs(np.asarray(clock.times) - (start + rows / rate)).max() * rate)
    # A rate of 0 gives no number, which no comparison lets pass.
    if not apart <= 1:
        raise DataError(
            f"timestamps and a start of {start:g} s with a rate of {rate:g} Hz differ by up to "
            f"{apart:.3g} samples",
            where=where,
            fix="remove the wrong one of timestamps and starting_time from the file",
        )
    note = f"the series has timestamps and a rate of {rate:g} Hz, which agree; the rate was ignored"
    return clock._replace(notes=(*clock.notes, note))


def _declared_interval(declared: DeclaredClock | None, where: str) -> float | None:
    if declared is not None and declared.times is not None:
        raise DataError(
            f"clock.times names {declared.times!r}, but an NWB series has its times beside it",
            where=where,
            fix="remove clock.times; clock.rate or clock.interval stand in where times are missing",
        )
    return None if declared is None else declared.interval


def n_stamps(node: Node) -> int:
    """Timestamps that a series holds; 0 where it has a rate."""
    data = node.dataset("timestamps")
    return 0 if data is None else math.prod(data.shape)


def first_and_last(node: Node, *, n_samples: int) -> Clock:
    """The first and the last of very many timestamps, for a listing that cannot read them all.

    Raises
    ------
    DataError
        Another number of timestamps than of samples, or these two are wrong.
    """
    data, where = node.dataset("timestamps"), f"{node.where}/timestamps"
    if data is None or data.shape != (n_samples,) or n_samples < 2:
        return read_clock(node, n_samples=n_samples)
    with reading(where):
        ends = np.concatenate([data[:1], data[-1:]])
    clock = stamped_clock(ends, n_samples=2, interval=None, where=where)
    note = f"only the first and last of {n_samples} timestamps were looked at"
    return clock._replace(rate=0.0, notes=(*clock.notes, note))


def same_clock(nodes: Sequence[Node]) -> bool:
    """Whether series of one length surely have the same times: by link, by rate or by content.

    Where the timestamps are stored for each series and are too many to compare, the answer is no.
    """
    stamps = [node.dataset("timestamps") for node in nodes]
    if all(data is None for data in stamps):
        return len({_start_and_rate(node) for node in nodes}) == 1
    if any(data is None or data.kind != "number" for data in stamps):
        return False
    apart = list({data.path: data for data in stamps}.values())
    if sum(math.prod(data.shape) for data in apart) > MAX_COMPARED:
        return len(apart) == 1
    first = read_all(apart[0], nodes[0].where)
    return all(np.array_equal(read_all(d, d.path), first, equal_nan=True) for d in apart[1:])


def _start_and_rate(node: Node) -> tuple[float, float | None]:
    with reading(node.where):
        starting = node.dataset("starting_time")
        if starting is None:
            return 0.0, None
        rate = starting.attributes.get("rate")
        return float(np.ravel(starting[()])[0]), None if rate is None else float(rate)
