"""The plain columns of a table: their levels, what is missing, and which could be labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from neurodsr.errors import DataError
from neurodsr.ingest.inspection import ColumnInspection
from neurodsr.ingest.names import is_label, names_a_deed
from neurodsr.ingest.values import FALLBACK, MAX_LEVELS, MIN_LEVELS
from neurodsr.sources.base import Source
from neurodsr.sources.missing import missing_entries

TRIALS = "intervals/trials"


def table_columns(
    path: str, source: Source, *, names: Iterable[str] = ()
) -> tuple[ColumnInspection, ...]:
    """The columns of a table of intervals; of the trials, those of choices and licks are proposed.

    A column is labels if its name speaks of a choice or an outcome, or a level of what an animal
    does.

    Parameters
    ----------
    names
        All columns that the listing names; those among them that are no plain ones may hold
        several times a row.
    """
    plain = source.intervals(path).columns
    found = [_proposed(describe_column(f"{path}/{n}", v), v, path) for n, v in plain.items()]
    ragged = [f"{path}/{n}" for n in names if n not in plain and names_a_deed(n)]
    return (*found, *(_times(column, source) for column in ragged))


def channel_columns(path: str, columns: Mapping[str, np.ndarray]) -> tuple[ColumnInspection, ...]:
    """What the file says of each channel, such as a unit's quality, to select channels by."""
    return tuple(describe_column(f"{path}/{name}", values) for name, values in columns.items())


def describe_column(path: str, values: np.ndarray) -> ColumnInspection:
    """The distinct values of a column, without those that stand for nothing."""
    missing = missing_entries(values)
    levels = np.unique(values[~missing])
    finite = levels[np.isfinite(levels)] if levels.dtype.kind in "iuf" else []
    return ColumnInspection(
        path=path,
        levels=tuple(_shown(v) for v in levels[:MAX_LEVELS]),
        n_levels=len(levels),
        n_missing=int(missing.sum()),
        extent=(float(finite[0]), float(finite[-1])) if len(finite) else None,
    )


def _proposed(column: ColumnInspection, values: np.ndarray, table: str) -> ColumnInspection:
    few = MIN_LEVELS <= column.n_levels <= MAX_LEVELS and values.dtype.kind in "biuU"
    named = is_label(column.path) or any(names_a_deed(level) for level in column.levels)
    if not (few and named and table == TRIALS):
        return column
    return column.model_copy(update={"proposed": FALLBACK, "observation": "categorical"})


def _times(path: str, source: Source) -> ColumnInspection:
    """A column of event times; proposed unless its times count from the start of each row."""
    try:
        events = source.events(path)
    except DataError:
        return ColumnInspection(path=path, levels=(), n_levels=0)
    doubted = any("outside of their own row" in note for note in events.notes)
    return ColumnInspection(
        path=path,
        levels=(),
        n_levels=len(events.times),
        extent=(float(events.times.min()), float(events.times.max())),
        proposed="" if doubted else FALLBACK,
        observation="events",
    )


def _shown(value: np.generic) -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"{value + 0.0:.6g}" if value.dtype.kind == "f" else str(value)
