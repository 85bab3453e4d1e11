"""Series that belong together, read as one: body parts of a pose, one series for each neuron."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from neurodsr.data.channels import PER_CHANNEL, Channels
from neurodsr.data.lazy import LazyArray, lazy_pair
from neurodsr.data.streams import Series
from neurodsr.errors import DataError
from neurodsr.sources.nwb_clock import same_clock
from neurodsr.sources.nwb_nodes import Node
from neurodsr.sources.nwb_series import n_channels, series_unit

MANY_ALIKE = 8
"""Single-channel series in one container from which on they are listed as one."""


def group_series(series: Sequence[Node]) -> dict[str, list[Node]]:
    """The series of each container by its path, in natural order of their names."""
    found: dict[str, list[Node]] = {}
    for node in sorted(series, key=lambda node: _natural(node.path)):
        found.setdefault(node.path.rpartition("/")[0], []).append(node)
    return found


def is_one_per_channel(members: Sequence[Node]) -> bool:
    """Whether a container holds many single-channel series alike: one for each neuron.

    They are of one type, length and unit, and share their clock.
    """
    if len(members) < MANY_ALIKE:
        return False
    data = [node.dataset("data") for node in members]
    kinds = {(d.shape, node.types[0]) for d, node in zip(data, members, strict=True)}
    if len(kinds) > 1 or n_channels(data[0]) > 1:
        return False
    try:
        return len({series_unit(d) for d in data}) == 1 and same_clock(members)
    except DataError:  # then each of them is listed, with what is wrong
        return False


def load_together(
    members: Sequence[Node], path: str, where: str, *, load: Callable[[Node], Series]
) -> Series:
    """One series of all members, which must share their clock and unit.

    Channels are named after the series they come from: "leftear.x", or the series' own name where
    it has one channel. Where a member is lazy, all are.

    Raises
    ------
    DataError
        The members differ in their times or unit.
    """
    names = [node.path.rpartition("/")[2] for node in members]
    parts = list(_loaded(members, names, f"{where}:/{path}", load))
    ids = [i for part, name in zip(parts, names, strict=True) for i in _ids(part, name)]
    values, valid = _side_by_side(parts)
    return Series(
        values=values,
        valid=valid,
        times=parts[0].times,
        channels=Channels(
            ids=tuple(ids),
            positions=np.concatenate([p.channels.positions for p in parts]),
            located=np.concatenate([p.channels.located for p in parts]),
            **{
                name: tuple(v for p in parts for v in getattr(p.channels, name))
                for name in PER_CHANNEL
            },
        ),
        unit=parts[0].unit,
        notes=_notes(parts, names),
        columns=_columns(parts),
        confidence=_confidence(parts),
    )


def _loaded(
    members: Sequence[Node], names: list[str], where: str, load: Callable[[Node], Series]
) -> Iterator[Series]:
    """The members one by one; all hold the times of the first, so that one copy is kept."""
    first: Series | None = None
    for node, name in zip(members, names, strict=True):
        part = load(node)
        first = part if first is None else first
        _refuse_different(first, part, (names[0], name), where)
        yield part._replace(times=first.times)


def _refuse_different(first: Series, part: Series, names: tuple[str, str], where: str) -> None:
    if not _same_times(first.times, part.times):
        raise DataError(
            f"series {names[0]!r} and {names[1]!r} have different times",
            where=where,
            fix="name the series one by one, each a stream of its own",
        )
    if part.unit != first.unit:
        raise DataError(
            f"series {names[0]!r} is in {first.unit!r}, {names[1]!r} in {part.unit!r}",
            where=where,
            fix="name the series one by one, each a stream of its own",
        )


def _same_times(first: np.ndarray, other: np.ndarray) -> bool:
    same = len(first) == len(other) and first[0] == other[0] and first[-1] == other[-1]
    return bool(same) and np.array_equal(np.asarray(first), np.asarray(other))


def _ids(part: Series, name: str) -> list[str]:
    return [name] if len(part.channels) == 1 else [f"{name}.{i}" for i in part.channels.ids]


def _notes(parts: list[Series], names: list[str]) -> tuple[str, ...]:
    """What is said of the members; what is said of all of them alike, once."""
    if len(parts) > 1 and len({part.notes for part in parts}) == 1:
        return parts[0].notes
    return tuple(
        f"{name}: {n}" for part, name in zip(parts, names, strict=True) for n in part.notes
    )


def _columns(parts: list[Series]) -> dict[str, np.ndarray]:
    """The columns that all members have, one entry a channel."""
    shared = [name for name in parts[0].columns if all(name in p.columns for p in parts)]
    return {name: np.concatenate([p.columns[name] for p in parts]) for name in shared}


def _side_by_side(
    parts: list[Series],
) -> tuple[LazyArray | np.ndarray, LazyArray | np.ndarray]:
    def rows(first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        values = np.concatenate([np.asarray(p.values[first:stop]) for p in parts], axis=1)
        valid = np.concatenate([np.asarray(p.valid[first:stop]) for p in parts], axis=1)
        return values, valid

    n, width = len(parts[0].times), sum(len(p.channels) for p in parts)
    if any(isinstance(p.values, LazyArray) for p in parts):
        return lazy_pair(rows, shape=(n, width), dtype=np.float64)
    return rows(0, n)


def _confidence(parts: list[Series]) -> LazyArray | np.ndarray | None:
    """How sure the tracker was; None if one of the members does not say."""
    found = [p.confidence for p in parts]
    if any(confidence is None for confidence in found):
        return None

    def load(key: Any) -> np.ndarray:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        return np.concatenate([c[rows] for c in found], axis=-1)[..., columns]

    if not any(isinstance(confidence, LazyArray) for confidence in found):
        return load(slice(None))
    width = sum(len(p.channels) for p in parts)
    return LazyArray(load, shape=(len(parts[0].times), width), dtype=np.float64)


def _natural(path: str) -> list[tuple[int, str]]:
    """A sort key by which neuron 2 comes before neuron 10."""
    return [(int(p) if p.isdecimal() else -1, p) for p in re.split(r"(\d+)", path)]
