"""The output folder of suite2p: fluorescence of the ROIs of each plane, never unpickled."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from neurodsr.errors import DataError
from neurodsr.sources.mat_source import read_scalars
from neurodsr.sources.npy_source import npy_rows
from neurodsr.sources.table import Rows, Table, Unreadable, Variable
from neurodsr.sources.table_source import TableSource

TRACES = ("F", "Fneu", "spks")
"""Fluorescence, that of the neuropil around, and the deconvolved trace."""
CELLS = "iscell.npy"
_PLANE = re.compile(r"plane(\d+)")


def open_suite2p(path: str | os.PathLike[str]) -> TableSource:
    """The traces of each plane as [time, ROI], with suite2p's judgment of each ROI as columns.

    `ops.npy` and `stat.npy` are Python objects and never read; the frame rate is taken from
    `Fall.mat` where suite2p was asked to write one, else it is declared.

    Raises
    ------
    DataError
        There is no plane in the folder.
    """
    where = os.fspath(path)
    planes = find_planes(where)
    if not planes:
        raise DataError(
            "no suite2p output: neither F.npy nor a folder plane0 with it",
            where=where,
            fix="give the folder that suite2p wrote, with plane0, plane1, ... in it",
        )
    variables: dict[str, Variable] = {}
    unreadable: dict[str, Unreadable] = {}
    warnings = ["stat.npy and ops.npy hold pickled objects and were not read: ROIs have no place"]
    for prefix, folder in planes.items():
        try:
            variables |= _plane(folder, prefix)
        except DataError as error:
            unreadable[f"{prefix}F"] = Unreadable("series", error)
    if len(planes) > 1:
        warnings.append(
            f"{len(planes)} planes share one clock: the file does not tell when within a volume "
            "each was scanned"
        )
    return TableSource(
        where, Table(where, variables, unreadable=unreadable, warnings=tuple(warnings))
    )


def find_planes(path: str | os.PathLike[str]) -> dict[str, Path]:
    """Folders with traces by the prefix of their streams, "plane0/"; "" for the folder itself.

    The folder may be that of a plane, suite2p's own, or one with suite2p's in it. The folder
    "combined" repeats what the planes hold and is left out.
    """
    root = Path(path)
    if (root / "F.npy").is_file() and any((root / n).exists() for n in (CELLS, "stat.npy")):
        return {"": root}
    for parent in (root, root / "suite2p"):
        found = [p for p in parent.glob("plane*") if _PLANE.fullmatch(p.name)]
        found = [p for p in found if (p / "F.npy").is_file()]
        if found:
            ordered = sorted(found, key=lambda p: int(p.name.removeprefix("plane")))
            return {f"{p.name}/": p for p in ordered}
    return {}


def _plane(folder: Path, prefix: str) -> dict[str, Variable]:
    interval, notes = _interval(folder)
    arrays = {n: npy_rows(str(folder / f"{n}.npy")) for n in TRACES if _is_there(folder, n)}
    n_rois = _n_rois(arrays, folder)
    columns = _cells(folder, n_rois)
    if not columns:
        notes += ("there is no iscell.npy: all ROIs count",)
    return {
        f"{prefix}{name}": Variable(
            f"{prefix}{name}",
            array.turned,
            tuple(f"{prefix}{i}" for i in range(n_rois)),
            word="suite2p",
            modality="calcium",
            interval=interval,
            columns=columns,
            notes=notes,
        )
        for name, array in arrays.items()
    }


def _is_there(folder: Path, name: str) -> bool:
    return (folder / f"{name}.npy").is_file()


def _n_rois(arrays: dict[str, Rows], folder: Path) -> int:
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(arrays["F"].shape) != 2 or len(set(shapes.values())) > 1:
        raise DataError(
            f"traces of different shapes: {', '.join(f'{n} {s}' for n, s in shapes.items())}",
            where=str(folder),
            fix="all must be (ROI, frame): run suite2p again, or remove the files of another run",
        )
    return arrays["F"].shape[0]


def _cells(folder: Path, n_rois: int) -> dict[str, np.ndarray]:
    """Whether each ROI is a cell, and how probably, as suite2p or a person judged."""
    if not (folder / CELLS).is_file():
        return {}
    stored = npy_rows(str(folder / CELLS))
    if stored.shape not in ((n_rois,), (n_rois, 1), (n_rois, 2)):
        raise DataError(
            f"iscell.npy has shape {stored.shape}, for {n_rois} ROIs in F.npy",
            where=str(folder),
            fix="both must come from the same run of suite2p; remove the older one",
        )
    judged = stored.all().reshape(n_rois, -1)
    columns = {"iscell": judged[:, 0] != 0}
    return columns | ({"probability": judged[:, 1]} if judged.shape[1] == 2 else {})


def _interval(folder: Path) -> tuple[float | None, tuple[str, ...]]:
    """Time between the frames of a plane, s, from the settings in Fall.mat, and a note on it."""
    settings = folder / "Fall.mat"
    rate = read_scalars(settings, "ops").get("ops.fs", 0.0) if settings.is_file() else 0.0
    if not 0 < rate < np.inf:
        return None, ()
    return 1 / rate, (f"the frame rate, {rate:g} Hz, was taken from Fall.mat",)
