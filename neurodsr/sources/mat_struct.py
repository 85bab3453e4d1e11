"""What MATLAB's nested structs, cells and texts are here: named arrays, events and labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from neurodsr.data.streams import Events
from neurodsr.errors import DataError
from neurodsr.sources.mat5 import NotRead, Value
from neurodsr.sources.table import Rows, Table, Unreadable, Variable
from neurodsr.sources.table_events import cells_to_events

MAX_DEPTH = 8
MAX_NESTED = 100
"""Elements of a cell array that are looked into one by one."""


@dataclass
class MatContents:
    """Collects what a MAT-file holds, by dotted names such as "data.LFP" and "spikes{3}".

    Parameters
    ----------
    where
        The file, for errors.
    """

    where: str
    variables: dict[str, Variable] = field(default_factory=dict)
    events: dict[str, Events] = field(default_factory=dict)
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    scalars: dict[str, float] = field(default_factory=dict)

    def table(self) -> Table:
        """Everything collected, with vectors as possible clocks."""
        vectors = {n: v.data for n, v in self.variables.items() if len(v.data.shape) == 1}
        return Table(
            self.where,
            variables=self.variables,
            events=self.events,
            stamps=vectors,
            texts=self.texts,
            unreadable=self.unreadable,
        )

    def add_array(self, name: str, data: Rows) -> None:
        """An array of numbers; a row or column of them is a vector."""
        if data.dtype.kind not in "biuf":
            self.refuse(name, f"an array of {data.dtype}", "save real numbers")
        elif len(data.shape) > 3:
            self.refuse(
                name,
                f"an array of shape {data.shape}",
                "save an array of shape (time, channel) or (trial, time, channel)",
            )
        elif math.prod(data.shape) == 1:
            self.scalars[name] = float(data.all().item())
        elif math.prod(data.shape):
            self.variables[name] = Variable(name, data)

    def add_cells(self, name: str, cells: Sequence[Value], *, depth: int = 0) -> None:
        """The elements of a cell array: texts, spike times of one neuron each, or anything."""
        if cells and all(isinstance(c, tuple) for c in cells):
            self.texts[name] = tuple(" ".join(c) for c in cells)
        elif all(is_vector(c) for c in cells):
            self._add_vectors(name, [np.ravel(c) for c in cells])
        elif len(cells) > MAX_NESTED:
            self.refuse(name, f"{len(cells)} cells of several kinds", "save a struct or a matrix")
        else:
            for i, cell in enumerate(cells):
                self.add_value(f"{name}{{{i + 1}}}", cell, depth=depth + 1)

    def add_value(self, name: str, value: Value, *, depth: int = 0) -> None:
        """Anything that MATLAB can save; objects and functions are named and left alone."""
        if depth > MAX_DEPTH:
            self.refuse(name, f"something nested more than {MAX_DEPTH} deep", "save it by itself")
        elif isinstance(value, NotRead):
            self.refuse(name, value.what, "save its numbers as a full matrix of real numbers")
        elif isinstance(value, Mapping):
            # A field of a struct array is a cell for each struct.
            for own, cells in value.items():
                if len(cells) == 1:
                    self.add_value(f"{name}.{own}", cells[0], depth=depth + 1)
                elif cells:
                    self.add_cells(f"{name}.{own}", cells, depth=depth + 1)
        elif isinstance(value, np.ndarray):
            self.add_array(name, Rows.of(squeeze(value)))
        elif isinstance(value, tuple):
            self.texts[name] = value
        else:
            self.add_cells(name, value, depth=depth)

    def refuse(self, name: str, what: str, fix: str) -> None:
        """List something that is in the file and cannot be read."""
        error = DataError(f"{what} is no signal", where=f"{self.where}:{name}", fix=fix)
        self.unreadable[name] = Unreadable("series", error)

    def _add_vectors(self, name: str, vectors: list[np.ndarray]) -> None:
        # Single numbers are properties, one a cell: a depth, a quality.
        if all(len(v) <= 1 for v in vectors):
            return
        try:
            self.events[name] = cells_to_events(vectors, name, where=f"{self.where}:{name}")
        except DataError as error:
            self.unreadable[name] = Unreadable("events", error)


def squeeze(value: np.ndarray) -> np.ndarray:
    """A vector where MATLAB has a row or a column; anything else as it is."""
    return np.ravel(value) if squeezed(value.shape) != value.shape else value


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape (n,) of a row or a column; any other shape as it is."""
    row_or_column = len(shape) == 2 and 1 in shape
    return (math.prod(shape),) if row_or_column else shape


def is_vector(value: object) -> bool:
    """Whether a cell is a row, a column, or empty."""
    return isinstance(value, np.ndarray) and (not value.size or len(squeezed(value.shape)) == 1)
