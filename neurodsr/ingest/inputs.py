"""Inputs to the brain (light, stimuli, current) on the grid, one channel a name, in their units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from neurodsr.data.channels import PER_CHANNEL, Channels
from neurodsr.data.streams import Events, Intervals, Series, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.ingest.input_rows import rows_on_grid
from neurodsr.ingest.input_series import series_on_grid
from neurodsr.modalities.selection import select_rows
from neurodsr.modalities.signals import choose_channels
from neurodsr.run_config import InputConfig
from neurodsr.sources.base import Source

UNKNOWN, MIXED = "unknown", "mixed"


class Loaded(NamedTuple):
    """One input on the grid, with the lab's name for it."""

    values: Float[np.ndarray, "n_bins channel"]
    mask: Bool[np.ndarray, "n_bins channel"]
    channels: Channels
    unit: str
    notes: tuple[str, ...] = ()


def load_inputs(
    sources: Mapping[str, Source], inputs: Mapping[str, InputConfig], grid: TimeGrid
) -> Stream:
    """All inputs of a run as one stream, a channel each.

    A series becomes its mean in each bin, events become counts, and the rows of a table become
    the mean of what they switch on. An input of several channels gives name/channel.

    Parameters
    ----------
    sources
        The opened file of each input, with its times on the run's clock.
    inputs
        At least one, by the lab's own names.

    Raises
    ------
    DataError
        A path cannot be read, or nothing of an input is known on the grid.
    """
    loaded = {name: _load(sources[name], inputs[name], grid) for name in inputs}
    units = {name: part.unit for name, part in loaded.items()}
    notes = [f"{name}: {note}" for name, part in loaded.items() for note in part.notes]
    common = set(units.values())
    if len(common) > 1:
        notes.append(f"units: {', '.join(f'{name} in {unit}' for name, unit in units.items())}")
    return Stream(
        np.concatenate([part.values for part in loaded.values()], axis=1),
        np.concatenate([part.mask for part in loaded.values()], axis=1),
        _joined([_named(part.channels, name) for name, part in loaded.items()]),
        common.pop() if len(common) == 1 else MIXED,
        tuple(notes),
    )


def _load(source: Source, config: InputConfig, grid: TimeGrid) -> Loaded:
    where = f"{source.path}:/{config.path.strip('/')}"
    found = _read(source, config.path)
    if isinstance(found, Intervals):
        return _from_table(found, config, grid, where)
    _refuse_table_options(config, where)
    if isinstance(found, Events):
        part = _from_events(found, config, grid, where)
    else:
        part = _from_series(found, config, grid, where)
    if not part.mask.any():
        raise DataError(
            f"nothing is known of the input between {grid.start:g} s and {grid.stop:g} s",
            where=where,
            fix="check grid.start, grid.stop and the input's clock, or leave the input out",
        )
    return part


def _read(source: Source, path: str) -> Events | Series | Intervals:
    """What a path holds, as the listing says or as the first reader that can read it says."""
    readers = {"intervals": source.intervals, "events": source.events, "series": source.series}
    listed = [e.kind for e in source.list_streams() if e.path == path.strip("/")]
    *others, last = listed[:1] or readers
    for kind in others:
        try:
            return readers[kind](path)
        except DataError:
            continue
    return readers[last](path)


def _from_table(table: Intervals, config: InputConfig, grid: TimeGrid, where: str) -> Loaded:
    own = config.path.rpartition("/")[2]
    if config.value is None and set(table.columns) == {own}:
        # A path such as intervals/trials/power names the column that is the input's size.
        config = config.model_copy(update={"value": own})
    values, mask, notes = rows_on_grid(table, config, grid, where=where)
    unit = config.unit or ("fraction" if config.value is None else UNKNOWN)
    if mask.all() and not values.any():
        notes = (*notes, "nothing is on between the grid's start and stop: all bins are 0")
    return Loaded(values[:, None], mask[:, None], Channels(("",)), unit, notes)


def _from_events(events: Events, config: InputConfig, grid: TimeGrid, where: str) -> Loaded:
    keep = select_rows(events.columns, config.where, n_rows=len(events.channels), where=where)
    counts, mask = grid.count(events)[:, keep], grid.observed(events)[:, keep]
    values = np.where(mask, counts, 0).astype(np.float64)
    unit = config.unit or "count"
    return Loaded(values, mask, events.channels.select(keep), unit, events.notes)


def _from_series(series: Series, config: InputConfig, grid: TimeGrid, where: str) -> Loaded:
    series = choose_channels(series, config.where, None, where=where)
    values, mask = series_on_grid(series, grid)
    unit, notes = config.unit or series.unit or UNKNOWN, series.notes
    if unknown := int((~mask).any(axis=1).sum()):
        doubt = "samples are missing there, or too far apart"
        notes = (*notes, f"{unknown} of {grid.n_bins} bins are masked: {doubt}")
    return Loaded(values, mask, series.channels, unit, notes)


def _refuse_table_options(config: InputConfig, where: str) -> None:
    default = InputConfig(path=config.path)
    names = ("value", "start", "stop", "pulse")
    given = [name for name in names if getattr(config, name) != getattr(default, name)]
    if given:
        raise DataError(
            f"{', '.join(given)} name columns, but this is no table of intervals",
            where=where,
            fix=f"remove {', '.join(given)}, or give the path of a table",
        )


def _named(channels: Channels, name: str) -> Channels:
    """The same channels by the lab's name; name/channel where there are several."""
    ids = [name] if len(channels) == 1 else [f"{name}/{own}" for own in channels.ids]
    return Channels.from_plain(channels.to_plain() | {"ids": ids, "levels": []})


def _joined(parts: Sequence[Channels]) -> Channels:
    return Channels(
        ids=tuple(i for part in parts for i in part.ids),
        positions=np.concatenate([part.positions for part in parts]),
        located=np.concatenate([part.located for part in parts]),
        **{n: tuple(v for part in parts for v in getattr(part, n)) for n in PER_CHANNEL},
    )
