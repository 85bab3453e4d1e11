"""Several files side by side: which session holds which stream."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from pydantic import Field

from neurodsr.config import Config
from neurodsr.errors import NeurodsrError
from neurodsr.ingest.inspect import inspect_file
from neurodsr.ingest.inspection import Inspection


class SharedStream(Config):
    """One path in several files."""

    path: str = Field(description="Path of the stream.")
    modality: str = Field(description="Kind of modality that fits; empty if none does.")
    n_channels: tuple[int | None, ...] = Field(
        description="Channels in each file, in their order; null where a file lacks the stream or "
        "it cannot be read there."
    )


class Refusal(Config):
    """A file that could not be opened."""

    file: str = Field(description="Path of the file, as given.")
    what: str = Field(description="What is wrong with it.")
    where: str = Field(description="File and object.")
    fix: str = Field(description="What to do about it.")
    exit_code: int = Field(description="3 if it cannot be used, 8 if it is unsafe.")


def inspect_files(
    paths: Iterable[str | os.PathLike[str]],
) -> tuple[tuple[Inspection, ...], tuple[Refusal, ...]]:
    """What each file holds, and why some could not be opened; one bad file hides no other."""
    found, refused = [], []
    for path in paths:
        try:
            found.append(inspect_file(path))
        except NeurodsrError as error:
            refused.append(
                Refusal(
                    file=os.fspath(path),
                    what=error.what,
                    where=error.where,
                    fix=error.fix,
                    exit_code=error.exit_code,
                )
            )
    return tuple(found), tuple(refused)


def compare_files(inspections: Sequence[Inspection]) -> tuple[SharedStream, ...]:
    """Every path of any of the files, those that most files hold first."""
    modality: dict[str, str] = {}
    held: dict[tuple[str, int], int] = {}
    for k, inspection in enumerate(inspections):
        for stream in inspection.streams:
            modality[stream.path] = modality.get(stream.path, "") or stream.modality
            if stream.usable or stream.needs_clock:
                held[stream.path, k] = stream.n_channels
    shared = [
        SharedStream(
            path=path,
            modality=kind,
            n_channels=tuple(held.get((path, k)) for k in range(len(inspections))),
        )
        for path, kind in modality.items()
    ]
    return tuple(sorted(shared, key=lambda s: (not s.modality, s.n_channels.count(None))))
