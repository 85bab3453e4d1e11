"""Which kind of values a stream has (labels, angles, licks): by name, unit and themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import inf, pi
from types import MappingProxyType

import numpy as np
from jaxtyping import Shaped

from neurodsr.ingest.inspection import Observation, StreamInspection
from neurodsr.ingest.names import is_deed, is_direction, is_label
from neurodsr.modalities.directions import DEGREES, RADIANS
from neurodsr.sources.missing import MISSING_WORDS
from neurodsr.sources.nwb_pose import POSE

FALLBACK = "behavior"
MIN_LEVELS, MAX_LEVELS = 2, 12
NO_UNIT = MISSING_WORDS | {"n.a.", "na", "a.u.", "arbitrary unit", "arbitrary units", "unknown"}
DECONVOLVED = re.compile(r"deconv|spike|spks")
ROUNDING = 1e-6

Values = Shaped[np.ndarray, " value"]
Rule = Callable[[StreamInspection, Values], bool]


def observation_of(found: StreamInspection, values: Values) -> Observation:
    """The kind of values, as the modality that would take them calls it; "" if it has but one.

    Parameters
    ----------
    found
        What is known of the stream already.
    values
        All values that are not missing.
    """
    if not len(values):
        return ""
    rules = RULES.get(found.proposed or FALLBACK, {})
    return next((name for name, fits in rules.items() if fits(found, values)), "")


def unit_of_angle(unit: str, extent: tuple[float, float]) -> str:
    """The unit of angles, "rad" or "deg"; concluded from their size where the file names none.

    Empty if it is another unit, or they fit neither.
    """
    spelled, largest = unit.strip().lower(), max(abs(x) for x in extent)
    if spelled in RADIANS or (spelled in NO_UNIT and largest <= 2 * pi * (1 + ROUNDING)):
        return "rad"
    return "deg" if spelled in DEGREES or (spelled in NO_UNIT and largest <= 360) else ""


def _are_labels(found: StreamInspection, values: Values) -> bool:
    """The name says so and they are a few whole numbers."""
    if found.n_channels != 1 or not is_label(found.path):
        return False
    levels = np.unique(values)
    whole = np.array_equal(levels, np.round(levels))
    return bool(whole and MIN_LEVELS <= len(levels) <= MAX_LEVELS)


def _are_happenings(found: StreamInspection, values: Values) -> bool:
    """Samples that are 1 where a lick is, say, and 0 elsewhere."""
    return is_deed(found.path) and np.array_equal(np.unique(values), [0, 1])


def _are_angles(found: StreamInspection, values: Values) -> bool:
    """Name or unit say so, and they cover more than half a turn: less needs no circle.

    Angles of which only the unit is known may be those of a wheel, whose turns count: they have to
    stay within one turn.
    """
    low, high = float(values.min()), float(values.max())
    unit = unit_of_angle(found.unit, (low, high))
    named = is_direction(found.path)
    if not unit or not (named or found.unit.strip().lower() in RADIANS | DEGREES):
        return False
    turn = 360 if unit == "deg" else 2 * pi
    return turn / 2 < high - low <= (inf if named else turn * (1 + ROUNDING))


def _are_poses(found: StreamInspection, values: Values) -> bool:
    return found.neurodata_type == POSE


def _are_deconvolved(found: StreamInspection, values: Values) -> bool:
    return DECONVOLVED.search(found.path.lower()) is not None and bool(values.min() >= 0)


def _are_numbers(found: StreamInspection, values: Values) -> bool:
    return True


RULES: Mapping[str, Mapping[Observation, Rule]] = MappingProxyType(
    {
        "behavior": {
            "categorical": _are_labels,
            "events": _are_happenings,
            "angle": _are_angles,
            "student": _are_poses,
            "gaussian": _are_numbers,
        },
        "calcium": {"events": _are_deconvolved, "fluorescence": _are_numbers},
    }
)
"""Kinds of values of each modality that has several; the first that fits is taken."""
