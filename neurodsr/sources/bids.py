"""A BIDS folder: every BOLD run in it, each with its own clock, parcels, confounds and events."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.errors import DataError, nearest
from neurodsr.sources.base import DeclaredClock, SessionInfo, Source, StreamEntry
from neurodsr.sources.bids_files import IMAGES, ROOT_FILE, parse_name, read_json
from neurodsr.sources.nifti import BOLD, NiftiSource

# Where runs lie, seen from a dataset, a subject, a session or a folder of runs.
PLACES = ("sub-*/func", "sub-*/ses-*/func", "ses-*/func", "func", ".")


class BidsSource(Source):
    """An opened BIDS dataset, or the folder of one subject, session or its functional runs.

    A run is named by its path below the folder, without extension: "sub-01/func/NAME_bold". What
    it holds follows: "sub-01/func/NAME_bold@LABELS.nii.gz", "sub-01/func/NAME_bold/confounds",
    "sub-01/func/NAME_bold/events". Every run's time begins at its own first volume.

    Parameters
    ----------
    path
        The folder; derivatives in it are datasets of their own.

    Raises
    ------
    DataError
        There is no BOLD run in the folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._files = find_runs(self.path)
        if not self._files:
            raise DataError(
                "a BIDS folder without a BOLD run (*_bold.nii or *_bold.nii.gz)",
                where=self.path,
                fix="give the dataset, or a sub-*, ses-* or func folder of it, or one 4-D image",
            )
        self._runs: dict[str, NiftiSource] = {}
        self._closed = False

    def session(self) -> SessionInfo:
        """The dataset's name, and the subject if all runs are of one."""
        folder = Path(os.path.abspath(self.path))
        said: object = ""
        with suppress(DataError):  # a description that cannot be read names nothing
            said = read_json(folder / ROOT_FILE).get("Name")
        names = [parse_name(file.name) for file in self._files.values()]
        subjects = {name.entities.get("sub", "") for name in names}
        return SessionInfo(
            identifier=said if isinstance(said, str) and said else folder.name,
            subject=subjects.pop() if len(subjects) == 1 else "",
        )

    def list_streams(self) -> list[StreamEntry]:
        """The streams of every run; one that cannot be opened is listed with its problem."""
        return [entry for key in self._files for entry in self._entries(key)]

    def series(self, path: str, *, clock: DeclaredClock | None = None) -> Series:
        """Parcels or confounds of a run."""
        run, inner = self._find(path)
        return run.series(inner, clock=clock)

    def events(self, path: str) -> Events:
        """The events of a run, one channel a trial type."""
        run, inner = self._find(path)
        return run.events(inner)

    def intervals(self, path: str) -> Intervals:
        """The events of a run from onset to end, with all their columns or one of them."""
        run, inner = self._find(path)
        return run.intervals(inner)

    def close(self) -> None:
        """Close every run that was opened."""
        for run in self._runs.values():
            run.close()
        self._closed = True

    def _entries(self, key: str) -> Iterator[StreamEntry]:
        try:
            entries = self._open(key).list_streams()
        except DataError as error:
            problems = (f"error: {error.what}; fix: {error.fix}",)
            nothing = (0, 0, math.nan, math.nan, 0.0, "", "")
            yield StreamEntry(key, "series", "BOLD", *nothing, problems=problems, modality="fmri")
            return
        for entry in entries:
            yield replace(entry, path=_outer(key, entry.path))

    def _find(self, path: str) -> tuple[NiftiSource, str]:
        """The run that a path begins with, and the path within it."""
        path = path.strip("/").removeprefix("intervals/")
        # The longest first: the key of one run may begin with that of another.
        for key in sorted(self._files, key=len, reverse=True):
            rest = path.removeprefix(key)
            if path.startswith(key) and rest[:1] in ("", "@", "/"):
                return self._open(key), rest[1:] if rest[:1] == "/" else BOLD + rest
        raise DataError(
            f"{path!r} is no run of this folder: {nearest(path, self._files)}",
            where=self.path,
            fix="`neurodsr inspect` lists the runs and what they hold",
        )

    def _open(self, key: str) -> NiftiSource:
        if self._closed:
            raise DataError(
                "the folder was closed", where=self.path, fix="read inside `with open_source(...)`"
            )
        if key not in self._runs:
            self._runs[key] = NiftiSource(self._files[key])
        return self._runs[key]


def is_bids_folder(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a folder with dataset_description.json, or one that holds BOLD runs."""
    folder = Path(path)
    return folder.is_dir() and ((folder / ROOT_FILE).is_file() or bool(find_runs(path)))


def find_runs(path: str | os.PathLike[str]) -> dict[str, Path]:
    """The BOLD runs of a folder by their path in it, without extension unless that is needed."""
    folder = Path(path)
    files = sorted(
        file
        for place in PLACES
        for file in folder.glob(f"{place}/*_bold.nii*")
        if parse_name(file.name).extension in IMAGES
    )
    stems = [
        (file.relative_to(folder).parent / parse_name(file.name).stem).as_posix() for file in files
    ]
    return {
        stem if stems.count(stem) == 1 else file.relative_to(folder).as_posix(): file
        for stem, file in zip(stems, files, strict=True)
    }


def _outer(key: str, inner: str) -> str:
    """The path in the folder of what a run calls bold, bold@LABELS, confounds or events."""
    return key + inner.removeprefix(BOLD) if inner.startswith(BOLD) else f"{key}/{inner}"
