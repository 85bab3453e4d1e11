"""Tables beside a BIDS run: confounds on the clock of its volumes, and events."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
from jaxtyping import Float

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Events, Intervals, Series
from neurodsr.errors import DataError, nearest
from neurodsr.sources.safety import check_regular_file

MISSING = "n/a"
EMPTY = frozenset({MISSING, "", "NaN", "nan"})
MAX_TABLE = 2**28
TRIAL_TYPE = "trial_type"


def read_tsv(path: Path) -> dict[str, list[str]]:
    """The columns of a tab-separated table, as the texts they are.

    Raises
    ------
    DataError
        No UTF-8, no header, a column named twice, or a row with another number of entries.
    """
    where = os.fspath(path)
    if check_regular_file(where).st_size > MAX_TABLE:
        raise DataError("a table of more than 256 MiB", where=where, fix="keep the run's rows only")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = [r for r in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if r]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"no table of text: {error}", where=where, fix="write it as UTF-8, with tabs"
        ) from error
    names = [name.strip() for name in rows[0]] if rows else []
    if not names or len(set(names)) < len(names):
        raise DataError(
            f"the first row names the columns {names}",
            where=where,
            fix="give every column one name of its own in the first row, with tabs between",
        )
    for i, row in enumerate(rows[1:], start=2):
        if len(row) != len(names):
            raise DataError(
                f"row {i} has {len(row)} entries for {len(names)} columns",
                where=where,
                fix="separate entries with one tab each, and write n/a where one is missing",
            )
    return {name: [row[i].strip() for row in rows[1:]] for i, name in enumerate(names)}


def load_confounds(path: Path, times: Float[np.ndarray, " volume"], *, rows: int) -> Series:
    """Confounds such as motion, one column a channel, at the times of the volumes.

    Entries that are n/a (a derivative has none in the first volume) are masked; columns of text
    are left out, with a note.

    Parameters
    ----------
    rows
        Volumes of the run; the table must have one row for each.
    """
    columns = read_tsv(path)
    n_rows = len(next(iter(columns.values())))
    if n_rows != rows:
        raise DataError(
            f"{n_rows} rows for {rows} volumes",
            where=os.fspath(path),
            fix="use the table of the same run, uncut: one row a volume",
        )
    numbers = {name: found for name, v in columns.items() if (found := to_numbers(v)) is not None}
    if not numbers:
        raise DataError(
            "no column holds numbers", where=os.fspath(path), fix="leave this stream out"
        )
    stacked = np.column_stack(list(numbers.values()))
    valid = np.isfinite(stacked)
    notes = [f"column {n} holds text and was left out" for n in columns if n not in numbers]
    if not valid.all():
        notes.append(f"{int((~valid).sum())} entries are n/a or infinite and were masked")
    channels = Channels(ids=tuple(numbers))
    return Series(np.where(valid, stacked, 0.0), valid, times, channels, "", tuple(notes))


def load_events_table(path: Path, *, column: str | None = None) -> Intervals:
    """Events as stretches of time, s from the start of the first volume, with their columns.

    An unknown duration leaves the end open (NaN); columns of numbers have NaN for n/a.

    Raises
    ------
    DataError
        No rows, no onset or duration, one that is no number, a negative duration, or no such
        column.
    """
    columns, where = read_tsv(path), os.fspath(path)
    onsets, durations = (_times(columns, name, where) for name in ("onset", "duration"))
    wrong = np.flatnonzero(~np.isfinite(onsets) | (durations < 0) | np.isinf(durations))
    if not len(onsets) or len(wrong):
        row = f"row {wrong[0] + 2}: {onsets[wrong[0]]:g} s" if len(wrong) else "there are no rows"
        raise DataError(
            f"{len(wrong)} events lack an onset or last less than 0 s ({row})",
            where=where,
            fix="correct these rows; onsets are in s from the start of the first volume",
        )
    others = {n: v for n, v in columns.items() if n not in ("onset", "duration")}
    if column is not None and column not in others:
        raise DataError(
            f"the table has no column {column!r}: {nearest(column, others)}",
            where=where,
            fix=f"choose one of: {', '.join(others) or 'none, it has onsets and durations only'}",
        )
    chosen = others if column is None else {column: others[column]}
    return Intervals(onsets, onsets + durations, {n: _column(v) for n, v in chosen.items()})


def load_trial_types(path: Path) -> Events:
    """The same events as points in time, with one channel for each trial type."""
    table = load_events_table(path)
    types = np.asarray(table.columns.get(TRIAL_TYPE, np.full(len(table.starts), "events")))
    types = types.astype(str)
    names, codes = np.unique(types, return_inverse=True)
    order = np.lexsort((table.starts, codes))
    durations = (table.stops - table.starts)[order]
    unknown = not np.isfinite(durations).all()
    return Events(
        times=table.starts[order],
        offsets=np.concatenate([[0], np.cumsum(np.bincount(codes))]),
        channels=Channels(ids=tuple(str(n) for n in names)),
        observed=None,
        notes=("some durations are n/a, so none was used",) if unknown else (),
        durations=None if unknown else durations,
    )


def to_numbers(texts: list[str]) -> Float[np.ndarray, " row"] | None:
    """A column as numbers, NaN for n/a; None where some entry is text."""
    try:
        return np.array([np.nan if t in EMPTY else float(t) for t in texts], dtype=np.float64)
    except ValueError:
        return None


def _times(columns: dict[str, list[str]], name: str, where: str) -> Float[np.ndarray, " row"]:
    found = to_numbers(columns[name]) if name in columns else None
    if found is None:
        what = "holds text" if name in columns else f"is missing; there are {', '.join(columns)}"
        raise DataError(
            f"the column {name} {what}",
            where=where,
            fix=f"BIDS events need {name} as a number of s in every row, or n/a",
        )
    return found


def _column(texts: list[str]) -> np.ndarray:
    found = to_numbers(texts)
    # A column without any number would be nothing but NaN: n/a stays what the file says.
    empty = found is None or not np.isfinite(found).any()
    return np.array(texts, dtype=str) if empty else found
