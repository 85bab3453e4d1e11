"""The levels of a label: which there are, in what order, and which of them never occur."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from neurodsr.data.channels import Channels
from neurodsr.errors import DataError, nearest

MAX_LEVELS = 64
SHOWN = 5


def level_codes(
    texts: tuple[str, ...],
    declared: tuple[str, ...] | None,
    *,
    ordered: bool,
    where: str,
    place: Callable[[str], str],
) -> tuple[tuple[str, ...], Int[np.ndarray, " text"]]:
    """The levels in the order of their codes, and the code of each text that was found.

    Declared levels keep their order; a number is the same level however it is written. Otherwise
    the levels are those that were found: in the order given, or by number where order matters.

    Parameters
    ----------
    texts
        The different labels of the file, sorted.
    declared
        The levels that the configuration names, in order.
    ordered
        Whether the order of the levels has to mean something.
    place
        Says where a text first occurs.

    Raises
    ------
    DataError
        There are too few or too many levels, a text is none of the declared ones, or texts that
        are no numbers should be ordered.
    """
    levels = texts if declared is None else declared
    if ordered and declared is None:
        levels = _by_number(texts, where)
    if not 2 <= len(levels) <= MAX_LEVELS:
        raise DataError(
            f"a label with {len(levels)} levels; 2 to {MAX_LEVELS} are usable",
            where=where,
            fix="use observation: gaussian for a continuous signal, or drop the stream",
        )
    codes = [_code(text, levels) for text in texts]
    if None in codes:
        text = texts[codes.index(None)]
        raise DataError(
            f"the level {text!r} ({place(text)}) is not declared: {nearest(text, levels)}",
            where=where,
            fix=f"add it to `levels`, which are {', '.join(levels)}, or correct the data",
        )
    return levels, np.array(codes, dtype=int)


def absent_levels(
    values: Float[np.ndarray, "time channel"],
    mask: Bool[np.ndarray, "time channel"],
    channels: Channels,
) -> tuple[str, ...]:
    """A note on the levels that never occur on the grid, for each channel that lacks some."""
    notes = []
    for c, name in enumerate(channels.ids):
        here = set(values[mask[:, c], c].astype(int).tolist())
        absent = [level for code, level in enumerate(channels.levels) if code not in here]
        if absent and here:
            more = f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
            notes.append(f"{name} never takes the level {', '.join(absent[:SHOWN])}{more}")
    return tuple(notes)


def _by_number(texts: tuple[str, ...], where: str) -> tuple[str, ...]:
    unclear = [text for text in texts if _number(text) is None]
    if unclear:
        raise DataError(
            f"the order of the levels {', '.join(map(repr, texts[:SHOWN]))} is not known: "
            f"{unclear[0]!r} is no number",
            where=where,
            fix="declare them from the lowest to the highest, such as levels: [low, mid, high]",
        )
    return tuple(sorted(texts, key=_number))


def _code(text: str, levels: tuple[str, ...]) -> int | None:
    """Place of a text, or of another text for the same number, among the levels."""
    if text in levels:
        return levels.index(text)
    number = _number(text)
    same = (k for k, level in enumerate(levels) if _number(level) == number)
    return None if number is None else next(same, None)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
