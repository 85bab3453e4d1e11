"""What names say of a stream: the modality that fits, a label, a lick, an indicator, a nuisance."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from types import MappingProxyType

from neurodsr.modalities.filters.kinetics import INDICATORS
from neurodsr.sources.base import StreamEntry
from neurodsr.sources.missing import MISSING_WORDS
from neurodsr.sources.table import WHOLE

NAMED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "calcium": frozenset({"calcium", "dff", "fluorescence"}),
        "fmri": frozenset({"bold", "fmri"}),
        "lfp": frozenset({"ecog", "eeg", "ieeg", "lfp"}),
    }
)
"""Words by which labs call signals whose file does not say what they are, by modality."""

LABELS = frozenset({"choice", "choices", "response", "outcome", "decision", "correct"})
DIRECTIONS = frozenset(
    {"azimuth", "compassdirection", "direction", "heading", "orientation", "yaw"}
)
DEEDS = frozenset(
    {"blink", "blinks", "leverpress", "leverpresses", "lick", "licking", "licks", "nosepoke",
     "nosepokes", "poke", "pokes", "press", "presses", "saccade", "saccades", "sniff", "sniffs",
     "whisk", "whisks"}
)  # fmt: skip
"""What an animal does at points in time."""
FROM_OUTSIDE = frozenset(
    {"airpuff", "camera", "cue", "cues", "frame", "frames", "laser", "led", "puff", "pulse",
     "pulses", "reward", "rewards", "stim", "stimuli", "stimulus", "sync", "tone", "tones",
     "trigger", "triggers", "ttl", "ttls", "water"}
)  # fmt: skip
"""What happens to the animal, or to the machines around it."""
PLACES = frozenset({"behavior", "behavioralevents"})

NUISANCE = frozenset(
    {"brain", "csf", "dvars", "fd", "framewisedisplacement", "globalsignal", "gs", "vent",
     "ventricle", "ventricles", "whitematter", "wm"}
)  # fmt: skip
UNKNOWN = frozenset({"unknown"})
MOTION = re.compile(r"(trans|rot)(x|y|z).*")


def words(text: str) -> frozenset[str]:
    """The words of a name in lower case: both "leftPaw" and "left_paw" are left and paw."""
    parted = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    return frozenset(re.findall(r"[a-z]+", f"{text} {parted}".lower()))


def is_label(path: str) -> bool:
    """Whether the last part of a path names a choice or an outcome."""
    return bool(LABELS & words(path.rpartition("/")[2]))


def is_direction(path: str) -> bool:
    """Whether a path names a direction, such as that of the head."""
    return bool(DIRECTIONS & words(path))


def is_deed(path: str, channel: str = "") -> bool:
    """Whether events are what an animal does, such as licks; the most specific name decides."""
    place, _, name = path.rpartition("/")
    for told in (words(channel), words(name)):
        if told & DEEDS:
            return True
        if told & FROM_OUTSIDE:
            return False
    return bool(PLACES & words(place))


def names_a_deed(text: str) -> bool:
    """Whether a text, such as a level of a label, speaks of what an animal does."""
    return bool(DEEDS & words(text))


def is_nuisance(channel: str) -> bool:
    """Whether a column of a table of BOLD is no region, but tissue or motion to be taken out."""
    name = re.sub(r"[^a-z]", "", channel.lower())
    return name in NUISANCE or MOTION.fullmatch(name) is not None


def named_kind(path: str, *, file: str) -> str:
    """The modality that the name of a signal speaks of; empty for none, or several.

    Parameters
    ----------
    path
        Path of the signal; the one table of a file has the name of its file instead.
    file
        Path of the file.
    """
    told = words(PurePath(file).stem if path == WHOLE else path)
    kinds = [kind for kind, names in NAMED.items() if names & told]
    return kinds[0] if len(kinds) == 1 else ""


def are_deeds(entry: StreamEntry) -> bool:
    """Whether events, or some of their channels, are what an animal does."""
    ids = entry.channels.ids if entry.channels is not None else ("",)
    return any(is_deed(entry.path, channel) for channel in ids)


def channels_named(kind: str, ids: Iterable[str]) -> tuple[str, ...]:
    """Those channels that are called by a word for the modality."""
    return tuple(i for i in ids if NAMED[kind] & words(i))


def find_indicator(description: str) -> str:
    """The calcium indicator that a description names, as far as its kinetics are known.

    Otherwise the name as the file spells it; empty where it names none.
    """
    known = {_plain(name): name for name in INDICATORS}
    for word in re.findall(r"[\w-]+", description):
        if _plain(word) in known:
            return known[_plain(word)]
    told = re.search(r"(?:^|; )indicator ([^,;]+)", description)
    name = told.group(1).strip() if told else ""
    return "" if name.lower() in MISSING_WORDS | UNKNOWN else name


def _plain(name: str) -> str:
    """An indicator's name without its hyphens and the "j" of Janelia."""
    return re.sub(r"[^a-z0-9]", "", name.lower()).removeprefix("j")
