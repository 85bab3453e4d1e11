"""One fMRI run: a 4-D NIfTI image with what BIDS puts beside it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.errors import DataError, nearest
from neurodsr.sources.base import DeclaredClock, SessionInfo, Source, StreamEntry
from neurodsr.sources.bids_files import (
    dataset_root,
    find_confounds,
    find_events,
    find_label_images,
    parse_name,
    read_sidecar,
)
from neurodsr.sources.bids_tables import load_confounds, load_events_table, load_trial_types
from neurodsr.sources.nifti_header import read_header
from neurodsr.sources.nifti_volumes import check_stored
from neurodsr.sources.parcels import MAX_VOXELS, Parcels, average, read_parcels, varying_voxels
from neurodsr.sources.volume_clock import VolumeClock, read_volume_clock

BOLD, EVERY_VOXEL, CONFOUNDS, EVENTS = "bold", "bold@all", "confounds", "events"
PARCELLATE = "average the voxels within parcels: path: bold@LABELS.nii.gz"


class NiftiSource(Source):
    """An opened fMRI run; time 0 is the start of its first volume.

    Paths: "bold@LABELS.nii.gz" is the mean of each parcel of a label image (relative to the run's
    folder, or to the root of its dataset), "bold@all" every voxel of a small image, "confounds"
    and "events" the tables that BIDS puts beside the run.

    Parameters
    ----------
    path
        A 4-D NIfTI file, plain or gzip. Only its header is read on opening.

    Raises
    ------
    DataError
        Missing, damaged, truncated, not NIfTI or not 4-D, or its sidecar is no JSON object.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._header = read_header(self.path)
        if len(self._header.shape) != 4:
            raise DataError(
                f"an image of shape {self._header.shape}, not of x, y, z and time",
                where=self.path,
                fix="give the 4-D run; a label image is named in a stream's path, as in "
                "bold@LABELS.nii.gz",
            )
        self._notes = (*self._header.notes, *check_stored(self._header))
        self._sidecar = read_sidecar(self.path)
        self._name = parse_name(os.path.basename(self.path))
        self._averages: dict[str, Series] = {}
        self._closed = False

    def session(self) -> SessionInfo:
        """Who the run is of, by the entities of its name."""
        return SessionInfo(identifier=self._name.stem, subject=self._name.entities.get("sub", ""))

    def list_streams(self) -> list[StreamEntry]:
        """The voxels, what they can be averaged into, and the tables beside them."""
        self._check_open()
        images = [f"{BOLD}@{file.name}" for file in find_label_images(self.path)]
        small = [EVERY_VOXEL] if self._header.n_voxels <= MAX_VOXELS else []
        entries = [self._listed(BOLD, self._timed)]
        entries += [self._listed(p, self._describe_parcels) for p in (*images, *small)]
        if find_confounds(self.path):
            entries.append(self._listed(CONFOUNDS, self._describe_confounds))
        if find_events(self.path):
            entries.append(self._listed(EVENTS, self._describe_events))
        return entries

    def series(self, path: str, *, clock: DeclaredClock | None = None) -> Series:
        """Parcels of the run, averaged on first use and kept, or its confounds."""
        self._check_open()
        path = path.rstrip("/")
        if path == BOLD:
            raise DataError(
                f"{self._header.n_voxels} voxels are too many channels",
                where=f"{self.path}:/{path}",
                fix=PARCELLATE,
            )
        if path != CONFOUNDS and not path.startswith(f"{BOLD}@"):
            raise self._unknown(path, "series")
        found = read_volume_clock(self._header, self._sidecar, declared=clock)
        if path == CONFOUNDS:
            table = self._beside(find_confounds, "confounds")
            series = load_confounds(table, found.times, rows=self._header.n_volumes)
            return series._replace(notes=(*found.notes, *series.notes))
        averaged = self._average(path)
        notes = (*self._notes, *found.notes, *averaged.notes)
        return averaged._replace(times=found.times, notes=notes)

    def events(self, path: str) -> Events:
        """The events of the run, one channel a trial type."""
        self._check_open()
        if path.strip("/") != EVENTS:
            raise self._unknown(path, "events")
        return load_trial_types(self._beside(find_events, "events"))

    def intervals(self, path: str) -> Intervals:
        """The events from onset to end; "events/trial_type" gives the one column trial_type."""
        self._check_open()
        table, _, column = path.strip("/").removeprefix("intervals/").partition("/")
        if table != EVENTS:
            raise self._unknown(path, "intervals")
        return load_events_table(self._beside(find_events, "events"), column=column or None)

    def close(self) -> None:
        """Forget what was averaged; no file is held open."""
        self._averages.clear()
        self._closed = True

    def _average(self, path: str) -> Series:
        """The parcels without their times, in one pass over the file at first use."""
        if path not in self._averages:
            parcels = self._parcels(path)
            values, valid, notes = average(self._header, parcels)
            self._averages[path] = Series(
                values=values,
                valid=valid,
                times=np.arange(len(values), dtype=np.float64),
                channels=parcels.channels,
                unit=_text(self._sidecar.get("Units")),
                notes=(*parcels.notes, *notes),
            )
        return self._averages[path]

    def _parcels(self, path: str) -> Parcels:
        space = self._name.entities.get("space") or self._header.space
        if path == EVERY_VOXEL:
            return varying_voxels(self._header, space=space)
        return read_parcels(self._label_image(path.partition("@")[2]), self._header, space=space)

    def _label_image(self, name: str) -> str:
        folder = Path(self.path).parent
        root = dataset_root(Path(os.path.abspath(folder)))
        for place in filter(None, (folder, root)):
            if name and (place / name).exists():
                return os.fspath(place / name)
        found = ", ".join(f.name for f in find_label_images(self.path)) or "none is beside the run"
        raise DataError(
            f"there is no label image {name!r}; found: {found}",
            where=self.path,
            fix="give its path relative to the run's folder or to the root of the dataset",
        )

    def _beside(self, find: Callable[[str], Path | None], what: str) -> Path:
        table = find(self.path)
        if table is None:
            raise DataError(
                f"there is no table of {what} beside the run",
                where=self.path,
                fix=f"name it as BIDS does, such as {self._name.stem.rpartition('_')[0]}"
                f"{'_desc-confounds_timeseries' if what == CONFOUNDS else '_events'}.tsv",
            )
        return table

    def _listed(self, path: str, describe: Callable[[StreamEntry], StreamEntry]) -> StreamEntry:
        """One line of the listing; what is wrong becomes a problem instead of an error."""
        entry = self._blank(path)
        try:
            return describe(entry)
        except DataError as error:
            problem = f"error: {error.what}; fix: {error.fix}"
            return replace(entry, problems=(*entry.problems, problem))

    def _blank(self, path: str) -> StreamEntry:
        """What is known of a stream before anything but the header is looked at."""
        image = path.startswith(BOLD)
        voxels = f"error: voxels are no stream; fix: {PARCELLATE}"
        return StreamEntry(
            path=path,
            kind="intervals" if path == EVENTS else "series",
            neurodata_type="BOLD" if image else "table",
            n_channels=self._header.n_voxels if path == BOLD else 0,
            n_samples=self._header.n_volumes if image else 0,
            start=math.nan,
            stop=math.nan,
            rate=0.0,
            unit=_text(self._sidecar.get("Units")) if image else "",
            description=_text(self._sidecar.get("TaskName")) if image else path,
            problems=(voxels,) if path == BOLD else (),
            modality="fmri" if image else "",
        )

    def _describe_parcels(self, entry: StreamEntry) -> StreamEntry:
        every = entry.path == EVERY_VOXEL
        channels = (self._average if every else self._parcels)(entry.path).channels
        regions = tuple(sorted(set(channels.regions) - {""}))
        return replace(self._timed(entry), n_channels=len(channels), regions=regions)

    def _timed(self, entry: StreamEntry) -> StreamEntry:
        clock = read_volume_clock(self._header, self._sidecar)
        warnings = tuple(f"warning: {note}" for note in self._notes)
        return replace(_on_clock(entry, clock), problems=(*entry.problems, *warnings))

    def _describe_confounds(self, entry: StreamEntry) -> StreamEntry:
        clock = read_volume_clock(self._header, self._sidecar)
        table = self._beside(find_confounds, "confounds")
        series = load_confounds(table, clock.times, rows=self._header.n_volumes)
        return replace(
            _on_clock(entry, clock),
            n_channels=len(series.channels),
            problems=tuple(f"warning: {note}" for note in series.notes),
        )

    def _describe_events(self, entry: StreamEntry) -> StreamEntry:
        table = self.intervals(EVENTS)
        ends = np.where(np.isfinite(table.stops), table.stops, table.starts)
        return replace(
            entry,
            n_channels=len(table.columns),
            n_samples=len(table.starts),
            start=float(table.starts.min()),
            stop=float(ends.max()),
            columns=tuple(table.columns),
        )

    def _unknown(self, path: str, kind: str) -> DataError:
        known = {e.path for e in self.list_streams()}
        return DataError(
            f"{path!r} is no {kind} of this run: {nearest(path, known)}",
            where=self.path,
            fix=f"choose one of: {', '.join(sorted(known))}",
        )

    def _check_open(self) -> None:
        if self._closed:
            raise DataError(
                "the file was closed", where=self.path, fix="read inside `with open_source(...)`"
            )


def _on_clock(entry: StreamEntry, clock: VolumeClock) -> StreamEntry:
    return replace(
        entry,
        n_samples=len(clock.times),
        start=float(clock.times[0]),
        stop=float(clock.times[-1]),
        rate=clock.rate,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
