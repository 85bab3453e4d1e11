"""Rows of a table chosen by the values of its columns, without expressions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool
from pydantic import Field, model_validator

from neurodsr.config import Config
from neurodsr.errors import DataError, nearest


class Range(Config):
    """Numbers from `min` to `max`, both included; one of them may be left open."""

    min: float | None = Field(None, description="Smallest value that is kept.")
    max: float | None = Field(None, description="Largest value that is kept.")

    @model_validator(mode="after")
    def _not_empty(self) -> Range:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        return self


Scalar = bool | int | float | str
Condition = Scalar | tuple[Scalar, ...] | Range
Selection = dict[str, Condition]
"""Column name -> the value, the values, or the range that a row must have; all must hold."""


def select_rows(
    columns: Mapping[str, np.ndarray], selection: Selection, *, n_rows: int, where: str
) -> Bool[np.ndarray, " row"]:
    """Which rows meet every condition; a missing value (NaN) meets none.

    Raises
    ------
    DataError
        A column is not in the table, does not hold one value a row, or is no number where a range
        is asked for.
    """
    keep = np.ones(n_rows, dtype=bool)
    for name, condition in selection.items():
        if name not in columns:
            raise DataError(
                f"there is no column {name!r} to select by: {nearest(name, columns)}",
                where=where,
                fix=f"choose one of: {', '.join(columns) or 'none, the table has no columns'}",
            )
        keep &= _meets(np.asarray(columns[name]), condition, f"{where}/{name}")
    return keep


def _meets(values: np.ndarray, condition: Condition, where: str) -> Bool[np.ndarray, " row"]:
    if not isinstance(condition, Range):
        wanted = condition if isinstance(condition, tuple) else (condition,)
        return np.any([_equal(values, value) for value in wanted], axis=0)
    if values.dtype.kind not in "biuf":
        raise DataError(
            f"min and max were given for a column of {values.dtype}, not of numbers",
            where=where,
            fix=f"name the values instead, such as {str(values[0])!r}" if len(values) else "",
        )
    low = -np.inf if condition.min is None else condition.min
    high = np.inf if condition.max is None else condition.max
    return (values >= low) & (values <= high)


def _equal(values: np.ndarray, wanted: Scalar) -> Bool[np.ndarray, " row"]:
    """Numbers are compared as numbers, texts as texts; the two never match."""
    if isinstance(wanted, str) == (values.dtype.kind in "biuf"):
        return np.zeros(len(values), dtype=bool)
    return values == wanted
