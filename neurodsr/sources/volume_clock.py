"""When each volume of a scan was acquired: the TR settled or refused, and the moment within it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from neurodsr.errors import DataError
from neurodsr.sources.base import DeclaredClock
from neurodsr.sources.nifti_header import NiftiHeader

SHORTEST, LONGEST = 0.05, 20.0
TOLERANCE = 0.01
SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
NAMES = {"sec": "s", "msec": "ms", "usec": "us"}


class VolumeClock(NamedTuple):
    """Time of each volume, s from the start of the first; rate, Hz (0: irregular); decisions."""

    times: Float[np.ndarray, " volume"]
    rate: float
    notes: tuple[str, ...]


def read_volume_clock(
    header: NiftiHeader, sidecar: Mapping[str, Any], *, declared: DeclaredClock | None = None
) -> VolumeClock:
    """The acquisition time of every volume, from the sidecar, the user or the header.

    Starts of the volumes are the sidecar's `VolumeTiming`, or k * TR; the TR is the declared
    interval, the sidecar's `RepetitionTime`, or the header's. A volume's time is its start plus
    the mean of its `SliceTiming`; without slice times it is the middle of its acquisition.

    Parameters
    ----------
    sidecar
        Fields of the BIDS sidecar, inherited ones too; times in s.

    Raises
    ------
    DataError
        No TR, one outside 0.05 to 20 s, a declared interval that the sidecar contradicts, or
        slice or volume times that make no sense.
    """
    wanted = _declared_interval(header, declared)
    if "VolumeTiming" in sidecar:
        starts, notes = _listed_starts(header, sidecar, wanted)
        rate, step = 0.0, float(np.diff(starts).min()) if len(starts) > 1 else math.inf
    else:
        step, notes = _interval(header, sidecar, wanted)
        starts, rate = step * np.arange(header.n_volumes), 1 / step
    duration = _duration(header, sidecar, step, regular=rate > 0)
    moment, how = _moment(header, sidecar, duration, step)
    return VolumeClock(starts + moment, rate, (*notes, how))


def _declared_interval(header: NiftiHeader, declared: DeclaredClock | None) -> float | None:
    if declared is None:
        return None
    if declared.times is not None:
        raise DataError(
            f"clock.times names {declared.times!r}, but an image has no columns",
            where=header.path,
            fix="declare clock: {interval: TR in s} instead",
        )
    return declared.interval


def _listed_starts(
    header: NiftiHeader, sidecar: Mapping[str, Any], wanted: float | None
) -> tuple[Float[np.ndarray, " volume"], list[str]]:
    """The starts that `VolumeTiming` lists, as of a sparse acquisition."""
    starts = _numbers(header, sidecar, "VolumeTiming")
    if len(starts) != header.n_volumes or not (np.diff(starts) > 0).all():
        raise DataError(
            f"VolumeTiming lists {len(starts)} starts for {header.n_volumes} volumes, "
            "or they do not increase",
            where=header.path,
            fix="list one start a volume, in s and in order, in the sidecar",
        )
    steps = np.diff(starts)
    if wanted is not None and (np.abs(steps - wanted) > TOLERANCE * wanted).any():
        raise _contradiction(header, wanted, f"VolumeTiming in steps of {steps[0]:g} s and more")
    unused = "RepetitionTime" in sidecar
    return starts, ["VolumeTiming was used, RepetitionTime was not"] if unused else []


def _interval(
    header: NiftiHeader, sidecar: Mapping[str, Any], wanted: float | None
) -> tuple[float, list[str]]:
    """The TR in s: the declared one, the sidecar's, or the header's, in this order."""
    said, stored = _number(header, sidecar, "RepetitionTime"), _header_interval(header)
    shown = f"{header.time_step:g} {NAMES.get(header.time_unit, '')}".strip()
    unused = f"the header's TR of {shown} was not used"
    if wanted is not None:
        if said is not None and _plausible(said) and _apart(said, wanted):
            raise _contradiction(header, wanted, f"RepetitionTime {said:g} s")
        notes = [f"{unused}: it was declared"] if stored and _apart(stored, wanted) else []
        if said is not None and _apart(said, wanted):
            notes.append(f"a RepetitionTime of {said:g} s was not used: the TR was declared")
        return wanted, notes
    if said is not None:
        if not _plausible(said):
            raise _implausible(header, f"RepetitionTime is {said:g} s", said)
        differs = stored is not None and _apart(stored, said)
        return said, [f"{unused}: the sidecar says {said:g} s"] if differs else []
    if stored is None:
        stands = f"{header.time_step:g}, unit {header.time_unit}"
        raise _implausible(header, f"no sidecar gives a TR; the header's ({stands}) is none", 0.0)
    if not _plausible(stored):
        raise _implausible(header, f"the header says a TR of {shown}", header.time_step)
    if header.time_unit in SECONDS:
        return stored, []
    return stored, [f"the header's TR of {shown} has no unit: {stored:g} s is plausible, no other"]


def _header_interval(header: NiftiHeader) -> float | None:
    """The header's TR in s; None where it says none.

    Without a unit the one reading that is plausible counts, except for exactly 1: that is what
    programs leave there when they know nothing.
    """
    step = header.time_step
    if not (math.isfinite(step) and step > 0):
        return None
    if header.time_unit in SECONDS:
        return step * SECONDS[header.time_unit]
    if header.time_unit != "unknown" or step == 1:
        return None
    return next((step * s for s in SECONDS.values() if _plausible(step * s)), None)


def _duration(
    header: NiftiHeader, sidecar: Mapping[str, Any], step: float, *, regular: bool
) -> float | None:
    """How long the scanner takes for one volume, s; None where nothing says so."""
    for key in ("FrameAcquisitionDuration", "AcquisitionDuration"):
        # Converters also write the length of the whole run under the second name.
        found = _number(header, sidecar, key)
        if found is not None and 0 < found <= step * (1 + TOLERANCE):
            return found
    delay = _number(header, sidecar, "DelayTime") or 0.0
    if not 0 <= delay < step:
        raise DataError(
            f"DelayTime {delay:g} s is not shorter than the step of {step:g} s between volumes",
            where=header.path,
            fix="correct DelayTime in the sidecar: a time in s without acquisition in each TR",
        )
    known = regular or (delay > 0 and math.isfinite(step))
    return step - delay if known else None


def _moment(
    header: NiftiHeader, sidecar: Mapping[str, Any], duration: float | None, step: float
) -> tuple[float, str]:
    """The moment within a volume that its values stand for, s from its start; and why."""
    start = _number(header, sidecar, "StartTime")
    if sidecar.get("SliceTimingCorrected") is True and start is not None:
        return start, f"slices were corrected to {start:g} s after a volume's start: its time"
    late = start or 0.0
    if "SliceTiming" in sidecar and sidecar.get("SliceTimingCorrected") is not True:
        times = _slice_times(header, sidecar, step)
        moment, why = float(times.mean()), f"the mean of its {len(times)} slice times"
    elif duration is not None:
        moment, why = duration / 2, "the middle of its acquisition"
    else:
        moment, why = 0.0, "for how long it takes is not known"
    delayed = f"; StartTime adds {late:g} s" if late else ""
    return moment + late, f"a volume's time is its start + {moment:.6g} s, {why}{delayed}"


def _slice_times(
    header: NiftiHeader, sidecar: Mapping[str, Any], step: float
) -> Float[np.ndarray, " slice"]:
    times = _numbers(header, sidecar, "SliceTiming")
    span = f"{times.min():g} to {times.max():g} s" if len(times) else "nothing"
    if (
        not len(times)
        or times.min() < 0
        or times.max() > step
        or len(times) > max(header.shape[:3])
    ):
        raise DataError(
            f"SliceTiming lists {len(times)} times, {span}, for volumes of shape "
            f"{header.shape[:3]} every {step:g} s",
            where=header.path,
            fix="write SliceTiming in s, one time a slice from 0 to the TR, or take it out of "
            "the sidecar",
        )
    return times


def _number(header: NiftiHeader, sidecar: Mapping[str, Any], key: str) -> float | None:
    """A finite number of the sidecar; None where it has no such field."""
    return None if key not in sidecar else float(_numbers(header, {key: [sidecar[key]]}, key)[0])


def _numbers(
    header: NiftiHeader, sidecar: Mapping[str, Any], key: str
) -> Float[np.ndarray, " number"]:
    found = sidecar[key]
    good = isinstance(found, list) and all(
        isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in found
    )
    if not good:
        raise DataError(
            f"the sidecar's {key} is {str(found)[:60]}, not made of numbers",
            where=header.path,
            fix=f"write {key} as the BIDS standard says: numbers, in s",
        )
    return np.array(found, dtype=np.float64)


def _plausible(seconds: float) -> bool:
    return SHORTEST <= seconds <= LONGEST


def _apart(one: float, other: float) -> bool:
    return abs(one - other) > TOLERANCE * other


def _contradiction(header: NiftiHeader, wanted: float, said: str) -> DataError:
    return DataError(
        f"clock.interval is {wanted:g} s, but the sidecar says {said}",
        where=header.path,
        fix="remove clock.interval, or correct the sidecar",
    )


def _implausible(header: NiftiHeader, what: str, number: float) -> DataError:
    """The refusal that shows the other reading of a number, where one makes sense."""
    other = [(u, number * f) for u, f in SECONDS.items() if _plausible(number * f)]
    reading = "".join(f"; read as {NAMES[u]} it would be {s:g} s" for u, s in other)
    seconds = f"{other[0][1]:g}" if other else "TR in s"
    name = os.path.basename(header.path).removesuffix(".gz").removesuffix(".nii") + ".json"
    return DataError(
        f"{what}; a TR lies between {SHORTEST:g} and {LONGEST:g} s{reading}",
        where=header.path,
        fix=f'write {{"RepetitionTime": {seconds}}} into {name} beside it, '
        f"or declare clock: {{interval: {seconds}}}",
    )
