"""NWB files, on HDF5 and on Zarr, read as typed nodes of one tree."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, TypeVar

from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.errors import DataError, nearest
from neurodsr.sources.base import DeclaredClock, SessionInfo, Source, StreamEntry
from neurodsr.sources.nwb_entries import RawKind, describe, describe_all, modality_of, raw_kind
from neurodsr.sources.nwb_events import load_events, load_ragged_events
from neurodsr.sources.nwb_groups import group_series, is_one_per_channel, load_together
from neurodsr.sources.nwb_nodes import Node, index_nodes, reading
from neurodsr.sources.nwb_ogen import propose_inputs
from neurodsr.sources.nwb_open import open_nwb_tree
from neurodsr.sources.nwb_series import load_series
from neurodsr.sources.nwb_session import read_session
from neurodsr.sources.nwb_stimuli import is_index_series, load_index_series
from neurodsr.sources.nwb_tables import load_intervals, ragged_names
from neurodsr.sources.nwb_units import load_units
from neurodsr.sources.stamp import refuse_changed, stamp

INVALID = "intervals/invalid_times"
Loaded = TypeVar("Loaded", Events, Series, Intervals)


class NwbSource(Source):
    """An opened NWB file; paths are those in the file, without a leading slash.

    Parameters
    ----------
    path
        The file, or the folder of one on Zarr. It is checked before anything is read, and never
        written to.

    Raises
    ------
    DataError
        The file is missing, damaged or not NWB 2.
    IntegrityError
        Something in the file points outside of it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._stamp = stamp(self.path)
        self._tree = open_nwb_tree(self.path)
        self._open = True
        try:
            with reading(self.path):
                self._nodes = index_nodes(self._tree)
        except BaseException:
            self._tree.close()
            raise
        self._check_unchanged()

    def session(self) -> SessionInfo:
        """Who and when: identifier, start, subject, species, and what is unusual of the file."""
        self._check_open()
        with reading(self.path):
            return read_session(self._tree, self._nodes)

    def list_streams(self) -> list[StreamEntry]:
        """Units, events, numeric series and tables of intervals, with their problems, by path."""
        self._check_open()
        self._check_unchanged()
        with reading(self.path):
            return list(self._entries)

    def events(self, path: str) -> Events:
        """The spike times of a units table, other events, or a ragged column of times."""
        with reading(f"{self.path}:/{path}"):
            table, column = self._column(path)
            if table is not None and column in ragged_names(table):
                return self._checked(load_ragged_events(table, column))
            node = self._node(path, "events")
            if node.is_a("Units"):
                return self._checked(load_units(node))
            load = load_index_series if is_index_series(node) else load_events
            return self._checked(load(node))

    def series(self, path: str, *, clock: DeclaredClock | None = None) -> Series:
        """A numeric time series in physical units; large ones stay in the file until sliced.

        The path of a container gives the series in it as one, channel beside channel.
        """
        self._check_open()
        path = path.strip("/")
        with reading(f"{self.path}:/{path}"):
            members = [] if path in self._series else self._members.get(path, [])
            load = partial(
                load_series,
                check=self._check_unchanged,
                declared=clock,
                n_together=max(1, len(members)),
            )
            if members:
                return self._checked(load_together(members, path, self.path, load=load))
            return self._checked(load(self._node(path, "series")))

    def intervals(self, path: str) -> Intervals:
        """A table of intervals; "intervals/trials/choice" gives the one column `choice` of it."""
        with reading(f"{self.path}:/{path}"):
            table, column = self._column(path)
            if table is not None:
                return self._checked(load_intervals(table, column=column))
            return self._checked(load_intervals(self._node(path, "intervals")))

    def invalid(self) -> Intervals | None:
        """The stretches that the file declares invalid; None if it has no such table."""
        self._check_open()
        with reading(f"{self.path}:/{INVALID}"):
            return load_intervals(self._nodes[INVALID]) if INVALID in self._nodes else None

    def inputs(self) -> tuple[dict[str, Any], ...]:
        """Stimulation that the file tells of, as inputs that a configuration could have."""
        self._check_open()
        with reading(self.path):
            return propose_inputs(self._nodes)

    def close(self) -> None:
        """Release the file; lazy values cannot be read any more."""
        self._open = False
        self._tree.close()

    @cached_property
    def _kinds(self) -> dict[str, RawKind]:
        found = {}
        for path, node in self._nodes.items():
            with reading(node.where):
                kind = raw_kind(node)
            if kind is not None:
                found[path] = kind
        return found

    @cached_property
    def _series(self) -> frozenset[str]:
        return frozenset(path for path, kind in self._kinds.items() if kind == "series")

    @cached_property
    def _members(self) -> dict[str, list[Node]]:
        """The series of each container that holds some, by the container's path."""
        return group_series([self._nodes[path] for path in sorted(self._series)])

    @cached_property
    def _entries(self) -> list[StreamEntry]:
        alike = {c: m for c, m in self._members.items() if is_one_per_channel(m)}
        hidden = {node.path for members in alike.values() for node in members}
        shown = {self._nodes[p]: kind for p, kind in self._kinds.items() if p not in hidden}
        entries = list(describe_all(shown))
        entries += [self._together(c, members) for c, members in alike.items()]
        return sorted(entries, key=lambda entry: entry.path)

    def _together(self, path: str, members: list[Node]) -> StreamEntry:
        first = describe(members[0], "series")
        return replace(
            first,
            path=path,
            neurodata_type=f"{first.neurodata_type} x {len(members)}",
            n_channels=len(members),
            description=f"one series each: {members[0].path.rpartition('/')[2]} to "
            f"{members[-1].path.rpartition('/')[2]}",
            modality=modality_of(members[0]),
            channels=None,
        )

    def _column(self, path: str) -> tuple[Node | None, str]:
        """The table and the column that a path names, if it names one."""
        self._check_open()
        parent, _, column = path.strip("/").rpartition("/")
        inside = path.strip("/") not in self._nodes and self._kinds.get(parent) == "intervals"
        return (self._nodes[parent], column) if inside else (None, "")

    def _node(self, path: str, kind: RawKind) -> Node:
        self._check_open()
        path = path.strip("/")
        if path not in self._nodes:
            raise DataError(
                f"{path!r} is not in the file: {nearest(path, self._kinds)}",
                where=self.path,
                fix="`neurodsr inspect` lists what the file holds",
            )
        node = self._nodes[path]
        if self._kinds.get(path) != kind:
            same = sorted(p for p, k in self._kinds.items() if k == kind)
            raise DataError(
                f"{path!r} is of type {node.types[0]}, which cannot be read as {kind}",
                where=self.path,
                fix=f"choose one of: {', '.join(same) or 'the file has none'}",
            )
        return node

    def _checked(self, loaded: Loaded) -> Loaded:
        self._check_unchanged()
        return loaded

    def _check_open(self) -> None:
        if not self._open:
            raise DataError(
                "the file was closed", where=self.path, fix="read inside `with open_source(...)`"
            )

    def _check_unchanged(self) -> None:
        refuse_changed(self.path, self._stamp)
