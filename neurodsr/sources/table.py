"""What a file of plain numbers holds: named arrays whose rows are time, events and intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np

from neurodsr.data.streams import Events, Intervals
from neurodsr.errors import DataError, nearest

WHOLE = "table"
"""Path of all numeric columns of a table together."""
TURNED, TRIALS = ".T", ".trials"
LABELS = frozenset({"labels", "label", "names", "ids", "channels", "channel_names", "regions"})
"""Names of a text array that names the channels, where it has one text for each."""


@dataclass(frozen=True)
class Rows:
    """An array that stays in its file until rows of it are asked for.

    Parameters
    ----------
    shape, dtype
        Those of the whole array.
    read
        `read(s)` gives the rows of a slice.
    read_columns
        `read_columns(s)` gives the columns of a slice, as rows.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[slice], np.ndarray]
    read_columns: Callable[[slice], np.ndarray]

    @classmethod
    def of(cls, array: np.ndarray) -> Rows:
        """An array in memory or mapped into it."""
        return cls.deferred(array.shape, array.dtype, lambda: array)

    @classmethod
    def deferred(
        cls, shape: tuple[int, ...], dtype: np.dtype, load: Callable[[], np.ndarray]
    ) -> Rows:
        """An array that can only be read as a whole, once, when it is first asked for."""
        whole = cache(load)
        return cls(shape, dtype, lambda s: whole()[s], lambda s: whole()[:, s].T)

    @property
    def turned(self) -> Rows:
        """The same with rows and columns exchanged."""
        return Rows(self.shape[::-1], self.dtype, self.read_columns, self.read)

    def all(self) -> np.ndarray:
        """The whole array."""
        return self.read(slice(None))


@dataclass(frozen=True)
class Variable:
    """A named array of numbers whose rows are samples.

    Parameters
    ----------
    name
        Its path in the file.
    data
        Shape (sample,), (sample, channel), or (trial, time, channel), which only
        `NAME.trials` can read.
    ids
        Names of the channels; default: `name`, or `name[0]`, `name[1]` and so on.
    word
        What it is, for a listing: "table", "column", "array".
    modality
        Kind of observation model that would fit; "" if none is evident.
    interval
        Time from one sample to the next, s, where the file itself tells it.
    columns
        What else the file says of the channels, one entry a channel.
    notes
        What reading repaired or assumed.
    n_trials
        Rows are so many trials of equal length, one after another.
    """

    name: str
    data: Rows
    ids: tuple[str, ...] = ()
    word: str = "array"
    modality: str = ""
    interval: float | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    n_trials: int = 1

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return self.data.shape[0]

    @property
    def n_channels(self) -> int:
        """Length of the last axis; 1 for a vector."""
        return self.data.shape[-1] if len(self.data.shape) > 1 else 1


class Unreadable(NamedTuple):
    """Something that is in the file and cannot be read: its raw kind, and why."""

    kind: Literal["events", "series", "intervals"]
    why: DataError


@dataclass(frozen=True)
class Table:
    """Everything that a file of plain numbers holds, by path.

    Parameters
    ----------
    where
        The file, for errors.
    variables, events, intervals
        The three raw kinds.
    stamps
        Vectors that could hold the samples' times, by name.
    texts
        Vectors of texts, by name; those named like labels name the channels.
    unreadable
        What is there and cannot be read.
    warnings
        What is to be said of the file as a whole.
    """

    where: str
    variables: Mapping[str, Variable] = field(default_factory=dict)
    events: Mapping[str, Events] = field(default_factory=dict)
    intervals: Mapping[str, Intervals] = field(default_factory=dict)
    stamps: Mapping[str, Rows] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unreadable: Mapping[str, Unreadable] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that is listed."""
        return (*self.variables, *self.events, *self.intervals, *self.unreadable)

    def find(self, path: str) -> Variable:
        """The array at a path; `NAME.T` exchanges its axes, `NAME.trials` puts trials in a row.

        Raises
        ------
        DataError
            There is no such array, or it cannot be read as the path says.
        """
        path = path.strip("/") or WHOLE
        if path in self.variables:
            return self._named(self.variables[path])
        for suffix, change in ((TURNED, _turn), (TRIALS, _lay_out)):
            name = path.removesuffix(suffix)
            if name != path and name in self.variables:
                return self._named(change(self.variables[name], f"{self.where}:{path}"))
        raise self.missing(path, "series", self.variables)

    def missing(self, path: str, kind: str, known: Mapping[str, Any]) -> DataError:
        """The refusal of a path that is not there, or is of another kind."""
        if path in self.unreadable:
            return self.unreadable[path].why
        if path in self.paths:
            return DataError(
                f"{path!r} cannot be read as {kind}",
                where=self.where,
                fix=f"choose one of: {', '.join(sorted(known)) or 'the file has none'}",
            )
        return DataError(
            f"{path!r} is not in the file: {nearest(path, self.paths)}",
            where=self.where,
            fix="`neurodsr inspect` lists what the file holds",
        )

    def _named(self, variable: Variable) -> Variable:
        """The variable with ids: its own, those of a vector of labels, or its name and a number."""
        if variable.ids:
            return variable
        if len(variable.data.shape) == 1:
            return replace(variable, ids=(variable.name,))
        for name, texts in self.texts.items():
            fits = len(texts) == variable.n_channels == len(set(texts))
            if fits and name.rpartition(".")[2].lower() in LABELS:
                note = f"the channels are named by {name!r}"
                return replace(variable, ids=texts, notes=(*variable.notes, note))
        ids = tuple(f"{variable.name}[{i}]" for i in range(variable.n_channels))
        return replace(variable, ids=ids)


def _turn(variable: Variable, where: str) -> Variable:
    if len(variable.data.shape) != 2:
        raise DataError(
            f"an array of shape {variable.data.shape} has no second axis to exchange"
            if len(variable.data.shape) < 2
            else f"an array of shape {variable.data.shape} has three axes, not two",
            where=where,
            fix=f"leave out {TURNED!r}"
            if len(variable.data.shape) < 2
            else f"use {variable.name + TRIALS!r} if its axes are trial, time and channel",
        )
    return replace(variable, data=variable.data.turned, ids=(), columns={})


def _lay_out(variable: Variable, where: str) -> Variable:
    """Trials one after another: (trial, time, ...) becomes (trial * time, channel)."""
    shape = variable.data.shape
    if len(shape) < 2:
        raise DataError(
            f"an array of shape {shape} has no trials",
            where=where,
            fix=f"leave out {TRIALS!r}; it is for arrays (trial, time) or (trial, time, channel)",
        )
    flat = (shape[0] * shape[1], *shape[2:])
    data = Rows.deferred(flat, variable.data.dtype, lambda: variable.data.all().reshape(flat))
    return replace(variable, data=data, ids=(), columns={}, n_trials=shape[0])
