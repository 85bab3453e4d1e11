"""Load a stream by its modality, any modality, and let nothing in that breaks the contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np

from neurodsr.data.lazy import LazyArray, lazy_pair
from neurodsr.data.streams import Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import NeurodsrError, PluginError
from neurodsr.modalities.base import Modality
from neurodsr.modalities.registry import last_lines, plugin_of
from neurodsr.modalities.stream_contract import misfit
from neurodsr.sources.base import Source


def load_checked(modality: Modality, source: Source, grid: TimeGrid) -> Stream:
    """The stream that a modality loads, whoever wrote the modality.

    A lazy stream stays lazy: each block is looked at when it is read.

    Raises
    ------
    PluginError
        The modality raised something else than a NeurodsrError, or gave something that is not a
        stream on this grid. The error names the package, with the last lines of a traceback.
    """
    with _blamed_on(modality):
        stream = modality.load(source, grid)
        _refuse(misfit(stream, grid), modality)
    return _watched(stream, grid, modality) if isinstance(stream.values, LazyArray) else stream


def _watched(stream: Stream, grid: TimeGrid, modality: Modality) -> Stream:
    """A lazy stream whose blocks are checked when they are read; the last one is kept."""

    @lru_cache(maxsize=1)
    def block(first: int, stop: int) -> Stream:
        with _blamed_on(modality):
            read = stream.transform(lambda array: np.asarray(array[first:stop]))
            _refuse(misfit(read, grid.part(first, stop)), modality)
        return read

    def values(first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        return block(first, stop).values, block(first, stop).mask

    def exposure(first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        return block(first, stop).exposure, block(first, stop).mask

    shape = stream.values.shape
    lazy_values, mask = lazy_pair(values, shape=shape, dtype=stream.values.dtype)
    if stream.exposure is None:
        return Stream(lazy_values, mask, stream.channels, stream.unit, stream.notes)
    seen, _ = lazy_pair(exposure, shape=shape, dtype=stream.exposure.dtype)
    return Stream(lazy_values, mask, stream.channels, stream.unit, stream.notes, seen)


@contextmanager
def _blamed_on(modality: Modality) -> Iterator[None]:
    """Turn what a modality should not raise into an error that names its package."""
    try:
        yield
    except (NeurodsrError, MemoryError):  # memory that runs out is nobody's fault
        raise
    except (Exception, SystemExit) as error:
        raise _blame("\n    ".join(["loading fails", *last_lines(error)]), modality) from error


def _refuse(found: str, modality: Modality) -> None:
    if found:
        raise _blame(f"loading gave {found}", modality)


def _blame(what: str, modality: Modality) -> PluginError:
    return PluginError(
        what,
        where=f"kind {modality.kind!r} of {_package(modality)}",
        fix="report it to the package's authors with this message, or leave the stream out",
    )


def _package(modality: Modality) -> str:
    """The package that brought a modality; its module where none announces it, as in a script."""
    try:
        return plugin_of(modality).package
    except NeurodsrError:
        return type(modality).__module__
