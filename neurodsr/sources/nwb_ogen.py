"""Light that an NWB file tells of, in its four layouts, as inputs that a run could have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from neurodsr.sources.nwb_columns import column_names, is_plain, plain_values
from neurodsr.sources.nwb_nodes import Node, name_some, reading
from neurodsr.sources.nwb_photostim import photostim_inputs, unit_in

POWER, WIDTH, PERIOD = "power_in_mW", "pulse_length_in_ms", "period_in_ms"
ON, PULSES, TRAINS = "stimulation_on", "number_pulses_per_pulse_train", "number_trains"
CONDITIONS = ("condition", "stimulus_name")
MAX_CONDITIONS = 8
MAX_SAMPLES = 1_000_000
"""Samples up to which a series is read to see whether the light is ever off."""


def propose_inputs(nodes: Mapping[str, Node]) -> tuple[dict[str, Any], ...]:
    """Light as inputs: the fields that a run's input would have, a name, and one sentence why.

    Sampled light (OptogeneticSeries) and tables of light (ndx-optogenetics, optotagging) are all
    proposed; columns of trials only where there is neither, as they tell least of when the light
    was on. What the file leaves open is said in the reason.
    """
    found = [
        *(p for node in nodes.values() if node.is_a("OptogeneticSeries") for p in _sampled(node)),
        *(p for node in _tables(nodes) for p in _from_table(node)),
    ]
    if not found:
        found = [p for node in _tables(nodes) for p in photostim_inputs(node)]
    return tuple(_named_apart(_once(found)))


def _once(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pulses and the epochs they lie in may both be there: added up, they would be too much."""
    paths = list(dict.fromkeys(p["path"] for p in found))
    if len(paths) < 2:
        return found
    doubt = f"; this file tells of light in {name_some(paths)}: keep one if they are the same light"
    return [p | {"reason": p["reason"] + doubt} for p in found]


def _tables(nodes: Mapping[str, Node]) -> Iterator[Node]:
    return (node for node in nodes.values() if node.is_a("TimeIntervals"))


def _sampled(node: Node) -> Iterator[dict[str, Any]]:
    data = node.dataset("data")
    if data is None or data.kind != "number" or not data.shape or not data.shape[0]:
        return
    reason = "light as it was sampled, in the file's unit"
    with reading(node.where):
        stamped = node.dataset("timestamps") is not None
        if stamped and data.shape[0] <= MAX_SAMPLES and np.all(data[:] != 0):
            reason += "; no sample is 0, so the file may hold one sample a pulse and not say when "
            reason += "the light went off: check before use"
    yield {"name": _short(node), "path": node.path, "reason": reason}


def _from_table(node: Node) -> list[dict[str, Any]]:
    columns = set(column_names(node))
    # A table with a row a pulse has a power and no more.
    if any(kind.startswith("Optogenetic") for kind in node.types) or (
        columns & {POWER, WIDTH} and columns & {ON, PERIOD}
    ):
        return [_epochs(node, columns)]
    if any(part.lower().startswith("optotag") for part in node.path.split("/")):
        return _optotagging(node)
    return []


def _epochs(node: Node, columns: set[str]) -> dict[str, Any]:
    """A table of ndx-optogenetics: power, and pulses within each row unless a row is a pulse."""
    given: dict[str, Any] = {"name": _short(node), "path": node.path}
    doubts = []
    if POWER in columns:
        given |= {"value": POWER, "unit": "mW"}
    else:
        doubts.append("the table has no power, so the input is the fraction of time lit")
    if ON in columns:
        given["where"] = {ON: True}
    if {WIDTH, PERIOD} <= columns and np.any(_numbers(node, PERIOD) > 0):
        given["pulse"] = [WIDTH, PERIOD]
        doubts += _pauses(node)
    a_row = "a stretch of pulsed or steady light" if columns & {ON, PERIOD, WIDTH} else "a pulse"
    return given | {"reason": "; ".join([f"each row is {a_row}", *doubts])}


def _pauses(node: Node) -> list[str]:
    """Rows in which the light pauses between trains, or ends before its row."""
    starts, stops = _numbers(node, "start_time"), _numbers(node, "stop_time")
    pulses, trains = _numbers(node, PULSES), _numbers(node, TRAINS)
    period = _numbers(node, PERIOD)
    if not len(starts) == len(stops) == len(pulses) == len(period):
        return []
    short = (pulses > 0) & (pulses * period * 1e-3 < stops - starts - period * 1e-3)
    if len(trains) == len(starts):
        short |= trains > 1
    if not short.any():
        return []
    return [
        f"in {int(short.sum())} rows the pulses do not fill the row ({PULSES}, {TRAINS}), but are "
        "taken to: write each train as a row of its own"
    ]


def _optotagging(node: Node) -> list[dict[str, Any]]:
    """A table of optotagging: each condition is a waveform of its own, and so an input."""
    given: dict[str, Any] = {"path": node.path}
    reason = "light while a row lasts"
    if len(_numbers(node, "level")):
        given |= {"value": "level", "unit": unit_in(node, "level")}
        reason += " at its level" + ("" if given["unit"] else ", whose unit the file does not say")
    reason += "; the waveform within a row is told in words only, and taken as steady"
    column, values = _conditions(node)
    if not values:
        return [given | {"name": _short(node), "reason": reason}]
    return [
        given
        | {
            "name": _slug(value),
            "where": {column: value},
            "reason": f"{reason} ({name_some([value], limit=1)})",
        }
        for value in values
    ]


def _conditions(node: Node) -> tuple[str, list[str]]:
    for column in CONDITIONS:
        if is_plain(node, column):
            values = np.unique(plain_values(node, column).astype(str)).tolist()
            if 1 < len(values) <= MAX_CONDITIONS:
                return column, values
    return "", []


def _numbers(node: Node, column: str) -> np.ndarray:
    """A column of numbers; empty if the table has none of that name."""
    values = plain_values(node, column) if is_plain(node, column) else np.zeros(0)
    return values.astype(np.float64) if values.dtype.kind in "biuf" else np.zeros(0)


def _short(node: Node) -> str:
    return _slug(node.path.rpartition("/")[2])


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "light"


def _named_apart(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same proposals, a number behind every name that was there before."""
    taken: set[str] = set()
    for proposal in found:
        name, n = proposal["name"], 1
        while name in taken:
            n += 1
            name = f"{proposal['name']}-{n}"
        taken.add(name)
        yield {**proposal, "name": name}
