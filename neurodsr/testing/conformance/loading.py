"""What a loaded stream looks like: shapes, masks, finite values, names and units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodsr.data.streams import Stream
from neurodsr.testing.conformance.case import Case
from neurodsr.testing.conformance.verdict import NotApplicableError, require

LOAD = "Modality.load and Stream (neurodsr/data/streams.py)"


def check_load_gives_a_stream(case: Case) -> None:
    """Loading gives values and mask [time, channel], a row for every bin of the grid."""
    stream, n_bins = case.stream, case.grid.n_bins
    require(
        isinstance(stream, Stream),
        expected="a neurodsr.data.streams.Stream",
        found=f"a {type(stream).__name__}",
        contract=LOAD,
        fix="return Stream(values, mask, channels, unit, notes)",
    )
    require(
        stream.n_bins == n_bins and stream.n_channels >= 1,
        expected=f"{n_bins} bins, those of the grid, and a channel or more",
        found=f"{stream.n_bins} bins of {stream.n_channels} channels",
        contract=LOAD,
        fix="let the grid turn time into bins: grid.average, grid.interpolate, grid.count",
    )
    require(
        np.asarray(stream.mask[:]).dtype == bool,
        expected="a mask of booleans",
        found=f"one of {np.asarray(stream.mask[:]).dtype}",
        contract=LOAD,
        fix="mask.astype(bool), where True says that something was observed",
    )


def check_something_is_observed(case: Case) -> None:
    """The mask is True somewhere: the stream was on the grid."""
    mask = np.asarray(case.stream.mask[:], dtype=bool)
    require(
        mask.any(),
        expected="some True in the mask of a recording that covers the grid",
        found=f"none among {mask.size} entries",
        contract=LOAD,
        fix="the mask says where something WAS observed, not where it is missing",
    )


def check_masked_values_are_zero(case: Case) -> None:
    """Where the mask is False the value is 0."""
    values, mask = np.asarray(case.stream.values[:]), np.asarray(case.stream.mask[:], dtype=bool)
    wrong = ~mask & (values != 0)
    require(
        not wrong.any(),
        expected="0 wherever the mask is False",
        found=f"{_first(values, wrong)}",
        contract=LOAD,
        fix="values = np.where(mask, values, 0)",
    )


def check_values_are_finite(case: Case) -> None:
    """No value is NaN or infinite; what is missing is masked."""
    values, mask = np.asarray(case.stream.values[:]), np.asarray(case.stream.mask[:], dtype=bool)
    wrong = mask & ~np.isfinite(values)
    require(
        not wrong.any(),
        expected="finite values wherever the mask is True",
        found=f"{_first(values, wrong)}",
        contract=f"{LOAD}: NaN never enters a recording",
        fix="mask such values: mask &= np.isfinite(values)",
    )


def check_exposure_agrees_with_the_mask(case: Case) -> None:
    """Exposure, if given, is in (0, 1] where something was observed, and 0 elsewhere."""
    if case.stream.exposure is None:
        raise NotApplicableError("the stream has no exposure: every bin was watched whole")
    exposure = np.asarray(case.stream.exposure[:])
    mask = np.asarray(case.stream.mask[:], dtype=bool)
    wrong = np.where(mask, ~((exposure > 0) & (exposure <= 1)), exposure != 0)
    require(
        not wrong.any(),
        expected="exposure above 0 and at most 1 where the mask is True, 0 where it is False",
        found=f"{_first(exposure, wrong)}",
        contract=LOAD,
        fix="mask = exposure > 0, with exposure from grid.exposure(events)",
    )


def check_unit_channels_and_notes_are_text(case: Case) -> None:
    """The unit is a text, and so are the channels' ids and each note."""
    stream = case.stream
    for name, texts in (
        ("the unit", (stream.unit,)),
        ("every channel id", stream.channels.ids),
        ("every note", stream.notes),
    ):
        odd = [t for t in texts if not isinstance(t, str)] if _is_many(texts) else [texts]
        require(
            not odd,
            expected=f"{name} to be a text",
            found=f"{odd[:1]}",
            contract=LOAD,
            fix='name units as the file spells them, "" if it does not; notes are a tuple of texts',
        )


def _is_many(texts: object) -> bool:
    return isinstance(texts, Sequence) and not isinstance(texts, str)


def _first(values: np.ndarray, wrong: np.ndarray) -> str:
    """How many entries are wrong, and the first of them."""
    if not wrong.any():
        return "none"
    time, channel = np.argwhere(wrong)[0]
    return (
        f"{int(wrong.sum())} of {wrong.size} entries, such as {values[time, channel]} "
        f"in bin {time} of channel {channel}"
    )
