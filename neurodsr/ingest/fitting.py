"""Which modality fits a stream, and which one would be proposed with what is installed."""

from __future__ import annotations

import math

from neurodsr.ingest.inspection import StreamInspection
from neurodsr.ingest.names import are_deeds, named_kind
from neurodsr.ingest.values import FALLBACK
from neurodsr.modalities.hrf import HrfConfig
from neurodsr.run_config import SplitConfig
from neurodsr.sources.base import StreamEntry
from neurodsr.sources.nwb_pose import POSE

SIMULATION = "processing/simulation"
EVENT_LIST = "event list"
"""What a source calls events of which the file does not say what they are."""
FINER = {POSE: "keypoints"}
"""Modalities of plug-ins that know more of a type than the one that the file suggests."""


def fit_modality(entry: StreamEntry, kinds: frozenset[str], *, file: str) -> tuple[str, bool]:
    """The modality that fits an entry, installed or not, and whether only names say so.

    Parameters
    ----------
    kinds
        Modalities that are installed.
    file
        Path of the file, whose name may say what its one table is.
    """
    if FINER.get(entry.neurodata_type) in kinds:
        return FINER[entry.neurodata_type], False
    told = entry.modality
    if entry.kind == "events":
        fits = _fit_events(entry)
        return fits, fits not in ("", told)
    # The columns of a table are used with the whole table.
    silent = not told and entry.kind == "series" and entry.neurodata_type != "column"
    named = named_kind(entry.path, file=file) if silent else ""
    return named or told, bool(named)


def _fit_events(entry: StreamEntry) -> str:
    """Of a container of behavior, too, only what the animal does is behavior; a reward is not."""
    told = entry.modality
    guessed = told in ("", FALLBACK) or entry.neurodata_type == EVENT_LIST
    if guessed and are_deeds(entry):
        return FALLBACK
    return "" if told == FALLBACK else told


def propose_modality(found: StreamInspection, kinds: frozenset[str]) -> str:
    """The modality itself, or a plain signal in place of one that cannot be used for a signal.

    That is one that is not installed, or BOLD too short for its response. Empty for none.
    """
    if found.path.startswith(f"{SIMULATION}/"):
        return ""
    if not found.modality or (found.modality in kinds and not is_too_short(found)):
        return found.modality
    return FALLBACK if found.kind == "series" and FALLBACK in kinds else ""


def is_too_short(found: StreamInspection) -> bool:
    """Whether what `split` leaves of BOLD to train on does not outlast the hemodynamic response."""
    trained = 1 - SplitConfig().validation - SplitConfig().test
    lasts = math.inf if found.duration is None else found.duration
    return found.modality == "fmri" and trained * lasts <= HrfConfig().length
