"""Labels on the grid: a code for each level, from a series or from a column of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.modalities.levels import absent_levels, level_codes
from neurodsr.modalities.signals import choose_channels
from neurodsr.sources.base import Source
from neurodsr.sources.missing import missing_entries

if TYPE_CHECKING:
    from neurodsr.modalities.behavior import Behavior


class Labels(NamedTuple):
    """Labels as a file has them, `texts[codes[i, c]]` where `known[i, c]`, at `times[i]`, s."""

    texts: tuple[str, ...]
    codes: Int[np.ndarray, "row channel"]
    known: Bool[np.ndarray, "row channel"]
    times: Float[np.ndarray, " row"]
    channels: Channels
    notes: tuple[str, ...]


def load_labels(
    behavior: Behavior, source: Source, grid: TimeGrid, *, where: str, ordered: bool
) -> Stream:
    """The last label of a series in each bin, or that of the row of a table that a bin lies in.

    Parameters
    ----------
    ordered
        Whether the levels have an order, which then has to be known.

    Raises
    ------
    DataError
        There are too few or too many levels, one that is not declared, or no known order.
    """
    table = table_of(source, behavior.path)
    labels = _series_labels(behavior, source, where) if table is None else _column(table, behavior)
    levels, recode = level_codes(
        labels.texts,
        behavior.levels,
        ordered=ordered,
        where=where,
        place=lambda text: _place(labels, text),
    )
    codes = recode[labels.codes] if len(recode) else labels.codes
    if table is None:
        values, mask = _hold(grid, labels, codes)
        mixed: tuple[str, ...] = ()
    else:
        values, mask, mixed = _label_bins(grid, table, codes[:, 0], labels.known[:, 0])
    channels = Channels.from_plain(labels.channels.to_plain() | {"levels": list(levels)})
    absent = absent_levels(values, mask, channels) if mask.any() else ()
    return Stream(values, mask, channels, "label", (*labels.notes, *mixed, *absent))


def table_of(source: Source, path: str) -> Intervals | None:
    """The table of intervals, such as trials, that a path names a column of."""
    path = path.strip("/")
    tables = [entry for entry in source.list_streams() if entry.kind == "intervals"]
    nwb = path.startswith("intervals/") and path.count("/") == 2
    if nwb or any(path == f"{table.path}/{c}" for table in tables for c in table.columns):
        return source.intervals(path)
    return None


def _series_labels(behavior: Behavior, source: Source, where: str) -> Labels:
    series = source.series(behavior.path)
    series = choose_channels(series, behavior.where, behavior.channels, where=where)
    values, known = np.asarray(series.values), np.asarray(series.valid)
    found = np.unique(values[known])
    channels = series.channels
    if len(channels) == 1:  # the object's name says more than the number of its only column
        channels = Channels.from_plain(channels.to_plain() | {"ids": [_name(behavior)]})
    # What is not known may lie beyond the last level, and has no code.
    codes = np.where(known, np.searchsorted(found, values), 0)
    times = np.asarray(series.times)
    return Labels(_distinct_texts(found), codes, known, times, channels, series.notes)


def _distinct_texts(numbers: Num[np.ndarray, " level"]) -> tuple[str, ...]:
    """Numbers as texts with no more digits than it takes to tell them apart."""
    for digits in (6, 9, 17):  # the last is exact
        texts = tuple(f"{number:.{digits}g}" for number in numbers)
        if len(set(texts)) == len(texts):
            break
    return texts


def _column(table: Intervals, behavior: Behavior) -> Labels:
    name = _name(behavior)
    entries = table.columns[name]
    missing = missing_entries(entries)
    texts, known_codes = np.unique(entries[~missing].astype(str), return_inverse=True)
    codes = np.zeros(len(entries), dtype=int)
    codes[~missing] = known_codes
    n = int(missing.sum())
    return Labels(
        tuple(texts.tolist()),
        codes[:, None],
        ~missing[:, None],
        table.starts,
        Channels(ids=(name,)),
        (f"{n} rows without a label were masked",) if n else (),
    )


def _name(behavior: Behavior) -> str:
    return behavior.path.strip("/").rsplit("/", 1)[-1]


def _place(labels: Labels, text: str) -> str:
    """Where a label first occurs, in the reader's words."""
    here = labels.known & (labels.codes == labels.texts.index(text))
    row, channel = np.argwhere(here)[0].tolist()
    return f"row {row} of {labels.channels.ids[channel]}, at {labels.times[row]:.6g} s"


def _label_bins(
    grid: TimeGrid, table: Intervals, codes: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Label of each bin inside a row, which bins have one label, and a note on those of several."""
    values = np.zeros((grid.n_bins, 1), dtype=np.float32)
    n_labels = np.zeros(grid.n_bins, dtype=int)
    for code in np.unique(codes[known]):
        rows = known & (codes == code)
        inside = grid.inside(Intervals(table.starts[rows], table.stops[rows], {}))
        values[inside, 0] = code
        n_labels += inside
    values[n_labels != 1] = 0
    mixed = int((n_labels > 1).sum())
    note = f"{mixed} bins in rows with different labels were masked"
    return values, (n_labels == 1)[:, None], (note,) if mixed else ()


def _hold(grid: TimeGrid, labels: Labels, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last known label of each bin; bins without a sample are masked."""
    values = np.zeros((grid.n_bins, codes.shape[1]), dtype=np.float32)
    mask = np.zeros(values.shape, dtype=bool)
    bins = grid.index(labels.times)
    on_grid = (bins >= 0) & (bins < grid.n_bins)
    for channel in range(codes.shape[1]):
        use = on_grid & labels.known[:, channel]
        # Of samples in the same bin the last one stays.
        values[bins[use], channel], mask[bins[use], channel] = codes[use, channel], True
    return values, mask
