"""How a text is a table: its encoding, delimiter and header, and whether its rows are whole."""

from __future__ import annotations

import codecs
import csv
import math
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from neurodsr.errors import DataError

HEAD_BYTES = 64 * 2**10
N_LINES = 50
DELIMITERS = ("\t", ";", ",", " ")
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "#n/a", "inf", "-inf"})


class Layout(NamedTuple):
    """What must be known to read a table: `n_skipped` lines lie before its first row."""

    encoding: str
    delimiter: str
    names: tuple[str, ...]
    n_skipped: int


def sniff(head: bytes, *, whole: bool) -> tuple[str, str] | None:
    """Encoding and delimiter of a table of text; None if this is no table.

    Parameters
    ----------
    head
        The beginning of the file.
    whole
        Whether that is all of it.
    """
    decoded = _decode(head)
    if decoded is None:
        return None
    text, encoding = decoded
    lines = text.splitlines(keepends=True)
    lines = [s for s in (lines if whole else lines[:-1]) if s.strip() and not s.startswith("#")]
    lines = lines[:N_LINES]
    for delimiter in DELIMITERS:
        if len(lines) > 1 and _fits(lines, delimiter):
            return encoding, delimiter
    single = len(lines) > 1 and all(is_number(s.strip()) for s in lines[1:])
    return (encoding, ",") if single else None


def read_layout(path: str) -> Layout:
    """Encoding, delimiter and column names of a table of text.

    Names come from the first row if it does not hold numbers, else from the last comment above
    it; a table without either has columns "c0", "c1" and so on.

    Raises
    ------
    DataError
        The file is no table, its first rows cannot be read, or columns have the same name.
    """
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
        found = sniff(head, whole=not file.read(1))
    if found is None:
        raise DataError(
            "no table: its lines do not have the same number of columns, two or more",
            where=path,
            fix="save it as CSV or TSV in UTF-8, one row a sample, one column a channel",
        )
    encoding, delimiter = found
    try:
        with open(path, encoding=encoding, newline="", errors="replace") as file:
            comments, rows = _first_rows(file, delimiter)
    except csv.Error as error:
        raise _unreadable("one of the first rows", error, path) from error
    names = _header(rows)
    n_skipped = len(comments) + (names is not None)
    if names is None and comments:
        said = split(comments[-1].lstrip("# "), delimiter)
        names = said if len(said) == len(rows[0]) else None
    names = [f"c{i}" for i in range(len(rows[0]))] if names is None else names
    _refuse_doubled(names, path)
    return Layout(encoding, delimiter, tuple(names), n_skipped)


def check_rows(path: str, layout: Layout) -> int:
    """Number of rows, each of which has as many cells as there are names.

    Raises
    ------
    DataError
        A row has more or fewer cells, or bytes that are no text; with its line.
    """
    n_rows = line = 0
    try:
        for line, row in numbered_rows(path, layout):
            if len(row) != len(layout.names):
                raise DataError(
                    f"line {line} has {len(row)} cells, for {len(layout.names)} columns",
                    where=path,
                    fix="complete the row or remove it; a text that holds the delimiter "
                    f"{layout.delimiter!r} belongs in quotes",
                )
            n_rows += 1
    except UnicodeDecodeError as error:
        raise DataError(
            f"bytes {error.object[error.start : error.start + 4]!r} after line {line} are no "
            f"{layout.encoding.removesuffix('-sig')} text",
            where=path,
            fix="save the file in UTF-8",
        ) from error
    except csv.Error as error:
        raise _unreadable(f"the row after line {line}", error, path) from error
    return n_rows


def numbered_rows(path: str, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row that is not blank."""
    with open(path, encoding=layout.encoding, newline="") as file:
        for _ in range(layout.n_skipped):
            file.readline()
        reader = _reader(file, layout.delimiter)
        for row in reader:
            if row:
                yield reader.line_num + layout.n_skipped, row


def split(line: str, delimiter: str) -> list[str]:
    """Cells of one line, without spaces around them."""
    return [cell.strip() for row in _reader([line], delimiter) for cell in row]


def is_number(cell: str) -> bool:
    """Whether a cell holds a number or says that it has none."""
    if cell.strip().lower() in MISSING:
        return True
    try:
        return not math.isnan(float(cell))
    except ValueError:
        return False


def _decode(head: bytes) -> tuple[str, str] | None:
    """The text and its encoding; None if there are bytes that no text has."""
    try:
        text, encoding = codecs.getincrementaldecoder("utf-8-sig")().decode(head), "utf-8-sig"
    except UnicodeDecodeError:
        text, encoding = head.decode("latin-1"), "latin-1"
    control = {chr(c) for c in range(32)} | {chr(c) for c in range(127, 160)}
    return None if control & set(text) - set("\t\r\n\f") else (text, encoding)


def _reader(lines: Iterator[str] | list[str], delimiter: str) -> Iterator[list[str]]:
    blank = delimiter == " "
    source = (line.rstrip() for line in lines) if blank else lines
    return csv.reader(source, delimiter=delimiter, skipinitialspace=True)


def _fits(lines: list[str], delimiter: str) -> bool:
    """Whether most lines have the same number of cells, two or more."""
    try:
        rows = [r for r in _reader(lines, delimiter) if r]
    except csv.Error:
        return False
    (width, number), *_ = Counter(map(len, rows)).most_common(1)
    numbers = delimiter != " " or all(is_number(cell) for cell in rows[-1])
    return width > 1 and number >= max(2, 0.75 * len(rows)) and numbers


def _first_rows(file: Iterator[str], delimiter: str) -> tuple[list[str], list[list[str]]]:
    """The lines above the table that are comments or blank, and its first rows."""
    above: list[str] = []
    kept: list[str] = []
    for line in file:
        if not kept and (line.startswith("#") or not line.strip()):
            above.append(line)
        else:
            kept.append(line)
        if len(kept) > N_LINES:
            break
    return above, [[c.strip() for c in row] for row in _reader(kept, delimiter) if row]


def _header(rows: list[list[str]]) -> list[str] | None:
    """The first row if it names columns: its cells are no numbers where those below are.

    A first row 0, 1, 2 ... or 1, 2, 3 ... names columns too, as pandas writes them.
    """
    first, below = rows[0], rows[1] if len(rows) > 1 else []
    texts = [i for i, cell in enumerate(first) if cell and not is_number(cell)]
    if texts and (len(texts) == sum(map(bool, first)) or _numbers_below(texts, below)):
        return first
    given = first[1:] if first[0] == "" else first
    counted = [[str(i + start) for i in range(len(given))] for start in (0, 1)]
    return first if len(given) > 2 and given in counted and below != first else None


def _numbers_below(columns: list[int], below: list[str]) -> bool:
    return any(i < len(below) and is_number(below[i]) for i in columns)


def _refuse_doubled(names: list[str], path: str) -> None:
    doubled = sorted(name for name, n in Counter(names).items() if n > 1)
    if doubled:
        raise DataError(
            f"several columns have the same name: {', '.join(map(repr, doubled[:5]))}",
            where=path,
            fix="give every column a name of its own in the first line",
        )


def _unreadable(what: str, error: csv.Error, path: str) -> DataError:
    return DataError(
        f"{what} cannot be read: {error}", where=path, fix="look for a quote that is not closed"
    )
