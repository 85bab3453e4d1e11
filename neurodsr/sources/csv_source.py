"""CSV and TSV files: columns of numbers with their names, and the events they may spell out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from neurodsr.data.streams import Events, Intervals
from neurodsr.errors import DataError
from neurodsr.sources.csv_text import Layout, check_rows, read_layout
from neurodsr.sources.safety import check_regular_file
from neurodsr.sources.table import WHOLE, Rows, Table, Unreadable, Variable
from neurodsr.sources.table_clock import find_clock, is_time
from neurodsr.sources.table_events import Columns, find_events, find_intervals
from neurodsr.sources.table_source import TableSource

MAX_BYTES = 10**9
DECIMAL_COMMA = r"[+-]?(?:\d+,\d*|,\d+)(?:[eE][+-]?\d+)?"


def open_csv(path: str | os.PathLike[str]) -> TableSource:
    """A table of text; columns of numbers are signals, rows are time.

    Empty cells, "NA" and the like are masked. Columns of units and times are spikes; onset and
    duration, or start and stop, are intervals.

    Raises
    ------
    DataError
        Not a table, too large, ragged, not text, with decimal commas or doubled names.
    """
    where = os.fspath(path)
    size = check_regular_file(where).st_size
    if size > MAX_BYTES:
        raise DataError(
            f"{size / 1e9:.1f} GB of text; at most {MAX_BYTES / 1e9:g} GB are read",
            where=where,
            fix="save it in binary: numpy.save('table.npy', values), or as NWB",
        )
    layout = read_layout(where)
    n_rows = check_rows(where, layout)
    if not n_rows:
        raise DataError("the table has no rows", where=where, fix="write it again, or leave it out")
    return TableSource(where, _table(_read(where, layout), where, layout))


def _read(where: str, layout: Layout) -> pd.DataFrame:
    try:
        return pd.read_csv(
            where,
            sep=r"\s+" if layout.delimiter == " " else layout.delimiter,
            encoding=layout.encoding,
            skiprows=layout.n_skipped,
            header=None,
            names=list(layout.names),
            index_col=False,
            skipinitialspace=True,
            low_memory=False,
        )
    except (ValueError, OverflowError) as error:  # pandas' own errors are ValueErrors
        raise DataError(
            f"the table cannot be read: {error}", where=where, fix="save it as CSV again"
        ) from error


def _table(frame: pd.DataFrame, where: str, layout: Layout) -> Table:
    frame, notes = _without_row_numbers(frame)
    if layout.encoding == "latin-1":
        notes.append("the file is no UTF-8; it was read as Latin-1")
    columns = {str(name): _column(frame[name]) for name in frame}
    unreadable = _refuse_texts_among_numbers(frame, columns, where)
    plain = {name: v for name, v in columns.items() if name not in unreadable}
    events = _try(find_events, plain, where, unreadable, "events")
    intervals = _try(find_intervals, plain, where, unreadable, "intervals")
    numbers = {name: v for name, v in plain.items() if v.dtype.kind != "U"}
    stamps = {name: Rows.of(values) for name, values in numbers.items()}
    signals = _signals(numbers, stamps, notes, where)
    # Spikes, and intervals or events without a clock of their own, are no samples.
    if "spikes" in events or ((events or intervals) and not _has_clock(signals, stamps, where)):
        signals = {}
    if not (signals or events or intervals or unreadable):
        raise DataError(
            f"no column holds numbers: {', '.join(columns)}",
            where=where,
            fix="one column of numbers is needed; is the delimiter right?",
        )
    dates = (
        f"the column {name!r} holds texts such as {str(values[0])!r}: convert it to s for a clock"
        for name, values in columns.items()
        if is_time(name) and values.dtype.kind == "U" and name not in unreadable
    )
    return Table(
        where, signals, events, intervals, stamps, {}, unreadable, warnings=(*notes, *dates)
    )


def _without_row_numbers(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table without an unnamed first column that only counts, as pandas writes it."""
    if frame.columns[0] != "":
        return frame, []
    first = frame.iloc[:, 0]
    if frame.shape[1] > 1 and np.array_equal(first, np.arange(len(frame))):
        return frame.iloc[:, 1:], ["the unnamed first column counts rows and was left out"]
    return frame.rename(columns={"": "c0"}), []


def _column(series: pd.Series) -> np.ndarray:
    """Numbers as they are; everything else as text, "" where a cell is empty."""
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series.to_numpy()
    return series.astype(object).where(series.notna(), "").astype(str).to_numpy().astype(str)


def _refuse_texts_among_numbers(
    frame: pd.DataFrame, columns: Columns, where: str
) -> dict[str, Unreadable]:
    """Why columns that mostly hold numbers are none; decimal commas refuse the whole table."""
    found = {}
    for name, values in columns.items():
        if values.dtype.kind != "U":
            continue
        filled = values[values != ""]
        texts = pd.Series(filled, dtype=object)
        comma = texts.str.fullmatch(DECIMAL_COMMA).to_numpy(dtype=bool)
        if len(filled) and comma.mean() > 0.5:
            raise DataError(
                f"column {name!r} has decimal commas, such as {str(filled[comma][0])!r}",
                where=where,
                fix="write numbers with a decimal point and without thousands separators",
            )
        number = pd.to_numeric(texts, errors="coerce").notna().to_numpy()
        if len(filled) and number.mean() > 0.5:
            row = int(np.flatnonzero(values == filled[~number][0])[0])
            found[name] = Unreadable(
                "series",
                DataError(
                    f"{int((~number).sum())} of {len(values)} cells are texts among numbers, the "
                    f"first is {str(filled[~number][0])!r} in row {row}",
                    where=f"{where}:{name}",
                    fix="leave cells without a number empty, or write NA",
                ),
            )
    return found


def _try(
    find: Callable[..., Mapping[str, Any]],
    columns: Columns,
    where: str,
    unreadable: dict[str, Unreadable],
    kind: Any,
) -> Mapping[str, Events] | Mapping[str, Intervals]:
    try:
        return find(columns, where=where)
    except DataError as error:
        unreadable[kind] = Unreadable(kind, error)
        return {}


def _signals(
    numbers: Columns, stamps: Mapping[str, Rows], notes: list[str], where: str
) -> dict[str, Variable]:
    """All numeric columns together, then each but the time by itself."""
    if not numbers:
        return {}
    n_rows = len(next(iter(numbers.values())))

    def stacked() -> np.ndarray:
        return np.column_stack([v.astype(np.float64) for v in numbers.values()])

    data = Rows.deferred((n_rows, len(numbers)), np.dtype(np.float64), stacked)
    whole = Variable(WHOLE, data, tuple(numbers), WHOLE, notes=tuple(notes))
    time = _has_clock({WHOLE: whole}, stamps, where)
    alone = [name for name in numbers if name not in (time, WHOLE)]
    if not alone:
        return {}
    return {WHOLE: whole} | {
        name: Variable(name, stamps[name], (name,), "column") for name in alone
    }


def _has_clock(signals: Mapping[str, Variable], stamps: Mapping[str, Rows], where: str) -> str:
    """Name of the column that is evidently time; "" if there is none."""
    for variable in signals.values():
        try:
            return find_clock(variable, stamps, None, where=where).column
        except DataError:
            return ""
    return ""
