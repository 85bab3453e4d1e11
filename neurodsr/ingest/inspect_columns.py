"""The plain columns of a table: their levels, what is missing, and which could be labels."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from neurodsr.ingest.inspection import ColumnInspection
from neurodsr.sources.base import Source
from neurodsr.sources.missing import missing_entries

TRIALS = "intervals/trials"
LABEL_WORDS = frozenset({"choice", "choices", "response", "outcome", "decision", "correct"})
MIN_LEVELS, MAX_LEVELS = 2, 12


def table_columns(path: str, source: Source) -> tuple[ColumnInspection, ...]:
    """The columns of a table of intervals; those of the trials that name a choice are labels."""
    found = []
    for name, values in source.intervals(path).columns.items():
        column = describe_column(f"{path}/{name}", values)
        few = MIN_LEVELS <= column.n_levels <= MAX_LEVELS and values.dtype.kind in "biuU"
        if few and path == TRIALS and is_label(column.path):
            column = column.model_copy(update={"proposed": "behavior"})
        found.append(column)
    return tuple(found)


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


def is_label(path: str) -> bool:
    """Whether the last part of a path names a choice or an outcome."""
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", path.split("/")[-1]).lower())
    return bool(LABEL_WORDS & set(words))


def _shown(value: np.generic) -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"{value + 0.0:.6g}" if value.dtype.kind == "f" else str(value)
