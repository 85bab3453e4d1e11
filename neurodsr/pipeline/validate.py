"""Checks anything neurodsr reads or writes: recognizes it, and lists what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from neurodsr.errors import DataError, NeurodsrError
from neurodsr.storage.manifest import MANIFEST, check_manifest, differences

RUN, RECORDING, SURROGATE, EVALUATION, FILE = (
    "run", "recording", "surrogate", "evaluation", "recording file",
)  # fmt: skip

# The one member that tells what a folder is; a run folder contains the others.
_SIGNS = {
    "surrogate.json": SURROGATE,
    "evaluation.json": EVALUATION,
    "zarr.json": RECORDING,
    "run.json": RUN,
}

_AGAIN = "restore it from a backup, or make it again with the command that wrote it"
_DAMAGES = {
    "missing": ("the file is missing", _AGAIN),
    "changed": ("its bytes are not those that were written", _AGAIN),
    "extra": ("it does not belong to this folder", "remove it"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, graded: errors prevent use, warnings deserve a look."""

    severity: str
    where: str
    what: str
    fix: str
    exit_code: int


@dataclass(frozen=True)
class Validation:
    """What a path is, and everything found wrong with it."""

    path: str
    kind: str
    deep: bool
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0 if no error was found, else the code of the gravest: 8 over 3."""
        return max((f.exit_code for f in self.findings if f.severity == "error"), default=0)

    def to_plain(self) -> dict[str, Any]:
        """The same as plain JSON-like data."""
        return {**asdict(self), "valid": self.exit_code == 0}


def validate(path: str | Path, *, deep: bool = False) -> Validation:
    """Check a recording file, or a folder that neurodsr wrote.

    Parameters
    ----------
    path
        An NWB file, a recording, a surrogate, an evaluation, or the folder of a run.
    deep
        Also open everything and read it against its schema, beyond names, sizes and checksums.

    Raises
    ------
    DataError
        There is nothing there, or nothing that neurodsr knows.
    """
    path = Path(path)
    kind = recognize(path)
    findings = (
        found
        for part, part_kind in _parts(path, kind, deep)
        for found in _check(part, part_kind, deep)
    )
    # A bad file of a run's part is found twice, by the manifests of both.
    return Validation(str(path), kind, deep, tuple(dict.fromkeys(findings)))


def recognize(path: Path) -> str:
    """What a path is, judged by what it contains and not by its name."""
    if path.is_file():
        return FILE
    signs = [sign for sign in _SIGNS if (path / sign).is_file()] or _lost_signs(path)
    if signs:
        return _SIGNS[signs[0]]
    raise DataError(
        "neither a recording file nor a folder that neurodsr wrote"
        if path.exists()
        else "no such file or folder",
        where=str(path),
        fix=f"give an NWB file, or a folder with one of {', '.join(_SIGNS)}",
    )


def _lost_signs(path: Path) -> list[str]:
    """The member that tells, where it is the one that was lost."""
    if not (path / MANIFEST).is_file():
        return []
    lost = differences(path, contents=False)["missing"]
    return [sign for sign in _SIGNS if sign in lost]


def _parts(path: Path, kind: str, deep: bool) -> Iterator[tuple[Path, str]]:
    yield path, kind
    # The manifest of a run covers its parts too; only opening them says more.
    if kind == RUN and deep:
        for part in (RECORDING, SURROGATE, EVALUATION):
            yield path / part, part


def _check(path: Path, kind: str, deep: bool) -> Iterator[Finding]:
    if not path.exists():
        yield Finding("error", str(path), f"no {kind} here", "finish the run with --resume", 3)
        return
    try:
        if kind == FILE:
            yield from _file_problems(path)
        elif deep:
            damaged = list(_damaged_files(path))
            yield from damaged
            if not damaged and kind in _OPENERS:
                _OPENERS[kind](path)
        else:
            check_manifest(path)
    except NeurodsrError as error:
        where = error.where or str(path)
        yield Finding("error", where, error.what, error.fix, error.exit_code)


def _damaged_files(path: Path) -> Iterator[Finding]:
    """Every bad file, one by one, where `check_manifest` names the first few."""
    for problem, names in differences(path).items():
        for name in names:
            yield Finding("error", str(path / name), *_DAMAGES[problem], 8)


def _file_problems(path: Path) -> Iterator[Finding]:
    from neurodsr.sources.open import open_source

    with open_source(path) as source:
        for entry in source.list_streams():
            for problem in entry.problems:
                severity, _, what = problem.partition(": ")
                graded = severity in ("error", "warning")
                yield Finding(
                    severity if graded else "warning",
                    f"{path}:/{entry.path}",
                    what if graded else problem,
                    "`neurodsr inspect` shows the stream",
                    3,
                )


def _open_recording(path: Path) -> None:
    from neurodsr.data.store import open_recording

    open_recording(path, verify=False)  # its files were compared just now


def _open_surrogate(path: Path) -> None:
    from neurodsr.surrogate import load_surrogate

    load_surrogate(path)


def _open_evaluation(path: Path) -> None:
    from neurodsr.evaluation.store import load_evaluation

    load_evaluation(path)


_OPENERS: dict[str, Callable[[Path], None]] = {
    RECORDING: _open_recording,
    SURROGATE: _open_surrogate,
    EVALUATION: _open_evaluation,
}
