"""Modalities that load wrongly in one point each fail exactly the check of that point."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import PrivateAttr

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Stream
from neurodsr.errors import DataError
from neurodsr.testing.checks import run_checks

sys.path.insert(0, str(Path(__file__).parent))
from kit_good import Good


def altered(change):
    """The good modality, its stream changed by change(stream, grid)."""

    class Altered(Good):
        """A signal."""

        def load(self, source, grid):
            """Average within bins, and then go wrong."""
            return change(super().load(source, grid), grid)

    return Altered


def shortened(stream, _):
    return replace(stream, values=stream.values[:-1], mask=stream.mask[:-1])


def with_integer_mask(stream, _):
    return replace(stream, mask=stream.mask.astype(int))


def as_dictionary(stream, _):
    return {"values": stream.values, "mask": stream.mask}


def unseen(stream, _):
    return replace(stream, values=stream.values * 0, mask=np.zeros_like(stream.mask))


def nonzero_where_masked(stream, _):
    return replace(stream, values=np.where(stream.mask, stream.values, 7))


def with_nans(stream, _):
    return replace(stream, values=np.where(stream.values > 40, np.nan, stream.values))


def watched_twice(stream, _):
    return replace(stream, exposure=2 * stream.mask.astype(np.float32))


def without_a_unit(stream, _):
    return replace(stream, unit=None)


def with_one_note(stream, _):
    return replace(stream, notes="2 samples were lost")


def with_numbered_channels(stream, _):
    return replace(stream, channels=Channels(tuple(range(len(stream.channels)))))


def noisy(stream, _):
    return replace(stream, values=stream.values + stream.mask * np.random.default_rng().random())


def drifting(stream, grid):
    return replace(stream, values=stream.values + stream.mask * np.sin(grid.centers)[:, None])


def standardized(stream, _):
    mean = stream.values.sum(0) / stream.mask.sum(0)
    return replace(stream, values=(stream.values - mean) * stream.mask)


def filled(stream, _):
    return replace(stream, mask=np.ones_like(stream.mask))


class Satisfied(Good):
    """A signal that need not be there."""

    def load(self, source, grid):
        """Average within bins."""
        try:
            return super().load(source, grid)
        except DataError:
            ids = source.series(self.path).channels
            mask = np.zeros((grid.n_bins, len(ids)), dtype=bool)
            return Stream(mask.astype(float), mask, ids, "V")


class Curt(Good):
    """A signal whose absence is refused without a word of help."""

    def load(self, source, grid):
        """Average within bins."""
        try:
            return super().load(source, grid)
        except DataError as error:
            raise DataError(error.what) from error


def remembering():
    """A class of its own for each test, since it remembers."""

    class Remembering(Good):
        """A signal, larger once a part of it has been loaded."""

        def load(self, source, grid):
            """Average within bins."""
            stream = super().load(source, grid)
            lengths.add(grid.n_bins)
            return replace(stream, values=stream.values + stream.mask * (min(lengths) < 500))

    lengths = set()
    return Remembering


def with_hidden_gain():
    class Hidden(Good):
        """A signal, amplified by what no field says."""

        _gain: float = PrivateAttr(1.0)

        def load(self, source, grid):
            """Average within bins."""
            stream = super().load(source, grid)
            return replace(stream, values=stream.values * self._gain)

    modality = Hidden()
    modality._gain = 2.0
    return modality


BROKEN = [
    (altered(shortened), "load_gives_a_stream", "499 bins"),
    (altered(with_integer_mask), "load_gives_a_stream", "one of int64"),
    (altered(as_dictionary), "load_gives_a_stream", "a dict"),
    (altered(unseen), "something_is_observed", "none among 2000"),
    (altered(nonzero_where_masked), "masked_values_are_zero", "such as 7.0 in bin"),
    (altered(with_nans), "values_are_finite", "such as nan in bin"),
    (altered(watched_twice), "exposure_agrees_with_the_mask", "such as 2.0 in bin 0"),
    (altered(without_a_unit), "unit_channels_and_notes_are_text", "the unit to be a text"),
    (altered(with_one_note), "unit_channels_and_notes_are_text", "'2 samples were lost'"),
    (altered(with_numbered_channels), "unit_channels_and_notes_are_text", "channel id"),
    (altered(noisy), "load_is_deterministic", "when the same source is loaded again"),
    (remembering(), "load_remembers_nothing", "another part of the recording"),
    (altered(drifting), "load_moves_with_the_clock", "1.28 s later"),
    (altered(standardized), "load_agrees_on_common_bins", "bins 125 to 374"),
    (altered(filled), "missing_samples_are_masked", "104 of 104 entries unmasked"),
    (Satisfied, "nothing_on_the_grid_is_refused", "0 entries count as observed"),
    (Curt, "nothing_on_the_grid_is_refused", "fix=''"),
    (with_hidden_gain(), "fields_are_all_that_load_needs", "made from this one's fields"),
]


def test_a_stream_that_was_watched_whole_has_no_exposure_to_check():
    results = {result.name: result for result in run_checks(Good)}
    agrees, less = (
        results[name] for name in ("exposure_agrees_with_the_mask", "less_exposure_predicts_less")
    )
    assert agrees.skipped.startswith("the stream has no exposure")
    assert less.skipped == "it needs exposure_agrees_with_the_mask to hold"
