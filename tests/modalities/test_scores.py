"""Scores of point predictions: known answers, and blindness to what was not observed."""

from __future__ import annotations

import math

import pytest
import torch

from neurodsr.modalities.observed import Observed
from neurodsr.modalities.scores import (
    ACCURACY,
    BITS_PER_EVENT,
    BITS_PER_SPIKE,
    CIRCULAR_ERROR,
    ORDINAL_ERROR,
    R2,
)

SCORES = (BITS_PER_SPIKE, BITS_PER_EVENT, R2, ACCURACY, ORDINAL_ERROR, CIRCULAR_ERROR)
RATES = torch.tensor([0.5, 1.5]).repeat(500)[:, None]
MEAN = torch.ones(1000, 1)


def seen(x, mask=None):
    return Observed(x, torch.ones(x.shape, dtype=bool) if mask is None else mask)


def column(*values):
    return torch.tensor(values)[:, None]


@pytest.mark.parametrize("score", SCORES, ids=lambda s: s.name)
def test_values_that_were_not_observed_change_nothing(score):
    x = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0, 1.0])[:, None]
    predicted = column(0.1, 0.8, 0.6, 0.3, 0.9, 0.2)
    mask = torch.tensor([True, True, False, True, True, False])[:, None]
    other_x, other_predicted = (torch.where(mask, a, 0.5) for a in (x, predicted))
    constant = torch.full_like(x, 0.5)
    found = score.value(predicted, constant, seen(x, mask))
    assert found == score.value(other_predicted, constant, seen(other_x, mask))
    assert math.isfinite(found)


@pytest.mark.parametrize("score", SCORES, ids=lambda s: s.name)
def test_a_perfect_prediction_is_better_than_the_constant_one(score):
    x = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0])[:, None]
    constant = torch.full_like(x, 0.6 if score.name.startswith(("bits", "r2", "circ")) else 1.0)
    perfect, trivial = (score.value(p, constant, seen(x)) for p in (x, constant))
    assert perfect > trivial if score.better == "higher" else perfect < trivial


# ---- bits


def bits(rate, x, mask=None):
    return BITS_PER_SPIKE.value(rate, MEAN, seen(x, mask))


def test_the_constant_rate_gains_no_bits():
    x = torch.poisson(RATES, generator=torch.Generator().manual_seed(0))
    assert bits(MEAN, x) == 0
    assert BITS_PER_EVENT.value(0.3 * MEAN, 0.3 * MEAN, seen((x > 0).float())) == 0


def test_the_true_rate_gains_what_theory_says():
    r"""$E = \langle \lambda \log_2(\lambda / \bar\lambda) \rangle / \bar\lambda$."""
    expected = (0.5 * math.log2(0.5) + 1.5 * math.log2(1.5)) / 2
    # The score is linear in the counts, so expected counts give its expectation exactly.
    assert bits(RATES, RATES) == pytest.approx(expected, rel=1e-12)


def test_bits_are_the_gain_in_poisson_likelihood_per_spike():
    x = torch.poisson(RATES, generator=torch.Generator().manual_seed(0)).double()
    gain = torch.distributions.Poisson(RATES.double()).log_prob(x).sum()
    gain -= torch.distributions.Poisson(MEAN.double()).log_prob(x).sum()
    assert bits(RATES, x) == pytest.approx((gain / x.sum()).item() / math.log(2), rel=1e-6)


def test_a_predicted_rate_of_zero_does_not_forbid_a_spike():
    assert bits(torch.zeros(1000, 1), torch.ones(1000, 1)) == pytest.approx(
        math.log2(0.01) + 0.99 / math.log(2), rel=1e-6
    )


def test_the_true_probability_of_events_gains_its_information():
    """Mutual information per event; the score is linear in the events."""
    p, mean = torch.tensor([0.1, 0.5]).repeat(500)[:, None], 0.3

    def gain(q):
        return q * math.log2(q / mean) + (1 - q) * math.log2((1 - q) / (1 - mean))

    expected = (gain(0.1) + gain(0.5)) / 2 / mean
    found = BITS_PER_EVENT.value(p, torch.full_like(p, mean), seen(p))
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_a_certain_prediction_that_is_wrong_costs_finitely_much(certain):
    x = torch.full((10, 1), 1 - certain)
    x[0] = 1
    value = BITS_PER_EVENT.value(torch.full_like(x, certain), torch.full_like(x, 0.4), seen(x))
    assert math.isfinite(value)
    assert value < 0


@pytest.mark.parametrize("score", [BITS_PER_SPIKE, BITS_PER_EVENT], ids=lambda s: s.name)
def test_bits_are_not_defined_without_an_event(score):
    x = torch.zeros(10, 1)
    assert not math.isfinite(score.value(x + 0.1, x + 0.2, seen(x)))


# ---- explained variance


def r2(predicted, x, mask=None):
    return R2.value(predicted, torch.zeros_like(x), seen(x, mask))


def test_explained_variance_is_what_remains_of_the_variance():
    x = torch.tensor([1.0, -1.0]).repeat(50)[:, None] + 7
    assert r2(7 + (x - 7) / 2, x) == pytest.approx(0.75, rel=1e-12)
    assert r2(torch.full_like(x, 7.0), x) == pytest.approx(0, abs=1e-12)
    assert r2(x, x) == 1


def test_explained_variance_is_that_of_observed_bins():
    mask = torch.tensor([[True], [True], [False]])
    assert r2(column(1.0, 2.0, 99.0), column(1.0, 3.0, 0.0), mask) == pytest.approx(1 - 1 / 2)


def test_a_signal_that_does_not_move_has_no_explained_variance():
    moving = torch.tensor([1.0, -1.0]).repeat(50)[:, None]
    still = torch.full((100, 1), 3.0)
    assert math.isnan(r2(still, still))
    both = torch.cat([moving, still], dim=1)
    assert r2(0.5 * both, both) == pytest.approx(0.75)


# ---- labels and angles


def test_accuracy_counts_observed_labels_alone():
    x, predicted = column(0.0, 0.0, 1.0, 2.0, 1.0), column(0.0, 1.0, 1.0, 2.0, 0.0)
    mask = torch.tensor([True, True, True, True, False])[:, None]
    assert ACCURACY.value(predicted, x, seen(x, mask)) == 3 / 4


def test_the_ordinal_error_is_a_distance_in_levels():
    x, predicted = column(0.0, 3.0, 2.0, 1.0), column(0.0, 0.0, 3.0, 1.0)
    assert ORDINAL_ERROR.value(predicted, x, seen(x)) == 1.0


@pytest.mark.parametrize("turns", [-2, 0, 3])
def test_the_circular_error_is_the_short_way_round(turns):
    x = column(math.radians(359.0), 0.0, math.pi / 2) + 2 * math.pi * turns
    predicted = column(math.radians(1.0), math.pi, 0.0)
    expected = (math.radians(2) + math.pi + math.pi / 2) / 3
    assert CIRCULAR_ERROR.value(predicted, x, seen(x)) == pytest.approx(expected, rel=1e-5)


def test_a_prediction_that_knows_nothing_has_a_circular_error_of_a_quarter_turn():
    x = torch.linspace(-math.pi, math.pi, 10_001)[:, None]
    value = CIRCULAR_ERROR.value(torch.full_like(x, 0.7), x, seen(x))
    assert value == pytest.approx(math.pi / 2, rel=1e-3)
