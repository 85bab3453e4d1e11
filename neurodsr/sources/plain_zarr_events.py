"""Events and tables of intervals of a plain Zarr group."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from neurodsr.data.streams import Events, Intervals
from neurodsr.errors import DataError
from neurodsr.sources.event_channels import coded_events
from neurodsr.sources.nwb_nodes import read_all
from neurodsr.sources.plain_zarr_members import PAGE, TIMES, Member, member_channels
from neurodsr.sources.tree import Dataset

BOUNDS = ("starts", "stops")


def load_member_events(member: Member) -> Events:
    """Points in time of many channels; a channel without any is kept, since silence is data.

    Raises
    ------
    DataError
        Channels that cannot be told, counts that do not fit, or stretches that are none.
    """
    times = _numbers(member, TIMES)
    codes, n_channels = _codes(member, len(times))
    durations = _numbers(member, "durations") if "durations" in member.datasets else None
    if durations is not None and len(durations) != len(times):
        raise _unequal(member, "durations", len(durations), len(times))
    events = coded_events(
        times,
        codes,
        member_channels(member, n_channels),
        where=f"{member.where}/{TIMES}",
        durations=durations,
    )
    observed = _observed(member)
    return events if observed is None else events._replace(observed=(observed,) * n_channels)


def load_member_intervals(member: Member) -> Intervals:
    """A table of stretches of time; further arrays of one entry a row are its columns.

    Raises
    ------
    DataError
        Columns of unequal length, a start that is no finite number, or a stop before its start.
    """
    starts, stops = (_numbers(member, name).astype(np.float64) for name in BOUNDS)
    if len(stops) != len(starts):
        raise _unequal(member, "stops", len(stops), len(starts))
    if not len(starts) or not np.isfinite(starts).all():
        raise DataError(
            f"{int((~np.isfinite(starts)).sum())} of {len(starts)} starts are no finite numbers",
            where=f"{member.where}/starts",
            fix="write at least one row, each with its start in s",
        )
    # An unknown stop (NaN) is no error: such a row promises nothing.
    if np.any(backward := stops < starts):
        row = int(np.argmax(backward))
        raise DataError(
            f"row {row} stops at {stops[row]:g} s, before its start at {starts[row]:g} s",
            where=member.where,
            fix="write starts and stops in s on one clock",
        )
    names = [name for name in member.datasets if name not in BOUNDS]
    return Intervals(starts, stops, {n: _column(member, n, len(starts)) for n in names})


def _column(member: Member, name: str, n_rows: int) -> np.ndarray:
    data, where = member.datasets[name], f"{member.where}/{name}"
    if data.kind not in ("number", "text") or data.shape != (n_rows,):
        raise DataError(
            f"a column of shape {data.shape}, type {data.dtype}, in a table of {n_rows} rows",
            where=where,
            fix="write one number or text a row, or move the array out of this group",
        )
    return read_all(data, where)


def _codes(member: Member, n_events: int) -> tuple[Int[np.ndarray, " event"], int]:
    """Channel of each event, and how many channels there are."""
    given = [name for name in ("offsets", "channels") if name in member.datasets]
    if len(given) != 1:
        raise DataError(
            f"has {' and '.join(given) or 'neither offsets nor channels'}: "
            "the channel of an event cannot be told",
            where=member.where,
            fix=f"write offsets [channel + 1], or channels [event]: one of them; {PAGE}",
        )
    found, where = _numbers(member, given[0]), f"{member.where}/{given[0]}"
    if found.dtype.kind not in "iu":
        raise DataError(f"type {found.dtype}", where=where, fix="write whole numbers")
    found = found.astype(np.int64)
    if given == ["channels"]:
        return found, _count_channels(member, found, n_events)
    if len(found) < 2 or found[0] or np.any(np.diff(found) < 0) or found[-1] != n_events:
        raise DataError(
            f"offsets {found[:3].tolist()} ... {found[-3:].tolist()} for {n_events} events",
            where=where,
            fix="write 0, then where each channel ends: numpy.cumsum([0, *counts])",
        )
    return np.repeat(np.arange(len(found) - 1), np.diff(found)), len(found) - 1


def _count_channels(member: Member, codes: Int[np.ndarray, " event"], n_events: int) -> int:
    if len(codes) != n_events:
        raise _unequal(member, "channels", len(codes), n_events)
    named = member.attributes.get("channel_ids")
    n = int(codes.max(initial=-1)) + 1 if named is None else int(np.size(named))
    if n_events and (codes.min() < 0 or codes.max() >= n or n > max(n_events, np.size(named))):
        raise DataError(
            f"codes from {codes.min()} to {codes.max()} for {n} channels",
            where=f"{member.where}/channels",
            fix="write the number of each event's channel, from 0, and a name for each in the "
            "attribute channel_ids",
        )
    return n


def _observed(member: Member) -> Float[np.ndarray, "interval 2"] | None:
    found = member.datasets.get("observed")
    if found is None:
        return None
    stretches = _array(found, f"{member.where}/observed").astype(np.float64)
    right = stretches.ndim == 2 and stretches.shape[1:] == (2,) and np.isfinite(stretches).all()
    if not right or np.any(np.diff(stretches.ravel()) < 0):
        raise DataError(
            f"observed of shape {stretches.shape} holds no stretches in order of time",
            where=f"{member.where}/observed",
            fix="write start and stop in s of each stretch, shape (interval, 2), none overlapping",
        )
    return stretches


def _numbers(member: Member, name: str) -> np.ndarray:
    """An array of the member that must be numbers along one axis."""
    data, where = member.datasets[name], f"{member.where}/{name}"
    found = _array(data, where)
    if found.ndim != 1:
        raise DataError(f"shape {found.shape}", where=where, fix="write it along one axis")
    return found


def _array(data: Dataset, where: str) -> np.ndarray:
    if data.kind != "number":
        raise DataError(
            f"type {data.dtype} where numbers are needed", where=where, fix="write numbers"
        )
    return read_all(data, where)


def _unequal(member: Member, name: str, n: int, wanted: int) -> DataError:
    return DataError(
        f"{n} entries where {wanted} are needed",
        where=f"{member.where}/{name}",
        fix=f"write {wanted} entries, or remove the array",
    )
