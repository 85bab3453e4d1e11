"""Which files a run reads: a path, a pattern, or a list of them, one session each."""

from __future__ import annotations

from collections.abc import Iterable
from glob import has_magic
from pathlib import Path

from neurodsr.errors import ConfigError, DataError
from neurodsr.modalities.base import Modality
from neurodsr.run_config import RunConfig
from neurodsr.sources.safety import check_regular_file


def session_files(file: str | tuple[str, ...], *, root: Path) -> tuple[Path, ...]:
    """The files of a run's sessions, in the order given, those of a pattern by name.

    Parameters
    ----------
    file
        `RunConfig.file`: paths and patterns such as "data/sub-*/*.nwb".
    root
        Folder that they are relative to.

    Raises
    ------
    DataError
        A pattern matches nothing, or a file is named twice.
    """
    given = (file,) if isinstance(file, str) else file
    found = [path for item in given for path in _expand(item, Path(root))]
    twice = {str(p) for p in found if found.count(p) > 1}
    if twice:
        raise DataError(
            f"named more than once: {', '.join(sorted(twice))}",
            where="file",
            fix="list every session once",
        )
    return tuple(found)


def input_files(config: RunConfig, *, root: Path) -> tuple[Path, ...]:
    """Every file or folder that a run reads, each once, after a look that all are there.

    Raises
    ------
    DataError
        One is missing, empty, unreadable, or neither a file nor a folder.
    """
    sessions = session_files(config.file, root=root)
    found = dict.fromkeys(sessions)
    for modality in config.streams.values():
        for k, path in enumerate(sessions):
            found[stream_file(modality, k, default=path, root=root)] = None
    for path in found:
        if not path.is_dir():  # a folder is looked at by the reader of its format
            check_regular_file(str(path))
    return tuple(found)


def stream_file(modality: Modality, session: int, *, default: Path, root: Path) -> Path:
    """The file that holds a stream in one session: its own where it names one.

    Raises
    ------
    ConfigError
        The stream names another number of files than the run has sessions.
    """
    if modality.file is None:
        return default
    given = (modality.file,) if isinstance(modality.file, str) else modality.file
    paths = [path for item in given for path in _expand(item, Path(root))]
    if session >= len(paths):
        raise ConfigError(
            f"a stream names {len(paths)} files, but the run has {session + 1} sessions or more",
            where=f"streams: file: {', '.join(given)}",
            fix="give the stream one file for each file of the run, in the same order",
        )
    return paths[session]


def _expand(item: str, root: Path) -> Iterable[Path]:
    path = root / item
    # A file may well have brackets in its name: what exists is no pattern.
    if path.exists() or not has_magic(item):
        return [path]
    found = sorted(Path(p) for p in _glob(item, root))
    if not found:
        raise DataError(
            f"no file matches {item!r}",
            where=str(root),
            fix="check the pattern; it is relative to the configuration",
        )
    return found


def _glob(item: str, root: Path) -> Iterable[Path]:
    pattern = Path(item)
    if pattern.is_absolute():
        anchor = Path(pattern.anchor)
        return anchor.glob(str(pattern.relative_to(anchor)))
    return root.glob(item)
