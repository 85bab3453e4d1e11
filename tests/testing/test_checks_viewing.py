"""Modalities whose view or score is wrong in one point fail exactly the check of that point."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import torch

from neurodsr.modalities.behavior import Behavior
from neurodsr.modalities.scores import CIRCULAR_ERROR, R2, Score
from neurodsr.testing.checks import run_checks

sys.path.insert(0, str(Path(__file__).parent))
from kit_good import Good


class Miscounting(Good):
    """A signal."""

    def n_features(self, channels):
        """One too many."""
        return len(channels) + 1


class WithNumbersAsMask(Good):
    """A signal."""

    def features(self, seen, channels, *, bin_width):
        """Values and a mask of numbers."""
        return seen.values * seen.mask, seen.mask.to(seen.values)


class Irreversible(Good):
    """A signal."""

    def embed(self, x, channels):
        """Twice of what unembed gives back."""
        return 2 * x


class Forgetful(Good):
    """A signal."""

    def embed(self, x, channels):
        """Nothing of it."""
        return 0 * x


class OfAnotherShape(Good):
    """A signal."""

    def unembed(self, features, channels):
        """The first channel alone."""
        return features[..., :1]


class Omniscient(Good):
    """A signal."""

    def features(self, seen, channels, *, bin_width):
        """Zeros that count as known."""
        return seen.values * seen.mask, torch.ones_like(seen.mask)


def smoothed(x):
    """The mean of a bin and its two neighbors; those at the ends have one."""
    padded = torch.cat([x[..., :1, :], x, x[..., -1:, :]], -2)
    return (padded[..., :-2, :] + padded[..., 1:-1, :] + padded[..., 2:, :]) / 3


class Leaking(Good):
    """A signal."""

    def features(self, seen, channels, *, bin_width):
        """Smoothed over hidden bins, too."""
        return smoothed(seen.values), seen.mask

    def context(self, bin_width):
        """A bin to either side."""
        return 1


class Farsighted(Good):
    """A signal."""

    def features(self, seen, channels, *, bin_width):
        """Smoothed, although no context is declared."""
        return smoothed(seen.values * seen.mask), seen.mask


class OfFractionalContext(Good):
    """A signal."""

    def context(self, bin_width):
        """Half a bin."""
        return 0.5


class Inverted(Good):
    """A signal."""

    @property
    def natural_score(self):
        """Less is called better."""
        return replace(R2, better="lower")


class Nameless(Good):
    """A signal."""

    @property
    def natural_score(self):
        """A text in place of a score."""
        return "r2"


BROKEN = [
    (Miscounting, "features_have_the_promised_size", "as n_features = 5 says"),
    (WithNumbersAsMask, "features_have_the_promised_size", "a mask of torch.float64"),
    (Irreversible, "embedding_can_be_undone", "to be embed(x); found 192 of 192"),
    (Forgetful, "embedding_can_be_undone", "to be as likely as x"),
    (OfAnotherShape, "embedding_can_be_undone", "(48, 1)"),
    (Omniscient, "nothing_known_gives_nothing", "192 of 192 features known"),
    (Leaking, "masked_values_change_no_feature", "on values that are masked"),
    (Farsighted, "context_is_honest", "more than 0 after theirs"),
    (OfFractionalContext, "context_is_honest", "found 0.5"),
    (Inverted, "score_ranks_predictions", "to be lower than that of the best constant"),
    (Nameless, "score_ranks_predictions", "found 'r2'"),
]


DEGREES = Score(
    "circular error, deg", "lower", lambda *streams: float(CIRCULAR_ERROR.value(*streams))
)


class Heading(Behavior):
    """An angle of somebody's own, scored in its own way, from 0 to 2 pi."""

    @property
    def natural_score(self):
        """One that the package does not know."""
        return DEGREES

    def unembed(self, features, channels):
        """The same directions, counted from 0 on."""
        return super().unembed(features, channels) % (2 * math.pi)


def test_an_angle_may_come_back_as_its_equal_whoever_made_its_score():
    failed = [r.name for r in run_checks(Heading(path="x", observation="angle")) if r.failed]
    assert failed == []
