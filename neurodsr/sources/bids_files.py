"""Names of BIDS files: their entities, and what of the same scan lies beside a run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurodsr.errors import DataError
from neurodsr.sources.safety import check_regular_file

ROOT_FILE = "dataset_description.json"
EXTENSIONS = (".nii.gz", ".nii", ".json", ".tsv")
IMAGES = (".nii.gz", ".nii")
MAX_SIDECAR = 2**24


@dataclass(frozen=True)
class BidsName:
    """A file name taken apart: sub-01_task-rest_bold.nii.gz.

    `entities` are the key-value pairs, `suffix` the last word, `stem` the name without its
    extension. A name that is not BIDS has no entities.
    """

    stem: str
    extension: str
    entities: dict[str, str]
    suffix: str

    def describes(self, other: BidsName, *, but: tuple[str, ...] = ()) -> bool:
        """Whether all entities, but those named, are those of the other file: it is about it."""
        return {k: v for k, v in self.entities.items() if k not in but}.items() <= (
            other.entities.items()
        )


def parse_name(name: str) -> BidsName:
    """Take a file name apart."""
    extension = next((e for e in EXTENSIONS if name.lower().endswith(e)), "")
    stem = name[: len(name) - len(extension)]
    *pairs, suffix = stem.split("_")
    entities = dict(p.split("-", 1) for p in pairs if "-" in p)
    return BidsName(stem, extension, entities, suffix)


def dataset_root(path: Path) -> Path | None:
    """The nearest folder at or above that holds dataset_description.json; None outside one."""
    folders = (path, *path.parents)
    return next((f for f in folders if (f / ROOT_FILE).is_file()), None)


def read_sidecar(path: str) -> dict[str, Any]:
    """The fields that the JSON files about an image give, the nearest file winning.

    BIDS lets sub-01_task-rest_bold.nii.gz inherit from task-rest_bold.json in the folders above,
    up to the dataset's root. A file of the image's own name counts whatever its name is.

    Raises
    ------
    DataError
        A sidecar is no JSON object, or larger than 16 MiB.
    """
    fields: dict[str, Any] = {}
    for file in _about(path, suffix=parse_name(os.path.basename(path)).suffix, extension=".json"):
        fields |= read_json(file)
    return fields


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a small file."""
    where = os.fspath(path)
    if check_regular_file(where).st_size > MAX_SIDECAR:
        raise DataError("more than 16 MiB of JSON", where=where, fix="keep only the scan's fields")
    try:
        fields = json.loads(path.read_text("utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"no JSON: {error}", where=where, fix="correct or remove it") from error
    if not isinstance(fields, dict):
        raise DataError(
            f"holds a {type(fields).__name__}, not an object of fields",
            where=where,
            fix='write it as {"RepetitionTime": 2.0}',
        )
    return fields


def find_events(path: str) -> Path | None:
    """The events table of a run, in its folder or inherited."""
    return next(reversed([*_about(path, suffix="events", extension=".tsv")]), None)


def find_confounds(path: str) -> Path | None:
    """The confounds table of a run, by any of the names that fMRIPrep has given it."""
    run = parse_name(os.path.basename(path))
    found = []
    for file in _listed(Path(path).parent, ".tsv"):
        name = parse_name(file.name)
        named = name.suffix == "confounds" or (
            name.entities.get("desc") == "confounds" and name.suffix in ("timeseries", "regressors")
        )
        if named and name.describes(run, but=("desc",)):
            found.append((len(name.entities), file))
    return max(found)[1] if found else None


def find_label_images(path: str) -> tuple[Path, ...]:
    """The segmentations (dseg) of a run's folder that are in the run's space, by name."""
    run = parse_name(os.path.basename(path))
    names = ((f, parse_name(f.name)) for e in IMAGES for f in _listed(Path(path).parent, e))
    return tuple(
        sorted(
            file
            for file, name in names
            if name.suffix == "dseg"
            and name.describes(run, but=("desc", "atlas", "seg", "scale", "label"))
        )
    )


def find_label_table(path: str) -> Path | None:
    """The table that names the labels of a label image: its own, or an inherited one."""
    suffix = parse_name(os.path.basename(path)).suffix
    return next(reversed([*_about(path, suffix=suffix, extension=".tsv")]), None)


def _about(path: str, *, suffix: str, extension: str) -> Iterator[Path]:
    """Files of a suffix and extension about an image, from the root down to the nearest."""
    image = parse_name(os.path.basename(path))
    for folder in _folders(Path(path).parent):
        matches = []
        for file in _listed(folder, extension):
            name = parse_name(file.name)
            if name.suffix != suffix:
                continue
            own = name.stem == image.stem and folder == Path(path).parent
            if own or (image.entities and name.describes(image)):
                matches.append((own, len(name.entities), file))
        yield from (file for *_, file in sorted(matches))


def _folders(folder: Path) -> list[Path]:
    """From the dataset's root down to the folder; the folder alone outside a dataset."""
    resolved = Path(os.path.abspath(folder))
    root = dataset_root(resolved)
    inside = [f for f in resolved.parents if root is not None and f.is_relative_to(root)]
    return [*reversed(inside), folder]


def _listed(folder: Path, extension: str) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # a folder that cannot be listed has nothing to add
        return []
    return [folder / n for n in names if parse_name(n).extension == extension]
