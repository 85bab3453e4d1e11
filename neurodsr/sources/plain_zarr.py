"""Zarr groups without NWB, for labs that write their own: the layout of docs/zarr_layout.md."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.errors import DataError, nearest
from neurodsr.sources.base import DeclaredClock, SessionInfo, Source, StreamEntry
from neurodsr.sources.clock_rules import describe_gaps, gaps
from neurodsr.sources.nwb_nodes import reading
from neurodsr.sources.plain_zarr_events import load_member_events, load_member_intervals
from neurodsr.sources.plain_zarr_members import Kind, Member, find_members, member_channels
from neurodsr.sources.plain_zarr_series import load_member_series, member_clock, signal_values
from neurodsr.sources.stamp import refuse_changed, stamp
from neurodsr.sources.tree import Dataset
from neurodsr.sources.zarr_open import open_zarr_tree

INVALID = "invalid_times"


class PlainZarrSource(Source):
    """An opened Zarr folder of format 2 or 3; paths are the names of its members.

    Parameters
    ----------
    path
        The folder. It is checked before anything is read, and never written to.

    Raises
    ------
    DataError
        It is no Zarr group, is damaged, or declares more than it stores.
    IntegrityError
        Something in it points outside of it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._stamp, self._open = stamp(self.path), True
        self._tree = open_zarr_tree(self.path)
        with reading(self.path):
            self._members = find_members(self._tree)
        self._check()

    def list_streams(self) -> list[StreamEntry]:
        """Member groups and bare arrays, with their problems."""
        self._check()
        return [_describe(member) for member in self._members.values()]

    def events(self, path: str) -> Events:
        """The events of a member, a channel each."""
        member = self._member(path, "events")
        with reading(member.where):
            return load_member_events(member)

    def series(self, path: str, *, clock: DeclaredClock | None = None) -> Series:
        """A signal with its times; large ones stay in the folder until sliced.

        A declared `times` names an array of the folder, by its path.
        """
        member = self._member(path, "series")
        with reading(member.where):
            declared = self._declared(clock, member)
            return load_member_series(member, check=self._check, declared=declared)

    def intervals(self, path: str) -> Intervals:
        """A table of intervals; "NAME/COLUMN" gives the one column of it."""
        name, _, column = path.strip("/").partition("/")
        member = self._member(name, "intervals")
        with reading(member.where):
            table = load_member_intervals(member)
        if not column:
            return table
        if column not in table.columns:
            raise DataError(
                f"there is no column {column!r}: {nearest(column, table.columns)}",
                where=member.where,
                fix="`neurodsr inspect` lists what the folder holds",
            )
        return table._replace(columns={column: table.columns[column]})

    def invalid(self) -> Intervals | None:
        """The stretches in the table `invalid_times`; None if there is no such table."""
        self._check()
        return self.intervals(INVALID) if INVALID in self._members else None

    def session(self) -> SessionInfo:
        """What the root's attributes say of it; the identifier is the folder's name otherwise."""
        self._check()
        said = {
            name: str(self._tree.root.attributes.get(name, ""))
            for name in ("identifier", "started", "subject", "species")
        }
        said["identifier"] = said["identifier"] or Path(self.path).resolve().name
        return SessionInfo(**said)

    def close(self) -> None:
        """Release the folder; lazy values cannot be read any more."""
        self._open = False
        self._tree.close()

    def _declared(self, clock: DeclaredClock | None, member: Member) -> Dataset | float | None:
        if clock is None or clock.times is None:
            return None if clock is None else clock.interval
        try:
            found = self._tree.get(clock.times)
        except KeyError:
            found = None
        if not isinstance(found, Dataset):
            raise DataError(
                f"clock.times names {clock.times!r}, which is no array of the folder",
                where=member.where,
                fix="give the path of an array such as camera/times, or clock: {rate: HZ}",
            )
        return found

    def _member(self, path: str, kind: Kind) -> Member:
        self._check()
        path = path.strip("/")
        if path not in self._members:
            raise DataError(
                f"{path!r} is not in the folder: {nearest(path, self._members)}",
                where=self.path,
                fix="`neurodsr inspect` lists what the folder holds",
            )
        member = self._members[path]
        if member.kind != kind:
            same = [p for p, m in self._members.items() if m.kind == kind]
            raise DataError(
                f"{path!r} holds {member.kind}, which cannot be read as {kind}",
                where=self.path,
                fix=f"choose one of: {', '.join(same) or 'the folder has none'}",
            )
        return member

    def _check(self) -> None:
        if not self._open:
            raise DataError(
                "the folder was closed", where=self.path, fix="read inside `with open_source(...)`"
            )
        refuse_changed(self.path, self._stamp)


def _describe(member: Member) -> StreamEntry:
    """One line of the listing; what is wrong becomes a graded problem instead of an error."""
    describe = {"events": _events, "series": _series, "intervals": _intervals}[member.kind]
    try:
        with reading(member.where):
            return describe(member)
    except DataError as error:
        data = member.datasets.get("values")
        usable = data is not None and data.kind == "number" and data.ndim in (1, 2)
        return _entry(
            member,
            n_channels=(data.shape[1] if data.ndim == 2 else 1) if usable else 0,
            n_samples=data.shape[0] if usable else 0,
            problems=(f"error: {error.what}; fix: {error.fix}",),
        )


def _events(member: Member) -> StreamEntry:
    events = load_member_events(member)
    return _entry(
        member,
        n_channels=len(events.channels),
        n_samples=len(events.times),
        span=(float(events.times.min()), float(events.times.max())),
        unit="count",
        channels=events.channels,
        problems=tuple(f"warning: {note}" for note in events.notes),
    )


def _series(member: Member) -> StreamEntry:
    data = signal_values(member)
    n = data.shape[1] if data.ndim == 2 else 1
    channels, clock = member_channels(member, n), member_clock(member, data.shape[0])
    found = gaps(clock)
    problems = [*clock.notes, *filter(None, [describe_gaps(found)])]
    if n > data.shape[0] > 1:
        problems.append(f"shape {data.shape}: more channels than samples; may be transposed")
    return _entry(
        member,
        n_channels=n,
        n_samples=data.shape[0],
        span=(float(clock.times[0]), float(clock.times[-1])),
        rate=clock.rate,
        channels=channels,
        problems=tuple(f"warning: {problem}" for problem in problems),
        gaps=found,
    )


def _intervals(member: Member) -> StreamEntry:
    table = load_member_intervals(member)
    return _entry(
        member,
        n_channels=len(table.columns),
        n_samples=len(table.starts),
        span=(float(table.starts.min()), float(np.nanmax([*table.stops, table.starts.max()]))),
        columns=tuple(table.columns),
    )


def _entry(
    member: Member,
    *,
    n_channels: int,
    n_samples: int,
    problems: tuple[str, ...] = (),
    span: tuple[float, float] = (math.nan, math.nan),
    rate: float = 0.0,
    unit: str = "",
    channels: Channels | None = None,
    columns: tuple[str, ...] = (),
    gaps: tuple[tuple[float, float], ...] = (),
) -> StreamEntry:
    return StreamEntry(
        path=member.path,
        kind=member.kind,
        neurodata_type="zarr",
        n_channels=n_channels,
        n_samples=n_samples,
        start=span[0],
        stop=span[1],
        rate=rate,
        unit=unit or member.text("unit"),
        description=member.text("description"),
        regions=() if channels is None else tuple(sorted(set(channels.regions) - {""})),
        columns=columns,
        problems=problems,
        modality=member.text("modality"),
        gaps=gaps,
        channels=channels,
    )
