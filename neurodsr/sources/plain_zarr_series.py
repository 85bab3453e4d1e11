"""Signals of a plain Zarr group: samples that stay in the folder, with their times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurodsr.data.lazy import lazy_pair
from neurodsr.data.streams import Series
from neurodsr.errors import DataError
from neurodsr.sources.clock_rules import (
    Clock,
    rated_clock,
    regular_clock,
    stamped_clock,
    two_clocks,
)
from neurodsr.sources.lazy import BLOCK_BYTES, Samples, finite
from neurodsr.sources.nwb_nodes import read_all
from neurodsr.sources.plain_zarr_members import PAGE, TIMES, Member, member_channels
from neurodsr.sources.tree import Dataset

EAGER_BYTES = 64 * 2**20
Block = Callable[[int, int], tuple[np.ndarray, np.ndarray]]


def load_member_series(
    member: Member, *, check: Callable[[], None], declared: Dataset | float | None = None
) -> Series:
    """The samples of a signal; from 64 MiB on they are read when sliced.

    Parameters
    ----------
    check
        Raises if the folder has changed; called after each read.
    declared
        The times, or the interval between samples, s, that the user declared.

    Raises
    ------
    DataError
        No numbers of shape (sample,) or (sample, channel), or no clock, or a wrong one.
    """
    data = signal_values(member)
    n = data.shape[1] if data.ndim == 2 else 1
    channels = member_channels(member, n)
    clock = member_clock(member, data.shape[0], declared=declared)
    samples = Samples(data, clock.rows, np.ones(n), 0.0, member.where, check)
    block = _blocks(samples, _flags(member, data, samples))
    invalid, values, valid = _load(block, samples.shape)
    if invalid == 1:
        raise DataError(
            "no sample is valid: all are NaN, infinite, or marked so by `valid`",
            where=member.where,
            fix="leave this stream out",
        )
    notes = (f"{invalid:.3%} of the values are not valid and were masked",) if invalid else ()
    return Series(
        values=values,
        valid=valid,
        times=clock.times,
        channels=channels,
        unit=member.text("unit"),
        notes=(*clock.notes, *notes),
    )


def signal_values(member: Member) -> Dataset:
    """The values of a signal if they can be a stream: numbers, (sample,) or (sample, channel)."""
    data = member.datasets.get("values")
    if data is None:
        raise DataError(
            f"holds {', '.join(member.datasets) or 'no array'}: neither values, nor times, nor "
            "starts and stops",
            where=member.where,
            fix=f"write values [sample, channel] with times [sample] or the attribute rate; {PAGE}",
        )
    if data.kind != "number" or data.ndim not in (1, 2) or 0 in data.shape:
        raise DataError(
            f"values of shape {data.shape}, type {data.dtype}, are no signal",
            where=member.where,
            fix="write numbers of shape (sample,) or (sample, channel), at least one",
        )
    return data


def member_clock(
    member: Member, n_samples: int, *, declared: Dataset | float | None = None
) -> Clock:
    """The times of a signal's samples: those it has, or else those that were declared.

    Raises
    ------
    DataError
        There is none, there are two, or it is wrong.
    """
    times, rate = member.datasets.get(TIMES), member.number("rate")
    start = member.number("start") or 0.0
    interval = declared if isinstance(declared, float) else None
    if times is not None and rate is not None:
        raise DataError(
            f"has two clocks: {TIMES}, and a rate of {rate:g} Hz",
            where=member.where,
            fix=f"remove one: the array {TIMES} or the attribute rate",
        )
    if (rate is not None or times is not None) and isinstance(declared, Dataset):
        raise two_clocks("a rate" if times is None else f"{TIMES} of its own", member.where)
    if rate is not None:
        if interval is not None:
            raise two_clocks(f"a rate of {rate:g} Hz", member.where)
        return rated_clock(start, rate, n_samples=n_samples, where=member.where)
    if interval is not None and times is None:
        return regular_clock(start, interval, n_samples)
    stamps = declared if isinstance(declared, Dataset) else times
    if stamps is None:
        raise DataError(
            "the samples have no time: there are no times and no rate",
            where=member.where,
            fix=f"write {TIMES} [sample] in s, or the attribute rate in Hz; or declare it with "
            "clock: {rate: HZ}",
        )
    where = f"{member.where}/{TIMES}"
    found = read_all(stamps, where)
    return stamped_clock(found, n_samples=n_samples, interval=interval, where=where)


def _flags(member: Member, data: Dataset, samples: Samples) -> Samples | None:
    """What `valid` says of each sample, or of each value."""
    found = member.datasets.get("valid")
    if found is None:
        return None
    if found.dtype.kind not in "biu" or found.shape not in (data.shape, data.shape[:1]):
        raise DataError(
            f"valid has shape {found.shape}, type {found.dtype}, for values of shape {data.shape}",
            where=f"{member.where}/valid",
            fix="write booleans, one a sample or one a value: numpy.isfinite(values)",
        )
    width = found.shape[1] if found.ndim == 2 else 1
    where = f"{member.where}/valid"
    return Samples(found, samples.rows, np.ones(width), 0.0, where, samples.check)


def _blocks(samples: Samples, flags: Samples | None) -> Block:
    def block(first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        values, valid = finite(samples.read(slice(first, stop)))
        if flags is None:
            return values, valid
        valid = valid & (flags.read(slice(first, stop)) != 0)
        return np.where(valid, values, 0.0), valid

    return block


def _load(block: Block, shape: tuple[int, int]) -> tuple[float, Any, Any]:
    """Fraction of values that are not valid, values, and validity; large ones stay lazy."""
    n_values = shape[0] * shape[1]
    if 8 * n_values < EAGER_BYTES:
        values, valid = block(0, shape[0])
        return 1 - valid.sum() / n_values, values, valid
    step = max(1, BLOCK_BYTES // (8 * shape[1]))
    good = sum(
        int(block(first, min(first + step, shape[0]))[1].sum())
        for first in range(0, shape[0], step)
    )
    return 1 - good / n_values, *lazy_pair(block, shape=shape, dtype=np.float64)
