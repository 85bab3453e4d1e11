"""Light that only columns of the trials tell of, as in many recordings without a light series."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

from neurodsr.sources.missing import missing_entries
from neurodsr.sources.nwb_columns import column_names, is_plain, plain_values
from neurodsr.sources.nwb_nodes import Node, as_text
from neurodsr.sources.nwb_tables import TIMES

LIGHT = re.compile(r"photo[_ ]?stim|photo[_ ]?inhib|opto|laser|light|\bled\b|led_", re.IGNORECASE)
ONSET = re.compile(r"(^|[_ ])(onset|start|begin|on)(_time)?s?$", re.IGNORECASE)
END = re.compile(r"(^|[_ ])(offset|stop|end|off)(_time)?s?$", re.IGNORECASE)
UNIT = re.compile(r"(?<![A-Za-z])([nuµm]?W)(?![A-Za-z])(\s*/\s*mm\^?2|_per_mm2)?")
EPOCHS = {
    "sample": (("sample_start", "pole_in"), ("sample_stop", "sample_end", "pole_out")),
    "delay": (("delay_start", "pole_out"), ("delay_stop", "delay_end", "cue_start", "go_")),
    "response": (("response_start", "cue_start", "go_"), ("response_stop", "response_end")),
}  # fmt: skip
"""Names of columns that may bound an epoch of a delayed-response trial, best first (our own
choice, after the tables of Svoboda-lab recordings: the pole leaves, the delay begins)."""


class Bounds(NamedTuple):
    """Columns between which the light is taken to be on, and what is to be said of that."""

    start: str
    stop: str
    said: str


def photostim_inputs(node: Node) -> list[dict[str, Any]]:
    """Inputs from the columns of a table of trials that give the power of light, if any do.

    Where the file has columns with the light's own times, these bound it. Where it only names an
    epoch of the trial, the columns that bound this epoch do, and the reason says that the exact
    times are not in the file; without either, the whole trial is taken, and said to be.
    """
    numeric = [n for n in column_names(node) if n not in TIMES and _is_numeric(node, n)]
    powers = [n for n in numeric if _about_light(node, n) and "power" in n.lower()]
    powers = [n for n in powers if np.any(plain_values(node, n) > 0)]
    if not powers:
        return []
    value, n_lit = powers[0], int((plain_values(node, powers[0]) > 0).sum())
    given = {"path": node.path, "value": value, "unit": unit_in(node, value)}
    own = _own_times(node, numeric)
    epochs = {} if own else _epochs_lit(node, value)
    if not epochs:
        bounds = own or Bounds(*TIMES, "the file does not say when within a trial the light is on: "
                               "whole trials are taken")  # fmt: skip
        return [given | _bounded(bounds) | {"name": "photostim", "reason": _reason(n_lit, bounds)}]
    column = _epoch_column(node)
    return [
        given
        | _bounded(bounds := _epoch_bounds(epoch, numeric))
        | {
            "name": f"photostim-{epoch}" if len(epochs) > 1 else "photostim",
            "where": {column: epoch},
            "reason": _reason(n, bounds),
        }
        for epoch, n in epochs.items()
    ]


def unit_in(node: Node, column: str) -> str:
    """The unit of power that a column's name, attribute or description spells; "" if none."""
    data = node.dataset(column)
    texts = [column] if data is None else [
        as_text(data.attributes.get("unit", "")), column.replace("_in_", " "),
        as_text(data.attributes.get("description", "")),
    ]  # fmt: skip
    found = next(filter(None, map(UNIT.search, texts)), None)
    if found is None:
        return ""
    return found[1] + ("/mm2" if found[2] else "")


def _reason(n_lit: int, bounds: Bounds) -> str:
    return f"light in {n_lit} rows; {bounds.said}"


def _bounded(bounds: Bounds) -> dict[str, str]:
    """Only what differs from the rows' own times need be written."""
    given = {"start": bounds.start, "stop": bounds.stop}
    return {k: v for (k, v), usual in zip(given.items(), TIMES, strict=True) if v != usual}


def _own_times(node: Node, numeric: list[str]) -> Bounds | None:
    light = [n for n in numeric if _about_light(node, n)]
    onsets, ends = ([n for n in light if p.search(n)] for p in (ONSET, END))
    if not onsets or not ends:
        return None
    said = f"{onsets[0]} and {ends[0]} say when it is on"
    if _mostly_outside(node, onsets[0]):
        said += ", but mostly lie outside of their rows: do they count from each row's start?"
    return Bounds(onsets[0], ends[0], said)


def _mostly_outside(node: Node, column: str) -> bool:
    start, stop, time = (plain_values(node, n).astype(float) for n in (*TIMES, column))
    if not len(start) == len(stop) == len(time):
        return False
    outside = (time < start) | (time > stop)
    return bool(2 * outside.sum() > np.isfinite(time).sum())


def _epoch_column(node: Node) -> str:
    """The column that names the epoch of the trial in which the light is on; "" if none."""
    names = [n for n in column_names(node) if LIGHT.search(n) and is_plain(node, n)]
    texts = (n for n in names if re.search(r"period|epoch|phase", n, re.IGNORECASE))
    return next((n for n in texts if plain_values(node, n).dtype.kind == "U"), "")


def _epochs_lit(node: Node, value: str) -> dict[str, int]:
    """How many rows have light in each epoch that is named."""
    column = _epoch_column(node)
    if not column:
        return {}
    epochs, lit = plain_values(node, column), plain_values(node, value) > 0
    if len(epochs) != len(lit):
        return {}
    found, counts = np.unique(epochs[lit & ~missing_entries(epochs)], return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _epoch_bounds(epoch: str, numeric: list[str]) -> Bounds:
    for word, (first, last) in EPOCHS.items():
        start, stop = _first_with(first, numeric), _first_with(last, numeric)
        if word in epoch.lower() and start and (stop or word == "response"):
            stop = stop or TIMES[1]
            return Bounds(
                start,
                stop,
                f"the file names only the epoch ({epoch}), not the light's exact times: the epoch "
                f"is taken to last from {start} to {stop}, and the light to be steady in it",
            )
    return Bounds(
        *TIMES,
        f"the file names only the epoch ({epoch}), and no column bounds it: whole trials are "
        "taken, which is too long",
    )


def _first_with(words: tuple[str, ...], names: list[str]) -> str:
    return next((n for w in words for n in names if n.lower().startswith(w)), "")


def _is_numeric(node: Node, name: str) -> bool:
    return is_plain(node, name) and node.dataset(name).dtype.kind in "biuf"


def _about_light(node: Node, name: str) -> bool:
    description = as_text(node.dataset(name).attributes.get("description", ""))
    return bool(LIGHT.search(name) or re.search("photo|opto|laser", description, re.IGNORECASE))
