"""Entries of a column that stand for "not known", in the words that labs use for it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Shaped

MISSING_WORDS = frozenset({"", "n/a", "nan", "none", "null"})
"""Lower-case words for a value that is not there. "NA" is kept: it is a region of the brain (the
nucleus ambiguus), and in a table of trials as likely an abbreviation of the lab's own."""


def missing_entries(values: Shaped[np.ndarray, " row"]) -> Bool[np.ndarray, " row"]:
    """Which rows of a column hold no value: NaN in numbers, and "N/A" and the like in texts.

    Words count in any case and with blanks around them; infinite numbers are values.
    """
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind not in "USO":
        return np.zeros(len(values), dtype=bool)
    return np.array([_says_nothing(v) for v in values.tolist()], dtype=bool)


def _says_nothing(value: object) -> bool:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.strip().lower() in MISSING_WORDS
