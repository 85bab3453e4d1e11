"""What `init` writes of a stream beside its kind and path, each setting with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from neurodsr.ingest.inspection import ColumnInspection, StreamInspection
from neurodsr.ingest.names import channels_named, find_indicator, is_deed, is_nuisance
from neurodsr.ingest.values import unit_of_angle
from neurodsr.modalities.calcium import UNKNOWN_DECAY
from neurodsr.modalities.directions import DEGREES, RADIANS
from neurodsr.modalities.filters.kinetics import INDICATORS

ACCEPTED = frozenset({"accepted", "iscell", "is_cell"})
TRUTHS = MappingProxyType({"1": 1, "True": True})

USUAL = frozenset({"", "gaussian", "fluorescence"})
"""Kinds of values that a modality takes its stream for without being told."""
REASONS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("behavior", "categorical"): "labels; gaussian for a continuous signal",
        ("behavior", "events"): "points in time: a bin has one or none",
        ("behavior", "angle"): "a direction: 359 and 1 degrees are near each other",
        ("behavior", "student"): "noise with heavy tails: a tracker jumps now and then",
        ("calcium", "events"): "deconvolved, and there is no fluorescence of these cells",
    }
)


class Setting(NamedTuple):
    """One line of a stream's configuration."""

    field: str
    value: Any
    reason: str


def settings_of(stream: StreamInspection) -> tuple[Setting, ...]:
    """Everything that the proposed modality should be told of a stream."""
    own = OWN.get(stream.proposed)
    return (
        *observation_settings(stream.proposed, stream.observation),
        *(own(stream) if own is not None else ()),
        *_accepted(stream),
        *_clock(stream),
    )


def observation_settings(kind: str, observation: str) -> Iterator[Setting]:
    """The kind of values, where it is not the one that the modality assumes."""
    if observation not in USUAL:
        yield Setting("observation", observation, REASONS[kind, observation])


def remark_on(stream: StreamInspection) -> str:
    """What a scientist should know of a stream's modality beside its settings; often nothing."""
    return "; ".join(filter(None, (_on_name(stream), _on_indicator(stream))))


def _on_name(stream: StreamInspection) -> str:
    named = stream.by_name and stream.proposed == stream.modality
    return "concluded from its name alone" if named else ""


def _on_indicator(stream: StreamInspection) -> str:
    """What the kinetics are worth where the indicator is not one of those that are known."""
    if stream.proposed != "calcium" or stream.observation == "events":
        return ""
    name = find_indicator(stream.description)
    if name in INDICATORS:
        return ""
    told = f"the kinetics of {name} are not known here" if name else "the file names no indicator"
    return f"{told}: give decay in s; it is learned from {UNKNOWN_DECAY:g} s on else"


def _behavior(stream: StreamInspection) -> Iterator[Setting]:
    known = stream.unit.strip().lower() in RADIANS | DEGREES
    if stream.observation == "angle" and not known and stream.extent is not None:
        unit = unit_of_angle(stream.unit, stream.extent)
        yield Setting("angle_unit", unit, "by their size: the file names no unit of angles")
    if stream.kind == "events":
        deeds = [i for i in stream.ids if is_deed(stream.path, i)]
        if 0 < len(deeds) < len(stream.ids):
            yield Setting("channels", deeds, "what the animal does; not what happens to it")


def _calcium(stream: StreamInspection) -> Iterator[Setting]:
    indicator = find_indicator(stream.description)
    if indicator in INDICATORS and stream.observation != "events":
        yield Setting("indicator", indicator, "as the file names it; its kinetics are a start")


def _fmri(stream: StreamInspection) -> Iterator[Setting]:
    named = channels_named("fmri", stream.ids)
    nuisance = [] if named else [i for i in stream.ids if is_nuisance(i)]
    used = list(named) or [i for i in stream.ids if i not in nuisance]
    if not 0 < len(used) < len(stream.ids):
        return
    yield Setting("channels", used, "by their names; the others are no regions")
    if nuisance:
        paths = [f"{stream.path}/{name}" for name in nuisance]
        yield Setting("nuisance", paths, "taken out of the signal: tissue, whole brain or motion")


def _accepted(stream: StreamInspection) -> Iterator[Setting]:
    """Of regions of interest those that are cells, where the file says which."""
    for column in stream.columns if stream.modality == "calcium" else ():
        name = column.path.rsplit("/", 1)[-1]
        if name.lower() in ACCEPTED and _tells_apart(column):
            truth = next(TRUTHS[level] for level in column.levels if level in TRUTHS)
            yield Setting("where", {name: truth}, "only channels of these values")
            return


def _clock(stream: StreamInspection) -> Iterator[Setting]:
    if stream.clock is not None:
        declared = stream.clock.model_dump(mode="json", exclude_defaults=True)
        yield Setting("clock", declared, "as declared: the file does not say it")


def _tells_apart(column: ColumnInspection) -> bool:
    """Whether some channels are accepted, and some are not."""
    return column.n_levels == 2 and bool(set(column.levels) & TRUTHS.keys())


OWN: Mapping[str, Callable[[StreamInspection], Iterator[Setting]]] = MappingProxyType(
    {"behavior": _behavior, "calcium": _calcium, "fmri": _fmri}
)
