"""NWB files on HDF5, opened with pynwb after the safety scan."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TypeVar

import h5py
from pynwb import NWBHDF5IO

from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.errors import DataError, nearest
from neurodsr.sources.base import SessionInfo, Source, StreamEntry
from neurodsr.sources.nwb_entries import RawKind, describe, raw_kind
from neurodsr.sources.nwb_nodes import Node, as_text, index_nodes, reading
from neurodsr.sources.nwb_series import load_series
from neurodsr.sources.nwb_tables import load_intervals
from neurodsr.sources.nwb_units import load_units
from neurodsr.sources.safety import scan_hdf5

Loaded = TypeVar("Loaded", Events, Series, Intervals)


class NwbSource(Source):
    """An opened NWB file; paths are HDF5 paths without a leading slash.

    Parameters
    ----------
    path
        The file. It is scanned before pynwb sees it, and never written to.

    Raises
    ------
    DataError
        The file is missing, damaged or not NWB 2, or pynwb cannot read it.
    IntegrityError
        Something in the file points outside of it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._stamp = _stamp(self.path)
        self.version = scan_hdf5(self.path)
        _register_filters()
        with reading(self.path), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self._file = h5py.File(self.path, "r", locking="best-effort")
            try:
                self._io = NWBHDF5IO(file=self._file, mode="r", load_namespaces=True)
                self._nwbfile = self._io.read()
                self._nodes = index_nodes(self._io.manager, self._nwbfile, self.path)
            except BaseException:
                self._file.close()
                raise
        # A set, since pynwb says the same of every object of an old schema.
        self._warnings = tuple(sorted({" ".join(str(w.message).split()) for w in caught}))
        self._check_unchanged()

    def session(self) -> SessionInfo:
        """Who and when: identifier, start, subject, species, and what pynwb warned of."""
        nwbfile, subject = self._nwbfile, self._nwbfile.subject
        with reading(self.path):
            return SessionInfo(
                identifier=as_text(nwbfile.identifier),
                started=nwbfile.session_start_time.isoformat(),
                subject=as_text(getattr(subject, "subject_id", None) or ""),
                species=as_text(getattr(subject, "species", None) or ""),
                warnings=self._warnings,
            )

    def list_streams(self) -> list[StreamEntry]:
        """Units, numeric series and interval tables, sorted by path, with their problems."""
        self._check_open()
        entries = [describe(node) for node in self._nodes.values() if raw_kind(node)]
        self._check_unchanged()
        return entries

    def events(self, path: str) -> Events:
        """The spike times of a units table."""
        return self._load(self._node(path, "events"), load_units)

    def series(self, path: str) -> Series:
        """A numeric time series in physical units; large ones stay in the file until sliced."""
        node = self._node(path, "series")
        return self._load(node, lambda n: load_series(n, check=self._check_unchanged))

    def intervals(self, path: str) -> Intervals:
        """A table of intervals; "intervals/trials/choice" gives the one column `choice` of it."""
        self._check_open()
        path = path.strip("/")
        parent, _, column = path.rpartition("/")
        table = self._nodes.get(parent)
        if path not in self._nodes and table is not None and raw_kind(table) == "intervals":
            return self._load(table, lambda n: load_intervals(n, column=column))
        return self._load(self._node(path, "intervals"), load_intervals)

    def close(self) -> None:
        """Release the file; lazy values cannot be read any more."""
        self._io.close()
        self._file.close()

    def _node(self, path: str, kind: RawKind) -> Node:
        self._check_open()
        path = path.strip("/")
        usable = {p for p, n in self._nodes.items() if raw_kind(n) is not None}
        if path not in self._nodes:
            raise DataError(
                f"{path!r} is not in the file: {nearest(path, usable)}",
                where=self.path,
                fix="`neurodsr inspect` lists what the file holds",
            )
        node, same = self._nodes[path], [p for p in usable if raw_kind(self._nodes[p]) == kind]
        if raw_kind(node) != kind:
            raise DataError(
                f"{path!r} is of type {node.types[0]}, which cannot be read as {kind}",
                where=self.path,
                fix=f"choose one of: {', '.join(sorted(same)) or 'the file has none'}",
            )
        return node

    def _load(self, node: Node, load: Callable[[Node], Loaded]) -> Loaded:
        loaded = load(node)
        self._check_unchanged()
        return loaded

    def _check_open(self) -> None:
        if not self._file:
            raise DataError(
                "the file was closed", where=self.path, fix="read inside `with open_source(...)`"
            )

    def _check_unchanged(self) -> None:
        if _stamp(self.path) != self._stamp:
            raise DataError(
                "the file was modified while it was being read",
                where=self.path,
                fix="wait until the program that writes it is done, then run again",
            )


def _stamp(path: str) -> tuple[int, ...] | None:
    """What changes when a file is written or replaced; None if it is gone."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _register_filters() -> None:
    """Let HDF5 decompress Blosc and the like where the optional hdf5plugin is installed."""
    if find_spec("hdf5plugin"):
        import_module("hdf5plugin")
