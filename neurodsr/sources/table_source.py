"""Tables and arrays as a source: whatever file they came from, they are read the same way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.errors import DataError
from neurodsr.sources.base import DeclaredClock, SessionInfo, Source, StreamEntry
from neurodsr.sources.stamp import refuse_changed, stamp
from neurodsr.sources.table import Table
from neurodsr.sources.table_clock import find_clock
from neurodsr.sources.table_entries import kept_channels, list_entries, refuse_shape
from neurodsr.sources.table_values import load_values


class TableSource(Source):
    """An opened file of tables or arrays.

    Paths are the names of columns or arrays, "table" for all numeric columns together, and
    `NAME.T` or `NAME.trials` for arrays that are stored the other way round.

    Parameters
    ----------
    path
        The file or folder, for errors and as the session's name.
    table
        What it holds.
    release
        Called on closing.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        table: Table,
        *,
        release: Callable[[], None] | None = None,
    ) -> None:
        self.path = os.fspath(path)
        self._table, self._release = table, release
        self._stamp, self._closed = stamp(self.path), False

    def list_streams(self) -> list[StreamEntry]:
        """Tables, columns, arrays, events and intervals, with their problems."""
        self._check()
        return list_entries(self._table)

    def events(self, path: str) -> Events:
        """Spike times of the cells of an array or the rows of a table, or labeled events."""
        self._check()
        path = path.strip("/")
        if path not in self._table.events:
            raise self._table.missing(path, "events", self._table.events)
        return self._table.events[path]

    def series(self, path: str, *, clock: DeclaredClock | None = None) -> Series:
        """An array or column with its times, from the declared clock or a column of times.

        Above 64 MiB samples stay in the file and are read when sliced.

        Raises
        ------
        DataError
            There is no such array, it has no clock, or no number.
        """
        self._check()
        where = f"{self.path}:{path}"
        variable = self._table.find(path)
        refuse_shape(variable, where=where)
        found = find_clock(variable, self._table.stamps, clock, where=where)
        keep = kept_channels(variable, found)
        values, valid, notes = load_values(variable, keep, check=self._check, where=where)
        return Series(
            values=values,
            valid=valid,
            times=found.times,
            channels=Channels(ids=tuple(variable.ids[i] for i in keep)),
            unit="",
            notes=(*variable.notes, *found.notes, *notes),
            columns={name: np.asarray(v)[keep] for name, v in variable.columns.items()},
        )

    def intervals(self, path: str) -> Intervals:
        """A table of intervals; "intervals/NAME" gives the one column `NAME` of it."""
        self._check()
        path, known = path.strip("/"), self._table.intervals
        if path in known:
            return known[path]
        parent, _, column = path.partition("/")
        if parent not in known or column not in known[parent].columns:
            columns = (f"{name}/{c}" for name, rows in known.items() for c in rows.columns)
            raise self._table.missing(path, "intervals", dict.fromkeys([*known, *columns]))
        return known[parent]._replace(columns={column: known[parent].columns[column]})

    def session(self) -> SessionInfo:
        """The file's name without its suffix, and what is to be said of the file as a whole."""
        path = Path(self.path).resolve()
        name = path.name if path.is_dir() else path.stem
        return SessionInfo(identifier=name, warnings=self._table.warnings)

    def close(self) -> None:
        """Release the file; lazy values cannot be read any more."""
        if not self._closed and self._release is not None:
            self._release()
        self._closed = True

    def _check(self) -> None:
        if self._closed:
            raise DataError(
                "the file was closed", where=self.path, fix="read inside `with open_source(...)`"
            )
        refuse_changed(self.path, self._stamp)
