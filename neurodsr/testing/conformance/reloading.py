"""Loading again: twice, elsewhere on the clock, on other bins, by a copy, and of nothing."""

from __future__ import annotations

import json

import numpy as np

from neurodsr.data.streams import Stream
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.testing.conformance.altered import shifted, with_gap
from neurodsr.testing.conformance.case import Case
from neurodsr.testing.conformance.verdict import ContractError, require

SHIFT = 64
"""Bins that the whole recording is moved by."""
FAR = 1e5
"""Recordings end long before, s."""


def check_load_is_deterministic(case: Case) -> None:
    """Loading twice gives the very same numbers."""
    again = case.modality.load(case.source, case.grid)
    _require_same(
        case.stream,
        again,
        what="the same stream when the same source is loaded again",
        fix="use no random numbers in load, and do not change the source's arrays in place",
    )


def check_load_remembers_nothing(case: Case) -> None:
    """What was loaded before does not change what is loaded now."""
    case.modality.load(case.source, _inner(case.grid))
    _require_same(
        case.stream,
        case.modality.load(case.source, case.grid),
        what="the same stream after another part of the recording was loaded in between",
        fix="keep nothing between calls: no state in the class, the object or the module",
    )


def check_load_moves_with_the_clock(case: Case) -> None:
    """A recording that is later by whole bins gives the same numbers on a grid that is, too."""
    by = SHIFT * case.grid.bin_width
    grid = TimeGrid(round(case.grid.start + by, 9), case.grid.bin_width, case.grid.n_bins)
    _require_same(
        case.stream,
        case.modality.load(shifted(case.source, by), grid),
        what=f"the same stream when recording and grid are {by:g} s later",
        fix="take every time from the source and every bin from the grid, never from 0 s or a "
        "sample's number",
    )


def check_load_agrees_on_common_bins(case: Case) -> None:
    """A bin holds the same on a shorter grid as on a longer one."""
    inner = _inner(case.grid)
    first = case.grid.n_bins // 4
    found = case.modality.load(case.source, inner)
    _require_same(
        _bins(case.stream, slice(first, first + inner.n_bins)),
        found,
        what=f"bins {first} to {first + inner.n_bins - 1} to be the same when loaded alone",
        fix="standardize, filter and number levels over the whole source, not over the bins asked "
        "for; where that cannot be, say so in the docstring and in expected_failed_checks",
    )


def check_missing_samples_are_masked(case: Case) -> None:
    """Bins in a stretch without valid samples are masked, not filled."""
    first, n = int(0.4 * case.grid.n_bins), max(16, case.grid.n_bins // 10)
    edges = case.grid.edges
    source = with_gap(case.source, float(edges[first]), float(edges[first + n]))
    stream = case.modality.load(source, case.grid)
    # Lines are drawn over a few samples at either end, and sensors may be slow.
    inside = slice(first + n // 4, first + n - n // 4)
    filled = np.asarray(stream.mask[inside], dtype=bool)
    require(
        not filled.any(),
        expected=f"bins {inside.start} to {inside.stop - 1} to be masked, where no sample is valid "
        "and no channel was watched",
        found=f"{int(filled.sum())} of {filled.size} entries unmasked",
        contract="Modality.load: what was not observed is masked, never filled",
        fix="heed Series.valid and Events.observed; grid.average and grid.observed do",
    )


def check_nothing_on_the_grid_is_refused(case: Case) -> None:
    """Where the recording and the grid share no time, a DataError says what to do."""
    grid = TimeGrid(case.grid.start + FAR, case.grid.bin_width, case.grid.n_bins)
    try:
        stream = case.modality.load(case.source, grid)
    except DataError as error:
        said = error
    else:
        raise ContractError(
            expected=f"a DataError for a grid that begins {FAR:g} s after the recording",
            found=f"a stream of which {int(np.count_nonzero(stream.mask[:]))} entries count as "
            "observed",
            contract="Modality.load: what cannot be used is refused",
            fix='if not mask.any(): raise DataError("nothing is observed between ...", fix="...")',
        )
    require(
        said.what and said.fix,
        expected="a DataError that says what is wrong and what to do about it",
        found=f"what={said.what!r}, fix={said.fix!r}",
        contract="NeurodsrError (neurodsr/errors.py): what, where, fix",
        fix='raise DataError("...", where=f"{source.path}:/{self.path}", fix="...")',
    )


def check_fields_are_all_that_load_needs(case: Case) -> None:
    """An object made from this one's JSON, as worker processes make it, loads the same."""
    plain = json.loads(json.dumps(case.modality.to_plain()))
    twin = type(case.modality).from_plain(plain)
    _require_same(
        case.stream,
        twin.load(case.source, case.grid),
        what="the same stream from an object that was made from this one's fields",
        fix="keep all that load depends on in fields of the configuration, nothing in private "
        "attributes; worker processes get the fields as JSON and nothing else",
    )


def _inner(grid: TimeGrid) -> TimeGrid:
    """The middle half of a grid."""
    first, n = grid.n_bins // 4, grid.n_bins // 2
    return TimeGrid(float(grid.edges[first]), grid.bin_width, n)


def _bins(stream: Stream, bins: slice) -> Stream:
    exposure = None if stream.exposure is None else stream.exposure[bins]
    return Stream(
        stream.values[bins], stream.mask[bins], stream.channels, stream.unit, exposure=exposure
    )


def _require_same(expected: Stream, found: Stream, *, what: str, fix: str) -> None:
    require(
        found.channels.ids == expected.channels.ids
        and found.channels.levels == expected.channels.levels
        and found.n_bins == expected.n_bins,
        expected=what,
        found=f"{_size(found)} in place of {_size(expected)}",
        contract="Modality.load is a function of source, grid and fields alone",
        fix=fix,
    )
    mask = np.asarray(expected.mask[:], dtype=bool)
    remasked = int((np.asarray(found.mask[:], dtype=bool) != mask).sum())
    old, new = np.asarray(expected.values[:], float), np.asarray(found.values[:], float)
    # float32 keeps seven digits; times that moved are rounded to a nanosecond.
    changed = ~np.isclose(new, old, rtol=1e-5, atol=1e-5 * _scale(old, mask), equal_nan=True)
    require(
        not remasked and not changed.any(),
        expected=what,
        found=f"{int(changed.sum())} of {changed.size} values and {remasked} of its mask changed",
        contract="Modality.load is a function of source, grid and fields alone",
        fix=fix,
    )


def _scale(values: np.ndarray, mask: np.ndarray) -> float:
    size = np.abs(values[mask & np.isfinite(values)])
    return float(size.max()) if len(size) else 1.0


def _size(stream: Stream) -> str:
    levels = (
        f" of levels {', '.join(map(str, stream.channels.levels))}"
        if stream.channels.levels
        else ""
    )
    return f"{stream.n_bins} bins of {', '.join(map(str, stream.channels.ids))}{levels}"
